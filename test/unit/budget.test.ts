// Hard limits: of a job on its pod, and of a whole run.
import { describe, expect, test } from 'vitest'
import { runSpend } from '../../src/domain/admission.ts'
import { jobLimits, runLimits } from '../../src/domain/budget.ts'
import type { Fact } from '../../src/domain/event.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import type { Run } from '../../src/domain/run.ts'
import { keyOf, RUN, specOf, story, worldOf } from './fleet-story.ts'

const HOUR = 3_600_000
const END = DEFAULT_LIMITS.teardownMs

describe('a job at work', () => {
  test('ends with its pod when its time is over, and not a moment before', () => {
    const told = story()
      .run()
      .jobs(specOf('a', { timeoutMs: 60_000 }))
      .pod('p')
      .wait(HOUR)
      .start('a', 'p')
    expect(jobLimits(told.fleet, told.now + 59_999, worldOf(told))).toEqual([])
    expect(jobLimits(told.fleet, told.now + 60_000, worldOf(told))).toMatchObject([
      { type: 'attempt.failed', jobKey: keyOf('a'), attempt: 1, fault: { kind: 'job', code: 'timed_out' } },
      { type: 'pod.release_requested', podId: 'p' },
    ])
  })

  test('is not charged for what its pod cost before, but for the end of it', () => {
    const told = story()
      .run()
      .jobs(specOf('a', { costMax: 360_000 }))
      .pod('p', 'ready', { perHour: 360_000 })
    told.wait(5 * HOUR).start('a', 'p')
    expect(jobLimits(told.fleet, told.now + HOUR - END - 20, worldOf(told))).toEqual([])
    expect(jobLimits(told.fleet, told.now + HOUR - END, worldOf(told))).toMatchObject([
      { fault: { code: 'budget_reached' } },
      {},
    ])
  })

  test('without limits goes on', () => {
    const told = story().run().jobs('a').pod('p').start('a', 'p')
    expect(jobLimits(told.fleet, told.now + 1000 * HOUR, worldOf(told))).toEqual([])
  })
})

describe('a run', () => {
  const limited = () =>
    story()
      .run({ costMax: 360_000, timeoutMs: 10 * HOUR })
      .jobs('a')
      .pod('p', 'booting', { perHour: 360_000 })

  test('tells of its money with everything its pods cost, gone ones too, and is closed for what waits at 90 %', () => {
    const told = limited()
      .wait(HOUR / 2)
      .tell({ type: 'pod.release_requested', podId: 'p', cause: 'x' })
    told.tell({ type: 'pod.gone', podId: 'p', billedUntil: told.now }).pod('q', 'booting', { perHour: 360_000 })
    expect(runSpend(told.fleet, told.fleet.runs.get(RUN) as Run, told.now)).toBe(180_000)
    const steps = (ms: number) => runLimits(told.fleet, told.now + ms)
    expect(steps(0)).toEqual([{ type: 'run.budget_step', runId: RUN, percent: 50, spent: 180_000 }])
    expect(steps(0.4 * HOUR)).toMatchObject([{ percent: 50 }, { percent: 80 }, { percent: 90, spent: 324_000 }])
    told.tell(...(steps(0.4 * HOUR) as Fact[]))
    expect(steps(0.4 * HOUR)).toEqual([{ type: 'run.limit_reached', runId: RUN, limit: 'cost' }])
  })

  test('reaches its time limit from its opening on', () => {
    const told = story().run({ timeoutMs: HOUR }).jobs('a')
    expect(runLimits(told.fleet, told.now + HOUR)).toEqual([{ type: 'run.limit_reached', runId: RUN, limit: 'time' }])
  })

  test('has its whole time again when a job of it is tried again after it was over, and no more than that before', () => {
    const limit = [{ type: 'run.limit_reached', runId: RUN, limit: 'time' }] as Fact[]
    const told = story().run({ timeoutMs: HOUR }).jobs('a', 'b')
    const retried: Fact[] = [
      { type: 'job.failed', jobKey: keyOf('a'), fault: { kind: 'job', code: 'budget_reached', message: 'no time' } },
      { type: 'job.retry_requested', jobKey: keyOf('a') },
    ]
    told.wait(HOUR / 2).tell(...retried)
    expect(runLimits(told.fleet, told.now + HOUR / 2)).toEqual(limit)
    told.wait(HOUR).tell(...limit, ...retried)
    expect(runLimits(told.fleet, told.now + HOUR - 1)).toEqual([])
    expect(runLimits(told.fleet, told.now + HOUR)).toEqual(limit)
  })

  test('says so once, and not when nothing of it is open', () => {
    const told = limited().wait(HOUR)
    told
      .tell(...runLimits(told.fleet, told.now), ...runLimits(told.fleet, told.now))
      .tell({ type: 'run.limit_reached', runId: RUN, limit: 'cost' })
    expect(runLimits(told.fleet, told.now)).toEqual([])
    expect(runLimits(story().run({ timeoutMs: 1 }).fleet, Number.MAX_SAFE_INTEGER)).toEqual([])
  })
})
