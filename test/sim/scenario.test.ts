// Whole stories from seeds alone, every fault at once. `npm run sim` plays many more; a failure here is replayed by
// `npm run sim -- --seeds 1 --seed N --verbose`.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { KEPT_SEEDS } from './kept-seeds.ts'
import { createScenario } from './scenario.ts'

const script = fileURLToPath(new URL('sim.ts', import.meta.url))

// In processes of their own: the test runner's bookkeeping of promises makes a world four times as slow.
test('500 worlds keep every promise of the house', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--seeds', '500']).catch(error => error)
  expect(stdout).toMatch(/^500 seeds [^\n]* 0 failures$/m)
  const [, events, crashes] = /(\d+) events, (\d+) crashes/.exec(stdout) ?? []
  expect(Number(events)).toBeGreaterThan(20_000)
  expect(Number(crashes)).toBeGreaterThan(500)
})

test.each(KEPT_SEEDS)('seed $seed still holds: $found', async ({ seed }) => {
  const world = await createScenario(seed).play()
  expect(world.wrongs).toEqual([])
})

test('a seed tells the same story every time', async () => {
  const [one, other] = await Promise.all([createScenario(11).play(), createScenario(11).play()])
  expect(one?.events.length).toBeGreaterThan(20)
  expect(JSON.stringify(other?.events)).toBe(JSON.stringify(one?.events))
})
