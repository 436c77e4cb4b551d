// Money that runs out is seen without looking for it: a word beside what was spent, and a line across the screen.
import { expect, test } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import type { Policy } from '../../src/domain/run.ts'
import { newModel } from '../../src/tui/model.ts'
import { bannersOf } from '../../src/tui/panels/banner.ts'
import { waitingFor } from '../../src/tui/panels/jobs.ts'
import { textOf } from '../../src/tui/screen.ts'
import { palette } from '../../src/tui/style.ts'
import { view } from '../../src/tui/view.ts'
import { busyWorld, factsOf, newWorld, POLICY, RUN, spec, type World } from './fleets.ts'

const header = (world: World) =>
  textOf(view(newModel(200, 24), factsOf(world), palette(0), false)).split('\n')[0] as string
const banners = (world: World) => bannersOf(factsOf(world), newModel(120, 24)).map(({ text }) => text)
const step = (world: World, percent: 50 | 80 | 90 | 100) =>
  world.add({ type: 'run.budget_step', runId: RUN, percent, spent: 1 })

test('from 80 % on the header and a banner say how much of the cap is spent', () => {
  const world = busyWorld()
  step(world, 50)
  expect(header(world)).not.toContain('%')
  expect(banners(world)).toEqual([])
  step(world, 80)
  expect(header(world)).toContain('of $10.00 (over 80 %)')
  expect(banners(world)).toEqual(['! 80 % of the money is spent'])
  step(world, 90)
  expect(header(world)).toContain('(over 90 %)')
  expect(banners(world)).toEqual(['! 90 % of the money is spent: nothing new starts'])
  step(world, 100)
  world.add({ type: 'run.limit_reached', runId: RUN, limit: 'cost' })
  expect(header(world)).toContain('(used up)')
  expect(banners(world)).toEqual(['✗ the limit of cost is reached: nothing new starts'])
})

test('a balance is shown as the time it lasts, and a low one stays on a narrow screen with what it means', () => {
  const world = busyWorld()
  // Three pods at $0.49.
  world.gauges.balance = { micro: 735_000, at: world.now() }
  world.add({ type: 'balance.fallen', provider: 'runpod', level: 'short', micro: 735_000, runwayMs: 1_800_000 })
  expect(header(world)).toMatch(/balance \d+ min/)
  expect(textOf(view(newModel(80, 24), factsOf(world), palette(0), false))).toMatch(/balance \d+ min/)
  expect(banners(world)).toEqual(['✗ runpod: the balance is low; nothing new starts · Add credit'])
})

test('a job that waits for money says which limit holds it back, until there is a pod for it', () => {
  const waits = (policy: Partial<Policy>, ...free: string[]) => {
    const world = newWorld([])
    world.add({ type: 'run.opened', runId: RUN, policy: { ...POLICY, ...policy }, follows: [] })
    for (const id of ['job-001', 'job-002']) world.add({ type: 'job.queued', runId: RUN, spec: spec(id) })
    world.podReady('pod-0001', 8188)
    world.startJob('job-001', 'pod-0001')
    for (const id of free) world.podReady(id, 8189)
    return waitingFor(world.fleet.jobs.get(`${RUN}/job-002`) as Job, factsOf(world))
  }
  expect(waits({ costMax: 100_000 })).toBe(
    'what is under way: it may leave too little of $0.10 for another pod (--max-cost)',
  )
  expect(waits({ costMax: null, perHourMax: 500_000 })).toBe('a pod to end: $0.49 of $0.50/h are taken (--max-hourly)')
  expect(waits({ costMax: 10_000_000 })).toBe('next free pod')
  expect(waits({ costMax: 10_000_000, perHourMax: 1_000_000 }, 'pod-0002')).toBe('next free pod')
})
