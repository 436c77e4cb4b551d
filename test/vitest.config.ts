// How the tests run: real processes, sockets and files on two cores, so few workers and generous limits.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/bench/**', 'test/guard/**', 'node_modules/**'],
    // Tests start servers, change the environment and end processes: a process of its own for each file.
    pool: 'forks',
    // Many wait for a process or a link to end: a third fills two cores.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
