// How the tests run: real processes, sockets and files on two cores, so few workers and generous limits.
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What these change of their process, they put back. */
const PURE = ['test/unit/**/*.test.ts', 'test/sim/**/*.test.ts']

/**
 * Worlds keep the cores busy, contracts wait for links: both at a time, spread over each other. What is short comes last, for one of the
 * long ones that began last would leave a core idle for half a minute.
 */
class Mixed extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const of = (folder: string) => sorted.filter(({ moduleId }) => moduleId.includes(`/test/${folder}/`))
    const place = new Map(
      [of('e2e'), of('contract')].flatMap(long => long.map((file, index) => [file, index / long.length] as const)),
    )
    for (const [at, folder] of ['screen', 'sim'].entries()) for (const file of of(folder)) place.set(file, at + 1)
    return sorted.sort((a, b) => (place.get(a) ?? 3) - (place.get(b) ?? 3))
  }
}

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    sequence: { sequencer: Mixed },
    // Tests start servers, change the environment and end processes: a process of its own for each file.
    pool: 'forks',
    // Many wait for a process or a link to end: a third fills two cores.
    maxWorkers: 3,
    // Of a test that hangs, not of one that is slow on a busy machine.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'world',
          include: ['test/**/*.test.ts'],
          exclude: [...PURE, 'test/bench/**', 'test/guard/**', 'node_modules/**'],
        },
      },
      // A third of the time of these short tests was the start of their processes.
      { extends: true, test: { name: 'pure', include: PURE, isolate: false } },
    ],
  },
})
