// How the tests run: real processes, sockets and files on two cores, so few workers and generous limits.
import { defineConfig } from 'vitest/config'

/** What these change of their process, they put back. */
const PURE = ['test/unit/**/*.test.ts', 'test/sim/**/*.test.ts']

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    // Tests start servers, change the environment and end processes: a process of its own for each file.
    pool: 'forks',
    // Most wait for a process or a link to end: four keep two cores busy.
    maxWorkers: 4,
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
