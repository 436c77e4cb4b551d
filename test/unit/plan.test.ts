// What is decided: one situation each, and the facts that must follow, to the letter.
import { describe, expect, test } from 'vitest'
import type { Fact } from '../../src/domain/event.ts'
import { plan } from '../../src/domain/plan.ts'
import { keyOf, offerOf, RUN, type Story, story, worldOf } from './fleet-story.ts'

const decide = (told: Story) => plan(told.fleet, told.now, worldOf(told))
const facts = (told: Story) => decide(told).facts
const types = (told: Story) => facts(told).map(fact => fact.type)
/** Decides and folds until nothing more is decided. */
function settle(told: Story): Fact[] {
  const all: Fact[] = []
  for (let round = 0; round < 50; round++) {
    const next = facts(told)
    if (next.length === 0) return all
    told.tell(...next.map(fact => (fact.type === 'attempt.requested' ? { ...fact, promptId: 'p' } : fact)))
    all.push(...next)
  }
  throw new Error('the plan does not come to rest')
}

test('nothing is decided where nothing is to be done', () => {
  expect(decide(story())).toEqual({ facts: [], needs: [] })
})

describe('assignment', () => {
  test('gives waiting jobs, oldest first, to ready pods without one', () => {
    const told = story().run().jobs('a', 'b', 'c').pod('pod-0001').pod('pod-0002')
    expect(facts(told)).toEqual([
      { type: 'attempt.requested', jobKey: keyOf('a'), attempt: 1, podId: 'pod-0001', promptId: '' },
      { type: 'attempt.requested', jobKey: keyOf('b'), attempt: 1, podId: 'pod-0002', promptId: '' },
    ])
  })

  test('waits for a pod whose link is away', () => {
    const told = story().run({ podsMax: 1 }).jobs('a').pod('pod-0001')
    told.tell({ type: 'pod.link_lost', podId: 'pod-0001', fault: { kind: 'pod', code: 'x', message: 'x' } })
    expect(facts(told)).toEqual([])
  })

  test('gives nothing to a pod that drains, and lets it go', () => {
    const told = story().run({ podsMax: 1 }).jobs('a').pod('pod-0001')
    told.tell({ type: 'pod.drain_requested', podId: 'pod-0001' })
    expect(facts(told)).toEqual([{ type: 'pod.release_requested', podId: 'pod-0001', cause: 'drained' }])
  })

  test('waits until a job is due', () => {
    const told = story().run({ podsMax: 1 }).jobs('a').pod('pod-0001').start('a', 'pod-0001').fail('a', 'transient')
    expect(types(told)).toEqual(['job.delayed'])
    settle(told)
    expect(facts(told)).toEqual([])
    told.wait(60_000)
    expect(types(told)).toEqual(['attempt.requested'])
  })
})

describe('a pod that ends under a job', () => {
  test('fails the attempt with the reason the pod broke for, then is released, and the job goes elsewhere', () => {
    const told = story().run({ podsMax: 2 }).jobs('a').pod('pod-0001').start('a', 'pod-0001')
    told.tell({ type: 'pod.broken', podId: 'pod-0001', fault: { kind: 'pod', code: 'oom', message: 'out of memory' } })
    expect(settle(told)).toEqual([])
    told.tell({ type: 'pod.farewell_read', podId: 'pod-0001', reason: null, adopted: false })
    const all = settle(told)
    expect(all.map(fact => fact.type)).toEqual(['attempt.failed', 'pod.release_requested', 'pod.requested'])
    expect(all[0]).toMatchObject({ fault: { code: 'oom' } })
  })

  test('is a cancelled attempt when the job was to be cancelled anyway', () => {
    const told = story().run().jobs('a').pod('pod-0001').start('a', 'pod-0001')
    told.tell({ type: 'job.cancel_requested', jobKey: keyOf('a') })
    told.tell({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'killed' })
    expect(settle(told).map(fact => fact.type)).toEqual(['attempt.cancelled', 'job.cancelled'])
  })
})

describe('a job that is cancelled', () => {
  test('ends at once while it waits', () => {
    const told = story()
      .run()
      .jobs('a', 'b')
      .tell({ type: 'job.cancel_requested', jobKey: keyOf('a') })
    expect(facts(told)).toEqual([{ type: 'job.cancelled', jobKey: keyOf('a') }])
  })

  test('keeps running until its pod has stopped it', () => {
    const told = story().run().jobs('a').pod('pod-0001').start('a', 'pod-0001')
    told.tell({ type: 'job.cancel_requested', jobKey: keyOf('a') })
    expect(facts(told)).toEqual([])
  })
})

