// What is only shown: the last values of each job and pod, over the death of the engine that had them first.
import { expect, test } from 'vitest'
import { createGaugeBoard } from '../../src/engine/gauges.ts'
import type { Clock } from '../../src/ports.ts'
import { createSharedJournal } from '../sim/journal.ts'
import { AT_THE_END } from '../sim/pod.ts'

const clock: Clock = { now: () => 1000, sleep: () => Promise.resolve(), uuid: () => '' }
const RENDERING = { ...AT_THE_END, phase: 'running', fraction: null, attempt: 1 } as const

/** A board of one engine, and that of the engine after it. */
function twoBoards() {
  const journal = createSharedJournal()
  const first = createGaugeBoard(
    journal.open(() => null),
    clock,
  )
  return {
    first,
    next() {
      first.flush()
      return createGaugeBoard(
        journal.open(() => null),
        clock,
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
