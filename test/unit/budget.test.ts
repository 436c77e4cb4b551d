// Hard limits: of a job on its pod, and of a whole run.
import { describe, expect, test } from 'vitest'
import { jobLimits, runLimits, runSpend } from '../../src/domain/budget.ts'
import type { Run } from '../../src/domain/run.ts'
import { keyOf, RUN, specOf, story } from './fleet-story.ts'

const HOUR = 3_600_000

describe('a job at work', () => {
  test('ends with its pod when its time is over, and not a moment before', () => {
    const told = story()
      .run()
      .jobs(specOf('a', { timeoutMs: 60_000 }))
      .pod('p')
      .wait(HOUR)
      .start('a', 'p')
    expect(jobLimits(told.fleet, told.now + 59_999)).toEqual([])
    expect(jobLimits(told.fleet, told.now + 60_000)).toMatchObject([
      { type: 'attempt.failed', jobKey: keyOf('a'), attempt: 1, fault: { kind: 'job', code: 'timed_out' } },
      { type: 'pod.release_requested', podId: 'p' },
    ])
  })

  test('is not charged for what its pod cost before', () => {
    const told = story()
      .run()
      .jobs(specOf('a', { costMax: 360_000 }))
      .pod('p', 'ready', { perHour: 360_000 })
    told.wait(5 * HOUR).start('a', 'p')
    expect(jobLimits(told.fleet, told.now + HOUR - 20)).toEqual([])
    expect(jobLimits(told.fleet, told.now + HOUR)).toMatchObject([{ fault: { code: 'budget_reached' } }, {}])
  })

  test('without limits goes on', () => {
    const told = story().run().jobs('a').pod('p').start('a', 'p')
    expect(jobLimits(told.fleet, told.now + 1000 * HOUR)).toEqual([])
  })
})

describe('a run', () => {
  const limited = () =>
    story()
      .run({ costMax: 360_000, timeoutMs: 10 * HOUR })
      .jobs('a')
      .pod('p', 'booting', { perHour: 360_000 })

  test('reaches its money limit with everything its pods cost, gone ones too', () => {
    const told = limited()
      .wait(HOUR / 2)
      .tell({ type: 'pod.release_requested', podId: 'p', cause: 'x' })
    told.tell({ type: 'pod.gone', podId: 'p', billedUntil: told.now }).pod('q', 'booting', { perHour: 360_000 })
    expect(runSpend(told.fleet, told.fleet.runs.get(RUN) as Run, told.now)).toBe(180_000)
    expect(runLimits(told.fleet, told.now + HOUR / 2 - 20)).toEqual([])
    expect(runLimits(told.fleet, told.now + HOUR / 2)).toEqual([
      { type: 'run.limit_reached', runId: RUN, limit: 'cost' },
    ])
  })

  test('reaches its time limit from its opening on', () => {
    const told = story().run({ timeoutMs: HOUR }).jobs('a')
    expect(runLimits(told.fleet, told.now + HOUR)).toEqual([{ type: 'run.limit_reached', runId: RUN, limit: 'time' }])
  })

  test('says so once, and not when nothing of it is open', () => {
    const told = limited().wait(HOUR).tell({ type: 'run.limit_reached', runId: RUN, limit: 'cost' })
    expect(runLimits(told.fleet, told.now)).toEqual([])
    expect(runLimits(story().run({ timeoutMs: 1 }).fleet, Number.MAX_SAFE_INTEGER)).toEqual([])
  })
})
