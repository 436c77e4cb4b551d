// Worlds by the dozen, for tests that say what must come of each.
import { expect } from 'vitest'
import { createWorld, RUN, type World, type WorldOptions } from './world.ts'

const seeds = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
export const statuses = (world: World) => [...world.fleet.jobs.values()].map(job => job.status)
export const pods = (world: World) => [...world.fleet.pods.values()]
export const runStatus = (world: World) => [...world.fleet.runs.values()][0]?.status
export const jobNamed = (world: World, jobId: string) => world.fleet.jobs.get(`${RUN}/${jobId}`)
/** Of the six jobs that a world has as a rule. */
export const ALL_DONE = Array(6).fill('completed')

/** Plays `count` worlds; what went wrong in any of them comes back with its seed, all of it in one failure. */
export async function play(
  count: number,
  options: (seed: number) => Omit<WorldOptions, 'seed'>,
  more: { arrange?: (world: World) => void; expects?: (world: World) => void } = {},
): Promise<World[]> {
  const worlds: World[] = []
  const wrongs: string[] = []
  for (const seed of seeds(count)) {
    const world = createWorld({ seed, ...options(seed) })
    more.arrange?.(world)
    await world.play()
    worlds.push(world)
    for (const wrong of world.wrongs) wrongs.push(`seed ${seed}: ${wrong}`)
    try {
      more.expects?.(world)
    } catch (error) {
      wrongs.push(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  expect(wrongs.slice(0, 12).join('\n')).toBe('')
  return worlds
}
