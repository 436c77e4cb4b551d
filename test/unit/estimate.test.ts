// To finish: a range once there is something to go by, and nothing before.
import { expect, test } from 'vitest'
import { estimateRun, jobLeft, type ProgressOf } from '../../src/domain/estimate.ts'
import { keyOf, offerOf, RUN, story } from './fleet-story.ts'

const MINUTE = 60_000
const nothing: ProgressOf = () => null

function podReady(told: ReturnType<typeof story>, podId: string): void {
  told.tell({ type: 'pod.requested', podId, runId: RUN, name: podId, offer: offerOf({ perHour: 600_000 }) })
  told.tell({ type: 'pod.created', podId, ref: podId, perHour: 600_000 })
  told.wait(MINUTE)
  told.tell({ type: 'pod.ready', podId })
}

function end(told: ReturnType<typeof story>, jobId: string): void {
  told.tell({ type: 'attempt.succeeded', jobKey: keyOf(jobId), attempt: 1 })
  told.tell({ type: 'job.completed', jobKey: keyOf(jobId), published: [] })
}

test('nothing is estimated before a job is done or well under way', () => {
  const told = story()
  told.run()
  told.jobs('a', 'b')
  const at = (progressOf: ProgressOf) => estimateRun(told.fleet, RUN, progressOf, told.now)
  expect(at(nothing)).toBeNull()
  podReady(told, 'pod-1')
  told.start('a', 'pod-1')
  told.wait(15_000)
  expect(at(() => ({ fraction: 0.5, at: told.now }))).toBeNull()
  told.wait(45_000)
  expect(at(() => ({ fraction: 0.05, at: told.now }))).toBeNull()
  expect(at(nothing)).toBeNull()
  // A minute for a half: another one for the rest, two for the job that waits.
  const guess = at(() => ({ fraction: 0.5, at: told.now }))
  expect(guess?.end[0]).toBeGreaterThan(told.now + 2 * MINUTE)
  expect(guess?.end[0]).toBeLessThan(told.now + 3 * MINUTE)
  expect(guess?.end[1]).toBeGreaterThan(told.now + 3 * MINUTE)
  expect(guess?.end[1]).toBeLessThan(told.now + 5 * MINUTE)
})

test('nothing is estimated while a job is called stuck', () => {
  const told = story().run().jobs('a')
  podReady(told, 'pod-1')
  told.start('a', 'pod-1').wait(MINUTE)
  const half: ProgressOf = () => ({ fraction: 0.5, at: told.now })
  const left = () => jobLeft(told.fleet, told.fleet.jobs.get(keyOf('a'))!, half, told.now)
  expect(left()).not.toBeNull()
  const stuck = { jobKey: keyOf('a'), attempt: 1 }
  told.tell({ type: 'attempt.stuck_warned', ...stuck, since: told.now, silent: [], reason: 'x' })
  expect(left()).toBeNull()
  expect(estimateRun(told.fleet, RUN, half, told.now)).toBeNull()
  told.tell({ type: 'attempt.stuck_cleared', ...stuck })
  expect(left()).not.toBeNull()
})

test('what jobs took spreads over the pods there are, and the range covers what then happens', () => {
  const told = story()
  told.run()
  const jobs = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  told.jobs(...jobs)
  podReady(told, 'pod-1')
  podReady(told, 'pod-2')
  for (const job of ['a', 'b', 'c', 'd']) {
    told.start(job, 'pod-1')
    told.wait(job === 'b' ? 11 * MINUTE : 10 * MINUTE)
    end(told, job)
  }
  const { micro, end: ends } = estimateRun(told.fleet, RUN, nothing, told.now)!
  // Four jobs of ten minutes on two pods: twenty minutes, and two pods at a cent a minute.
  expect(ends[0]).toBeLessThanOrEqual(told.now + 20 * MINUTE)
  expect(ends[1]).toBeGreaterThanOrEqual(told.now + 20 * MINUTE)
  expect(ends[1]).toBeLessThan(told.now + 26 * MINUTE)
  expect(micro[0]).toBeLessThanOrEqual(400_000 + 20_000)
  expect(micro[1]).toBeGreaterThanOrEqual(400_000)
  expect(micro[1]).toBeLessThan(520_000)
})

/** Of two jobs one is done, after a minute. */
function halfDone() {
  const told = story()
  told.run()
  told.jobs('a', 'b')
  podReady(told, 'pod-1')
  told.start('a', 'pod-1')
  told.wait(MINUTE)
  end(told, 'a')
  return told
}

test('there is no estimate where no pod is left for what waits', () => {
  const told = halfDone()
  expect(estimateRun(told.fleet, RUN, nothing, told.now)).not.toBeNull()
  told.tell({ type: 'pod.release_requested', podId: 'pod-1', cause: 'x' })
  expect(estimateRun(told.fleet, RUN, nothing, told.now)).toBeNull()
})

test('a job that is later than all others has little left, and never less than nothing', () => {
  const told = halfDone()
  told.start('b', 'pod-1')
  told.wait(10 * MINUTE)
  expect(jobLeft(told.fleet, told.fleet.jobs.get(keyOf('b'))!, nothing, told.now)).toEqual([0, MINUTE])
})
