// Again in the same place, again elsewhere, or never.
import { describe, expect, test } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { plan } from '../../src/domain/plan.ts'
import { verdict } from '../../src/domain/retry.ts'
import { keyOf, offerOf, type Story, story, worldOf } from './fleet-story.ts'

const judged = (told: Story, retries = 1) => verdict(told.fleet.jobs.get(keyOf('a')) as Job, retries, DEFAULT_LIMITS)
const failed = (...kinds: [kind: Parameters<Story['fail']>[1], code?: string][]) => {
  const told = story().run().jobs('a')
  for (const [index, [kind, code]] of kinds.entries())
    told.pod(`p${index}`).start('a', `p${index}`).wait(1000).fail('a', kind, code)
  return told
}

test('a fault of the job is final', () => {
  expect(judged(failed(['job']), 99)).toMatchObject({ again: false, fault: { kind: 'job' } })
})

test('a bad pod is tried again elsewhere at once, as often as the run allows', () => {
  const told = failed(['pod'])
  expect(judged(told)).toMatchObject({ again: true, dueAt: told.now })
  expect(judged(failed(['pod'], ['pod']))).toMatchObject({ again: false })
  expect(judged(told, 0)).toMatchObject({ again: false })
})

test('a pod that a person killed says nothing about the job', () => {
  expect(judged(failed(['pod', 'pod_killed']), 0)).toMatchObject({ again: true })
  expect(judged(failed(['pod', 'pod_killed'], ['pod']), 1)).toMatchObject({ again: true })
})

test('a pod for working by hand is never replaced unasked', () => {
  const told = failed(['pod', 'owner_away'])
  const job = told.fleet.jobs.get(keyOf('a')) as Job
  expect(judged(told)).toMatchObject({ again: true })
  const byHand: Job = { ...job, spec: { ...job.spec, executor: 'hand' } }
  expect(verdict(byHand, 99, DEFAULT_LIMITS)).toMatchObject({ again: false, fault: { code: 'owner_away' } })
})

test('weather is waited out, twice as long each time, four times at most', () => {
  const pauses = [1, 2, 3].map(count => {
    const told = failed(...Array.from({ length: count }, () => ['transient'] as ['transient']))
    const next = judged(told)
    return next.again ? next.dueAt - told.now : null
  })
  expect(pauses).toEqual([2000, 4000, 8000])
  expect(judged(failed(['transient'], ['transient'], ['transient'], ['transient']))).toMatchObject({ again: false })
})

test('the other side may say how long to wait', () => {
  const told = story().run().jobs('a').pod('p').start('a', 'p')
  told.tell({
    type: 'attempt.failed',
    jobKey: keyOf('a'),
    attempt: 1,
    fault: { kind: 'transient', code: 'busy', message: 'busy', retryAfterMs: 30_000 },
  })
  expect(judged(told)).toMatchObject({ again: true, dueAt: told.now + 30_000 })
})

test('tries before a person asked again do not count', () => {
  const told = failed(['pod'], ['pod'])
  told.tell({ type: 'job.failed', jobKey: keyOf('a'), fault: { kind: 'pod', code: 'x', message: 'x' } })
  told.wait(1).tell({ type: 'job.retry_requested', jobKey: keyOf('a') })
  told.pod('new').start('a', 'new').fail('a', 'pod')
  expect(judged(told)).toMatchObject({ again: true })
})

test('somebody who asks for another try gets one, whatever the last one ended in', () => {
  const told = failed(['job'])
  told.tell({ type: 'job.failed', jobKey: keyOf('a'), fault: { kind: 'job', code: 'x', message: 'x' } })
  told.wait(10).tell({ type: 'job.retry_requested', jobKey: keyOf('a') })
  expect(judged(told, 0)).toMatchObject({ again: true })
  told.start('a', 'p0').wait(10).fail('a', 'job')
  expect(judged(told, 0)).toMatchObject({ again: false })
})

test('hosts, pods and weather have counts of their own', () => {
  const told = failed(['pod', 'gpu_missing'], ['pod', 'disk_full'], ['transient'])
  expect(judged(told, 1)).toMatchObject({ again: true })
  told.pod('p3').start('a', 'p3').wait(1000).fail('a', 'pod', 'stuck_at_ssh')
  expect(judged(told, 1)).toMatchObject({ again: false })
})

