// What is only shown: the last values of each job and pod, over the death of the engine that had them first.
import { expect, test } from 'vitest'
import { emptyFleet } from '../../src/domain/fleet.ts'
import { createGaugeBoard } from '../../src/engine/gauges.ts'
import type { Clock } from '../../src/ports.ts'
import { createSharedJournal } from '../sim/journal.ts'
import { AT_THE_END } from '../sim/pod.ts'
import { keyOf, RUN, story } from './fleet-story.ts'

const clock: Clock = { now: () => 1000, sleep: () => Promise.resolve(), uuid: () => '' }
const RENDERING = { ...AT_THE_END, phase: 'running', fraction: null, attempt: 1 } as const

/** A board of one engine, and that of the engine after it. */
function twoBoards() {
  const journal = createSharedJournal()
  const first = createGaugeBoard(
    journal.open(() => null),
    clock,
    emptyFleet(),
  )
  return {
    first,
    next(fleet = emptyFleet()) {
      first.flush()
      return createGaugeBoard(
        journal.open(() => null),
        clock,
        fleet,
      )
    },
  }
}

test('the next engine goes on from the progress that its attempt was shown at, not from nothing', () => {
  const { first, next } = twoBoards()
  first.job('run/job', { ...RENDERING, fraction: 0.4 })
  const board = next()
  expect(board.gauges.jobs.get('run/job')?.fraction).toBe(0.4)
  board.job('run/job', { ...RENDERING, fraction: 0.03 })
  expect(board.gauges.jobs.get('run/job')?.fraction).toBe(0.4)
  board.job('run/job', { ...RENDERING, fraction: 0.5 })
  expect(board.gauges.jobs.get('run/job')?.fraction).toBe(0.5)
})

test('another attempt begins with its own progress, whatever an earlier engine saw of the one before', () => {
  const { first, next } = twoBoards()
  first.job('run/job', { ...RENDERING, fraction: 0.4 })
  const board = next()
  board.job('run/job', { ...RENDERING, attempt: 2, fraction: 0 })
  expect(board.gauges.jobs.get('run/job')?.fraction).toBe(0)
  board.job('run/job', { ...RENDERING, attempt: 2, fraction: null })
  expect(board.gauges.jobs.get('run/job')?.fraction).toBe(0)
})

test('the balance and the GPU history of a pod are those that were known before', () => {
  const { first, next } = twoBoards()
  first.pod('pod-0001', { gpuUtil: 90 })
  first.balance(5_000_000)
  const board = next()
  board.pod('pod-0001', { gpuUtil: 80 })
  expect(board.gauges.pods.get('pod-0001')?.history).toEqual([90, 80])
  expect(board.gauges.balance?.micro).toBe(5_000_000)
  // Only figures of its own tell an engine whether a GPU works.
  expect(next().gpu('pod-0001')).toBeNull()
})

test('figures of a run that is over go when the next engine begins; those of a run under way and of a pod that was kept stay', () => {
  const told = story().run().jobs('a').pod('pod-0001').pod('pod-0002')
  told.tell({ type: 'job.cancel_requested', jobKey: keyOf('a') }, { type: 'job.cancelled', jobKey: keyOf('a') })
  told.tell({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'no job left for it' })
  told.tell({ type: 'pod.gone', podId: 'pod-0001', billedUntil: told.now })
  const { first, next } = twoBoards()
  first.job(keyOf('a'), { ...RENDERING, fraction: 0.4 })
  for (const id of ['pod-0001', 'pod-0002']) first.pod(id, { gpuUtil: 90 })
  const shown = (board = next(told.fleet)) => [...board.gauges.jobs.keys(), ...board.gauges.pods.keys()]
  expect(shown()).toEqual([keyOf('a'), 'pod-0001', 'pod-0002'])
  told.tell({ type: 'run.closed', runId: RUN, status: 'cancelled' })
  expect(shown()).toEqual(['pod-0002'])
})
