// An account that runs dry: told in time, nothing begun that cannot end, and no pod left when the provider would stop it.
import { expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { offerOf } from './cloud.ts'
import { createWorld, type World } from './world.ts'

/** Forty jobs on four pods at a dollar an hour: four dollars an hour together. */
function batch(seed: number, balance: number, jobMs: [number, number]): World {
  const limits = { ...DEFAULT_LIMITS, listenMs: 2000 }
  const world = createWorld({ seed, jobs: 40, podsMax: 4, slowness: 5, balance, limits })
  world.cloud.market = [offerOf('A', 1_000_000)]
  world.jobMs = jobMs
  return world
}

const levels = (world: World) => world.events.flatMap(event => (event.type === 'balance.fallen' ? [event.level] : []))
const count = (world: World, status: string) =>
  [...world.fleet.jobs.values()].filter(job => job.status === status).length
const cut = (world: World) => world.events.filter(({ type }) => type === 'attempt.failed').length
const runStatus = (world: World) => [...world.fleet.runs.values()][0]?.status

test.each([1, 2, 3])('what runs is finished, what waits asks for credit (seed %i)', async seed => {
  // Half an hour for four pods; the last quarter of it is for ending.
  const world = await batch(seed, 2_000_000, [240_000, 360_000]).play()
  expect(world.wrongs).toEqual([])
  expect(levels(world)).toEqual(['low', 'short'])
  expect(count(world, 'completed')).toBeGreaterThanOrEqual(12)
  expect(cut(world)).toBe(0)
  expect(runStatus(world)).toBe('needs_operator')
  expect([...world.fleet.jobs.values()].at(-1)?.fault).toMatchObject({
    code: 'balance_low',
    hint: expect.stringContaining('Add credit'),
  })
})

test('what takes longer than the balance lasts is cut before the provider does it', async () => {
  const world = await batch(1, 2_000_000, [3_000_000, 3_600_000]).play()
  expect(world.wrongs).toEqual([])
  expect(levels(world)).toEqual(['low', 'short', 'out'])
  expect(cut(world)).toBe(4)
  expect(runStatus(world)).toBe('needs_operator')
})

test('credit that is added in time lets the run go on', async () => {
  const world = batch(1, 2_000_000, [240_000, 360_000])
  world.once(
    event => event.type === 'balance.fallen' && event.level === 'short',
    () => {
      world.paidIn = 20_000_000
      return []
    },
  )
  await world.play()
  expect(world.wrongs).toEqual([])
  expect(world.events.filter(({ type }) => type === 'balance.restored')).toHaveLength(1)
  expect(count(world, 'completed')).toBe(40)
})

test('an account that lasts is no fact', async () => {
  const world = await batch(1, 50_000_000, [240_000, 360_000]).play()
  expect(world.events.some(({ type }) => type.startsWith('balance.'))).toBe(false)
  expect(count(world, 'completed')).toBe(40)
})
