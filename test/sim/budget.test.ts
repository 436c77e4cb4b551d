// Caps hold and are of use: a slice of `npm run sim:budget`, and what a cap is not to cost.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { mayBill } from '../../src/domain/pod.ts'
import { breachesOf, overshoot, tableOf } from './budget.ts'
import { offerOf } from './cloud.ts'
import { createWorld } from './world.ts'

const script = fileURLToPath(new URL('./budget.ts', import.meta.url))

// In processes of their own: what a test runner hangs onto every promise makes a world four times as slow.
test('no cap is passed by more than five cents a pod, whatever goes wrong', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--runs', '30']).catch(error => error)
  expect(stdout).toMatch(/^30 runs in \d+ s, 0 failures$/m)
  const [, , pods, jobs, done, cut] = (stdout.split('\n').find((line: string) => line.includes(' all ')) ?? '')
    .trim()
    .split(/ +/)
    .map(Number)
  expect(pods).toBeGreaterThan(100)
  expect(done).toBeGreaterThan(500)
  expect(done).toBeLessThan(jobs)
  expect(cut).toBeGreaterThan(5)
})

test('the table tells of a cap that was passed, by the bill or by our own account', () => {
  const outcome = {
    seed: 7,
    cap: 1000,
    need: 1,
    pods: 2,
    jobs: 3,
    done: 1,
    cut: 0,
    billed: 900,
    accounted: 1100,
    wrongs: [],
  }
  expect(overshoot(outcome)).toBe(100)
  expect(breachesOf(outcome)).toEqual([])
  expect(breachesOf({ ...outcome, billed: 101_001 })).toEqual(['seed 7: $0.11 over $0.0010 with 2 pods'])
  expect(breachesOf({ ...outcome, wrongs: ['x'] })).toEqual(['seed 7: x'])
  expect(
    tableOf([{ ...outcome, cap: 900_000, billed: 950_000 }])
      .split('\n')
      .at(-1),
  ).toMatch(/\$0\.0500 +\$0\.0250/)
})

/** Forty jobs of about five minutes on four pods at a dollar an hour: about $3.50 with boots and ends. */
const batch = (seed: number, costMax: number) => {
  const limits = { ...DEFAULT_LIMITS, listenMs: 2000 }
  const world = createWorld({ seed, jobs: 40, podsMax: 4, slowness: 5, policy: { costMax }, limits })
  world.cloud.market = [offerOf('A', 1_000_000)]
  world.jobMs = [240_000, 360_000]
  return world
}

test('a cap far above the need holds nothing back: as many pods as are allowed, from the first moment on', async () => {
  const world = batch(1, 20_000_000)
  let most = 0
  world.once(
    ({ type }) => type === 'attempt.requested',
    () => {
      most = [...world.fleet.pods.values()].filter(mayBill).length
      return []
    },
  )
  await world.play()
  expect(most).toBe(4)
  expect([...world.fleet.jobs.values()].every(({ status }) => status === 'completed')).toBe(true)
  expect(world.events.some(({ type }) => type === 'run.budget_step')).toBe(false)
  expect(world.wrongs).toEqual([])
})

test.each([1, 2, 3])('a cap for half of the jobs finishes about half of them, none in vain (seed %i)', async seed => {
  const world = await batch(seed, 1_750_000).play()
  const jobs = [...world.fleet.jobs.values()]
  const done = jobs.filter(({ status }) => status === 'completed').length
  expect(done).toBeGreaterThanOrEqual(16)
  expect(done).toBeLessThanOrEqual(20)
  expect(jobs.filter(({ attempts }) => attempts.length > 0)).toHaveLength(done)
  expect([...world.fleet.runs.values()][0]?.status).toBe('budget_reached')
  const steps = world.events.flatMap(event => (event.type === 'run.budget_step' ? [event.percent] : []))
  expect(steps).toEqual([50, 80, 90])
  expect(world.wrongs).toEqual([])
})
