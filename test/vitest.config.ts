// How the tests run: real processes, sockets and files on two cores, so few workers and generous limits.
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What these change of their process, they put back. */
const PURE = ['test/unit/**/*.test.ts', 'test/sim/**/*.test.ts']

/** Whole worlds first: one of them that begins last would leave a core idle for half a minute. */
const ORDER = ['/e2e/', '/contract/', '/screen/', '/sim/', '/']

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => ORDER.findIndex(folder => moduleId.includes(`/test${folder}`))
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    sequence: { sequencer: LongFirst },
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
