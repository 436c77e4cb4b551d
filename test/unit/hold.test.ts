// Why jobs wait although their run may have more pods.
import { describe, expect, test } from 'vitest'
import { holdOf } from '../../src/domain/hold.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import type { Run } from '../../src/domain/run.ts'
import { RUN, type Story, story } from './fleet-story.ts'

const hold = ({ fleet, now }: Story) => holdOf(fleet, fleet.runs.get(RUN) as Run, now, DEFAULT_LIMITS)
const busy = (policy: object) =>
  story()
    .run({ podsMax: 3, ...policy })
    .jobs('a', 'b', 'c')
    .pod('pod-0001')
    .start('a', 'pod-0001')

describe('a hold', () => {
  test('is the limit for the hour, when another pod would pass it', () => {
    expect(hold(busy({ perHourMax: 400_000 }))).toEqual({ jobs: 2, limit: 'hourly', taken: 360_000, max: 400_000 })
    expect(hold(busy({ perHourMax: 720_000 }))).toBe(null)
  })

  test('is the money, when what is under way may need what is left', () => {
    expect(hold(busy({ costMax: 50_000 }))).toEqual({ jobs: 2, limit: 'cost', max: 50_000 })
    expect(hold(busy({ costMax: 50_000_000 }))).toBe(null)
  })

  test('is none for jobs that a pod is there or on its way for, nor without a place for another pod', () => {
    const told = busy({ perHourMax: 800_000 }).pod('pod-0002', 'booting')
    expect(hold(told)).toMatchObject({ jobs: 1, taken: 720_000 })
    expect(hold(told.tell({ type: 'job.cancelled', jobKey: `${RUN}/c` }))).toBe(null)
    expect(hold(busy({ perHourMax: 400_000, podsMax: 1 }))).toBe(null)
    expect(hold(story().run({ costMax: 1 }).jobs('a'))).toBe(null)
  })
})
