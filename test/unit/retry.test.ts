// Again in the same place, again elsewhere, or never.
import { expect, test } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { verdict } from '../../src/domain/retry.ts'
import { keyOf, type Story, story } from './fleet-story.ts'

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