describe('out of memory', () => {
  const ranOut = (...vramGbs: number[]) => {
    const told = story().run().jobs('a')
    for (const [index, vramGb] of vramGbs.entries()) {
      const podId = `p${vramGb}`
      if (!told.fleet.pods.has(podId)) told.pod(podId, 'ready', { vramGb })
      told.start('a', podId, ...(index > 0 ? [{ freeFirst: true as const }] : []))
      told.wait(1000).fail('a', 'job', 'out_of_memory')
    }
    return told
  }
  const facts = (told: Story, offers = [offerOf({ vramGb: 80 })]) =>
    plan(told.fleet, told.now, worldOf(told, offers)).facts

  test('is first tried again on the same pod with freed memory, before any other job gets it', () => {
    const told = story().run().jobs('b', 'a').pod('p1').pod('p2').start('b', 'p1').start('a', 'p2').wait(1000)
    told.fail('b', 'transient').fail('a', 'job', 'out_of_memory').wait(60_000)
    expect(facts(told)).toMatchObject([
      { type: 'job.delayed', why: expect.stringContaining('again in 2 s') },
      { why: 'out_of_memory; again with freed memory' },
    ])
    told.tell(...facts(told)).wait(60_000)
    expect(facts(told)).toMatchObject([
      { type: 'attempt.requested', jobKey: keyOf('a'), podId: 'p2', freeFirst: true },
      { type: 'attempt.requested', jobKey: keyOf('b'), podId: 'p1' },
    ])
  })

  test('then needs a larger card, which the pod that is there is not', () => {
    const told = ranOut(24, 24)
    expect(judged(told)).toMatchObject({ again: true, why: expect.stringContaining('more memory') })
    expect(told.fleet.jobs.get(keyOf('a'))?.vramGbAbove).toBe(24)
    told.tell(...facts(told))
    expect(facts(told)).toMatchObject([{ type: 'pod.release_requested', podId: 'p24' }])
    told.tell(...facts(told))
    expect(facts(told)).toMatchObject([{ type: 'pod.requested', offer: { vramGb: 80 } }])
  })

  test('is the end where the provider has no larger card of the list, and not where it could not say', () => {
    const told = ranOut(24, 24).tell({ type: 'pod.release_requested', podId: 'p24', cause: '' }).wait(1)
    told.tell(...facts(told))
    const world = worldOf(told, [])
    expect(plan(told.fleet, told.now, world).facts).toMatchObject([
      { type: 'job.failed', fault: { code: 'out_of_memory', message: expect.stringContaining('more than 24 GB') } },
    ])
    const silent = new Map([...world.offers].map(([key, known]) => [key, { ...known, unknown: true }]))
    expect(plan(told.fleet, told.now, { ...world, offers: silent }).facts).toEqual([])
  })

  test('is the end on the third size', () => {
    expect(judged(ranOut(24, 24, 48))).toMatchObject({ again: true })
    expect(judged(ranOut(24, 24, 48, 80))).toMatchObject({ again: false, fault: { code: 'out_of_memory' } })
  })

  test('is forgotten when a person asks for another try', () => {
    const told = ranOut(24, 24)
    const fault = { kind: 'job', code: 'out_of_memory', message: 'x' } as const
    told.tell({ type: 'job.failed', jobKey: keyOf('a'), fault }).wait(1)
    told.tell({ type: 'job.retry_requested', jobKey: keyOf('a') })
    expect(told.fleet.jobs.get(keyOf('a'))?.vramGbAbove).toBe(0)
  })
})

describe('poison', () => {
  const lost = (prompt: string, podId: string) => ({
    kind: 'pod' as const,
    code: 'prompt_lost',
    message: `ComfyUI on ${podId} no longer knows prompt ${prompt}`,
  })
  const failing = (...hosts: (string | null)[]) => {
    const told = story().run().jobs('a')
    for (const [index, hostId] of hosts.entries()) {
      const podId = `pod-${index + 1}`
      told.pod(podId)
      if (hostId) told.tell({ type: 'pod.placed', podId, hostId })
      told.start('a', podId).wait(1000)
      const fault = lost(`0a1b2c3d-0000-4000-8000-00000000000${index}`, podId)
      told.tell({ type: 'attempt.failed', jobKey: keyOf('a'), attempt: index + 1, fault })
    }
    return told
  }

  test('is a job that fails in the same way on two hosts, whatever tries are left', () => {
    expect(judged(failing('h1', 'h2'), 9)).toMatchObject({
      again: false,
      fault: { kind: 'job', code: 'poison', message: expect.stringContaining('two hosts (pod-1, pod-2)') },
    })
    expect(judged(failing(null, null), 9)).toMatchObject({ again: false, fault: { code: 'poison' } })
  })

  test('is none that failed twice on one host, or because pods were taken away', () => {
    expect(judged(failing('h1', 'h1'), 9)).toMatchObject({ again: true })
    expect(judged(failed(['pod', 'pod_vanished'], ['pod', 'pod_vanished']), 9)).toMatchObject({ again: true })
    expect(judged(failed(['pod', 'cuda_error'], ['pod', 'disk_full']), 9)).toMatchObject({ again: true })
  })
})
