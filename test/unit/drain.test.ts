// The last money of a run, and what begins while there is some: who gets it, and who has to go.
import { describe, expect, test } from 'vitest'
import { drain } from '../../src/domain/budget.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { plan } from '../../src/domain/plan.ts'
import { keyOf, RUN, type Story, specOf, story, worldOf } from './fleet-story.ts'

const MINUTE = 60_000
/** A cent a minute: what a pod costs in these stories is its age in minutes. */
const CENT = 10_000
const perHour = 60 * CENT
const END = (DEFAULT_LIMITS.teardownMs / MINUTE) * CENT

const asked = (told: Story) => drain(told.fleet, told.now, worldOf(told))
const released = (told: Story) => asked(told).flatMap(fact => ('podId' in fact ? [fact.podId] : []))
const begun = (told: Story, types: string[]) =>
  plan(told.fleet, told.now, worldOf(told)).facts.filter(fact => types.includes(fact.type))

/** A job of the template took `minutes`; its pod is gone. */
function learned(told: Story, minutes: number): Story {
  told
    .jobs('first')
    .pod('pod-0001', 'ready', { perHour })
    .start('first', 'pod-0001')
    .wait(minutes * MINUTE)
  told.tell({ type: 'attempt.succeeded', jobKey: keyOf('first'), attempt: 1 })
  told.tell({ type: 'job.completed', jobKey: keyOf('first'), published: [] })
  told.tell({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'x' })
  return told.tell({ type: 'pod.gone', podId: 'pod-0001', billedUntil: told.now })
}

/** `old` has been at work for eight of its ten minutes, `young` for one. */
function twoAtWork(leftAfterEnds: number): Story {
  const spent = 10 * CENT + 8 * CENT + 1 * CENT
  const told = learned(story().run({ costMax: spent + 2 * END + leftAfterEnds }), 10).jobs('old', 'young')
  told
    .pod('pod-0002', 'ready', { perHour })
    .start('old', 'pod-0002')
    .wait(7 * MINUTE)
  return told.pod('pod-0003', 'ready', { perHour }).start('young', 'pod-0003').wait(MINUTE)
}

describe('the last money', () => {
  test('is not touched while it pays for everything under way', () => {
    expect(asked(twoAtWork(12 * CENT))).toEqual([])
  })

  test('is shared for as long as it takes nothing from what is nearest to its end', () => {
    expect(asked(twoAtWork(3 * CENT))).toEqual([])
  })

  test('goes to what is nearest to its end', () => {
    const told = twoAtWork(2 * CENT)
    expect(asked(told)).toMatchObject([
      { type: 'run.budget_step', runId: RUN, percent: 100 },
      { type: 'run.limit_reached', runId: RUN, limit: 'cost' },
      { type: 'attempt.failed', jobKey: keyOf('young'), fault: { code: 'budget_reached' } },
      { type: 'pod.release_requested', podId: 'pod-0003' },
    ])
    told.tell(...asked(told))
    expect(asked(told)).toEqual([])
  })

  test('is not spent on a pod without a job', () => {
    const told = twoAtWork(END + 2 * CENT).pod('pod-0004', 'booting', { perHour })
    expect(released(told)).toEqual(['pod-0004', 'pod-0003'])
  })

  test('pays for the end of every pod', () => {
    expect(released(twoAtWork(0))).toEqual(['pod-0002', 'pod-0003'])
  })
})

describe('what begins', () => {
  const orders = (told: Story) => begun(told, ['pod.requested', 'run.limit_reached', 'job.failed'])
  // Boot 3 min, an open order 1.5 min, the end 2 min.
  const BARE = 6.5 * CENT

  test('is one pod while nothing is known of the jobs and the money does not pay for guesses', () => {
    expect(
      orders(
        story()
          .run({ costMax: 9 * CENT })
          .jobs('a', 'b', 'c'),
      ),
    ).toHaveLength(1)
  })

  test('is nothing, and the run says so, when the money does not pay for a pod and its end', () => {
    expect(
      orders(
        story()
          .run({ costMax: 5 * CENT * 0.6 })
          .jobs('a'),
      ),
    ).toMatchObject([{ type: 'run.limit_reached', limit: 'cost' }])
  })

  test('is as much as the money pays for, by what such jobs took', () => {
    const one = 0.6 * (10 * CENT + BARE) * 1.1
    const told = learned(story().run({ podsMax: 5, costMax: 10 * CENT + Math.ceil(2.2 * one) }), 10).jobs('a', 'b', 'c')
    expect(orders(told)).toMatchObject([{ type: 'pod.requested' }, { type: 'pod.requested' }])
  })

  test('is no job on a pod whose end its own cap does not pay for, and no pod for it', () => {
    const told = story()
      .run()
      .jobs(specOf('a', { costMax: CENT }))
    expect(orders(told)).toMatchObject([{ type: 'job.failed', jobKey: keyOf('a'), fault: { code: 'budget_reached' } }])
  })

  test('is nothing for a free pod when the money is needed elsewhere: the pod goes', () => {
    const told = learned(story().run({ costMax: 10 * CENT + 2 * END + 15 * CENT }), 10).jobs('a', 'b')
    told.pod('pod-0002', 'ready', { perHour }).start('a', 'pod-0002').pod('pod-0003', 'ready', { perHour })
    expect(begun(told, ['attempt.requested', 'pod.release_requested'])).toMatchObject([
      { type: 'pod.release_requested', podId: 'pod-0003' },
    ])
  })
})
