// Machines that failed: remembered by their id, left out for a day, and taken again when nothing else comes.
import { expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { plan } from '../../src/domain/plan.ts'
import { keyOf, type Story, story, worldOf } from './fleet-story.ts'

const broken = (told: Story, podId: string, hostId: string, code = 'gpu_missing') =>
  told
    .pod(podId, 'booting')
    .tell({ type: 'pod.placed', podId, hostId })
    .tell({ type: 'pod.broken', podId, fault: { kind: 'pod', code, message: `${podId} shows 0 of 1 GPUs` } })
    .tell({ type: 'pod.release_requested', podId, cause: 'broken' })
const landed = (told: Story, podId: string, hostId: string) =>
  told.pod(podId, 'booting').tell({ type: 'pod.placed', podId, hostId })
const facts = (told: Story) => plan(told.fleet, told.now, worldOf(told, [])).facts
const start = () => story().run({ podsMax: 9 }).jobs('a')

test('a fresh pod on a host that failed goes back at once', () => {
  const told = landed(broken(start(), 'p1', 'h1'), 'p2', 'h1')
  expect(facts(told)).toEqual([
    { type: 'pod.host_avoided', podId: 'p2' },
    { type: 'pod.release_requested', podId: 'p2', cause: 'it lies on host h1, which failed: p1 shows 0 of 1 GPUs' },
  ])
  expect(facts(landed(broken(start(), 'p1', 'h1'), 'p2', 'h2'))).toEqual([])
})

test('a day later it is like any other', () => {
  const told = broken(start(), 'p1', 'h1').wait(DEFAULT_LIMITS.hostAvoidMs)
  expect(facts(landed(told, 'p2', 'h1'))).toEqual([])
})

test('after some in a row what comes is taken', () => {
  const told = broken(start(), 'p1', 'h1')
  for (let nth = 0; nth < DEFAULT_LIMITS.hostAvoidTries; nth++) {
    landed(told, `back-${nth}`, 'h1')
    expect(facts(told)).toHaveLength(2)
    told.tell(...facts(told))
  }
  expect(facts(landed(told, 'taken', 'h1'))).toEqual([])
})

test('what says nothing about the machine is not held against it', () => {
  expect(facts(landed(broken(start(), 'p1', 'h1', 'pod_stopped_outside'), 'p2', 'h1'))).toEqual([])
  const needed = start().tell({
    type: 'operator.needed',
    provider: 'cloud',
    fault: { kind: 'operator', code: 'key_refused', message: 'x' },
  })
  broken(needed, 'p1', 'h1', 'stuck_at_ssh').tell({ type: 'operator.cleared', provider: 'cloud' })
  expect(facts(landed(needed, 'p2', 'h1'))).toEqual([])
})

test('a job that breaks every host clears them of it', () => {
  const told = start()
  for (const [nth, podId] of ['p1', 'p2'].entries()) {
    const fault = { kind: 'pod', code: 'cuda_error', message: 'CUDA error: illegal memory access' } as const
    told
      .pod(podId)
      .tell({ type: 'pod.placed', podId, hostId: `h${nth}` })
      .start('a', podId)
      .wait(10)
    told.tell(
      { type: 'attempt.failed', jobKey: keyOf('a'), attempt: nth + 1, fault },
      { type: 'pod.broken', podId, fault },
    )
  }
  expect([...told.fleet.hosts.keys()]).toEqual(['cloud/h0', 'cloud/h1'])
  const verdict = facts(told)
  expect(verdict).toMatchObject([{ type: 'job.failed', fault: { code: 'poison' } }])
  expect([...told.tell(...verdict).fleet.hosts.keys()]).toEqual([])
})
