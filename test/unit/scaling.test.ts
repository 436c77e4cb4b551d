// How many pods: as many as jobs can use, never more than allowed.
import { describe, expect, test } from 'vitest'
import type { Run } from '../../src/domain/run.ts'
import { hourlyFull, orders, surplus } from '../../src/domain/scaling.ts'
import { keyOf, offerOf, RUN, type Story, specOf, story, worldOf } from './fleet-story.ts'

const ordered = (told: Story, offers = [offerOf()]) =>
  orders(told.fleet, told.now, worldOf(told, offers)).facts.flatMap(fact =>
    fact.type === 'pod.requested' ? [fact.podId] : [],
  )

describe('orders', () => {
  test('are as many as there are jobs, and at most what the run allows', () => {
    expect(ordered(story().run({ podsMax: 3 }).jobs('a', 'b'))).toEqual(['pod-0001', 'pod-0002'])
    expect(ordered(story().run({ podsMax: 2 }).jobs('a', 'b', 'c'))).toEqual(['pod-0001', 'pod-0002'])
  })

  test('count pods on their way, and pods on their way out that may still bill', () => {
    const told = story().run({ podsMax: 2 }).jobs('a', 'b', 'c').pod('pod-0001', 'booting').pod('pod-0002', 'booting')
    told.tell({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'x' })
    expect(ordered(told)).toEqual([])
    told.tell({ type: 'pod.gone', podId: 'pod-0001', billedUntil: told.now })
    expect(ordered(told)).toEqual(['pod-0003'])
  })

  test('are none for jobs that a booting pod will take', () => {
    expect(ordered(story().run().jobs('a').pod('pod-0001', 'booting'))).toEqual([])
  })

  test('are given for a job that no present pod fits', () => {
    const told = story()
      .run()
      .jobs(specOf('a', { vramGbMin: 80 }))
      .pod('pod-0001', 'ready', { vramGb: 24 })
    expect(ordered(told)).toEqual(['pod-0002'])
  })

  test('keep the limit for the hour', () => {
    const told = story().run({ podsMax: 5, perHourMax: 800_000 }).jobs('a', 'b', 'c', 'd')
    expect(ordered(told, [offerOf({ perHour: 360_000 })])).toHaveLength(2)
  })

  test('end a job at once, with the limit and the cheapest price, when each offer alone is above the limit for the hour', () => {
    const told = story().run({ podsMax: 5, perHourMax: 200_000 }).jobs('a')
    const offers = [offerOf({ perHour: 490_000 }), offerOf({ perHour: 360_000, stock: 'none', cloud: 'community' })]
    const fault = {
      kind: 'job',
      code: 'hourly_limit',
      message: 'no offer for any GPU keeps the limit of $0.20/h: the cheapest costs $0.36/h',
      hint: expect.stringContaining('--max-hourly'),
    }
    const { facts } = orders(told.fleet, told.now, worldOf(told, offers))
    expect(facts).toEqual([{ type: 'job.failed', jobKey: keyOf('a'), fault }])
  })

  test('wait while other pods of the run take what the limit for the hour leaves', () => {
    const told = story().run({ podsMax: 5, perHourMax: 400_000 }).jobs('a', 'b').pod('pod-0001').start('a', 'pod-0001')
    const offers = [offerOf({ perHour: 450_000 })]
    expect(orders(told.fleet, told.now, worldOf(told, offers))).toEqual({ facts: [], needs: [] })
    expect(hourlyFull(told.fleet, told.fleet.runs.get(RUN) as Run)).toEqual({ taken: 360_000, max: 400_000 })
    told.tell({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'x' })
    told.tell({ type: 'pod.gone', podId: 'pod-0001', billedUntil: told.now })
    expect(hourlyFull(told.fleet, told.fleet.runs.get(RUN) as Run)).toBe(null)
  })

  test('wait for stock below the limit for the hour, whatever dearer there is', () => {
    const told = story().run({ perHourMax: 400_000 }).jobs('a')
    const offers = [offerOf({ stock: 'none' }), offerOf({ perHour: 500_000, cloud: 'community' })]
    expect(orders(told.fleet, told.now, worldOf(told, offers)).facts).toEqual([])
  })

  test('ask for offers first when none are known or they are old', () => {
    const told = story().run().jobs('a')
    expect(orders(told.fleet, told.now, worldOf(told, null)).needs).toMatchObject([{ provider: 'cloud', gpuCount: 1 }])
    const world = worldOf(told)
    told.wait(31_000)
    expect(orders(told.fleet, told.now, world)).toMatchObject({ facts: [], needs: [{ provider: 'cloud' }] })
  })

  test('are none for a job in its backoff', () => {
    const told = story()
      .run()
      .jobs('a')
      .tell({ type: 'job.delayed', jobKey: keyOf('a'), dueAt: Date.UTC(2027, 0), why: 'x' })
    expect(ordered(told)).toEqual([])
  })

  test('carry the home and the run in the name the provider shows', () => {
    const told = story().run().jobs('a')
    expect(orders(told.fleet, told.now, worldOf(told)).facts).toMatchObject([
      { name: 'autopod-homehome-a1b2c3d4-0001' },
    ])
  })
})

describe('surplus', () => {
  const ids = (told: Story) => surplus(told.fleet, told.now, worldOf(told)).map(pod => pod.id)

  test('is what no waiting job will need, booting pods before ready ones', () => {
    expect(ids(story().run().jobs('a').pod('pod-0001', 'booting').pod('pod-0002'))).toEqual(['pod-0001'])
  })

  test('is nothing while a job only waits for its next try', () => {
    const told = story().run().jobs('a').pod('pod-0001')
    told.tell({ type: 'job.delayed', jobKey: keyOf('a'), dueAt: told.now + 60_000, why: 'x' })
    expect(ids(told)).toEqual([])
  })

  test('leaves ready pods alone when pods are to be kept', () => {
    expect(ids(story().run({ keep: true }).pod('pod-0001').pod('pod-0002', 'booting'))).toEqual(['pod-0002'])
  })
})
