// The ledger cut into steps: whatever the number of steps, no micro-dollar is lost or made.
import { expect, test } from 'vitest'
import type { Entry } from '../../src/domain/ledger.ts'
import { addedUp, spendingOf, totalsByCause } from '../../src/domain/spending.ts'

const entry = (cause: Entry['cause'], from: number, to: number, micro: number, podId = 'pod-1'): Entry => ({
  podId,
  runId: 'run',
  jobKey: null,
  cause,
  from,
  to,
  micro,
})
const entries = [
  entry('boot', 0, 40_000, 4000),
  entry('render', 40_000, 100_000, 6000),
  entry('teardown', 100_000, 100_000, -500),
  entry('boot', 70_000, 90_000, 3000, 'pod-2'),
]

test('the steps of a cause add up to what it cost, however many there are', () => {
  for (const steps of [1, 2, 7, 80, 333]) {
    const { byCause } = spendingOf(entries, 0, 100_000, steps)
    expect(addedUp(byCause.get('boot')!).at(-1)).toBeCloseTo(7000)
    expect(addedUp(byCause.get('render')!).at(-1)).toBeCloseTo(6000)
    expect(byCause.get('teardown')!.at(-1)).toBe(-500)
    expect(byCause.has('idle')).toBe(false)
  }
})

test('each step has the money of its own time, and what lies before the window is not in it', () => {
  expect(spendingOf(entries, 0, 100_000, 5).byCause.get('render')).toEqual([0, 0, 2000, 2000, 2000])
  expect(spendingOf(entries, 50_000, 100_000, 2).byCause.get('boot')).toEqual([750, 2250])
})

test('totals follow the order given, with what runs now by the last cause of each pod', () => {
  const rateOf = (podId: string) => (podId === 'pod-2' ? 490_000 : 0)
  expect(totalsByCause(entries, ['idle', 'render', 'boot', 'teardown'], rateOf)).toEqual([
    { cause: 'render', micro: 6000, perHour: 0 },
    { cause: 'boot', micro: 7000, perHour: 490_000 },
    { cause: 'teardown', micro: -500, perHour: 0 },
  ])
})