describe('a run', () => {
  test('that is cancelled ends its attempts, its jobs and its pods', () => {
    const told = story()
      .run({ podsMax: 2 })
      .jobs('a', 'b')
      .pod('pod-0001')
      .pod('pod-0002', 'booting')
      .start('a', 'pod-0001')
    told.tell({ type: 'run.cancel_requested', runId: RUN })
    settle(told)
    expect([...told.fleet.jobs.values()].map(job => job.status)).toEqual(['cancelled', 'cancelled'])
    expect([...told.fleet.pods.values()].map(pod => pod.status)).toEqual(['releasing', 'releasing'])
  })

  test('that drains finishes what runs', () => {
    const told = story().run().jobs('a', 'b').pod('pod-0001').start('a', 'pod-0001')
    told.tell({ type: 'run.drain_requested', runId: RUN })
    settle(told)
    expect([...told.fleet.jobs.values()].map(job => job.status)).toEqual(['running', 'cancelled'])
    expect(told.fleet.pods.get('pod-0001')?.status).toBe('ready')
  })

  test('is closed only when no pod of it can be billed any more', () => {
    const told = story().run().jobs('a').pod('pod-0001').start('a', 'pod-0001')
    told.tell({ type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 1 })
    told.tell({ type: 'job.completed', jobKey: keyOf('a'), published: [] })
    expect(settle(told).map(fact => fact.type)).toEqual(['pod.release_requested'])
    told.tell({ type: 'pod.gone', podId: 'pod-0001', billedUntil: told.now })
    expect(facts(told)).toEqual([{ type: 'run.closed', runId: RUN, status: 'completed' }])
  })

  test('with keep is closed while its pod stays', () => {
    const told = story().run({ keep: true }).jobs('a').pod('pod-0001').start('a', 'pod-0001')
    told.tell({ type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 1 })
    told.tell({ type: 'job.completed', jobKey: keyOf('a'), published: [] })
    expect(settle(told).map(fact => fact.type)).toEqual(['run.closed'])
    expect(told.fleet.pods.get('pod-0001')?.status).toBe('ready')
  })

  test('gives a pod back after its job when pods are not used again', () => {
    const told = story().run({ reuse: false, podsMax: 1 }).jobs('a', 'b').pod('pod-0001').start('a', 'pod-0001')
    told.tell({ type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 1 })
    expect(facts(told)).toEqual([{ type: 'pod.release_requested', podId: 'pod-0001', cause: 'its job is done' }])
  })

  test('without capacity for a quarter of an hour fails its jobs with the last refusal', () => {
    const told = story().run().jobs('a').pod('pod-0001', 'requested')
    told.tell({
      type: 'pod.refused',
      podId: 'pod-0001',
      fault: { kind: 'capacity', code: 'sold_out', message: 'no A40 left' },
    })
    told.wait(15 * 60_000)
    expect(settle(told)).toMatchObject([
      { type: 'job.failed', fault: { kind: 'capacity', code: 'no_capacity', message: 'no A40 left' } },
      { type: 'run.closed', status: 'failed' },
    ])
  })

  test('that can pay no offer an hour reached its limit; one that only lacks stock below it is told of both prices', () => {
    const offers = [offerOf({ perHour: 500_000 })]
    const poor = story().run({ perHourMax: 400_000 }).jobs('a')
    const world = worldOf(poor, offers)
    const { facts: ended } = plan(poor.fleet, poor.now, world)
    poor.tell(...ended)
    expect(plan(poor.fleet, poor.now, world).facts).toMatchObject([{ type: 'run.closed', status: 'budget_reached' }])

    const short = story()
      .run({ perHourMax: 400_000 })
      .jobs('a')
      .wait(15 * 60_000)
    const sold = worldOf(short, [...offers, offerOf({ stock: 'none' })])
    expect(plan(short.fleet, short.now, sold).facts).toMatchObject([
      {
        type: 'job.failed',
        fault: {
          code: 'no_capacity',
          message: 'no offer for any GPU below $0.40/h; the cheapest in stock costs $0.50/h',
          hint: expect.stringContaining('--max-hourly'),
        },
      },
    ])
  })

  test('whose provider needs a person starts nothing new and says so', () => {
    const told = story().run().jobs('a')
    told.tell({
      type: 'operator.needed',
      provider: 'cloud',
      fault: { kind: 'operator', code: 'no_money', message: 'x' },
    })
    expect(settle(told)).toMatchObject([
      { type: 'job.failed', fault: { code: 'no_money' } },
      { type: 'run.closed', status: 'needs_operator' },
    ])
  })

  test('whose provider needs a person does not keep idle pods on the meter', () => {
    const told = story().run({ podsMax: 1 }).jobs('a').pod('pod-0001')
    told.tell({
      type: 'operator.needed',
      provider: 'cloud',
      fault: { kind: 'operator', code: 'no_money', message: 'x' },
    })
    expect(settle(told).map(fact => fact.type)).toContain('pod.release_requested')
  })
})
