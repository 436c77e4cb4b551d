// The lease on pods waits for leases to run out: a minute of doing nothing, kept apart so that the suite stays under three.
import { defineConfig } from 'vitest/config'
import shared from '../vitest.config.ts'

const { root, test: { projects: _, ...test } = {} } = shared

export default defineConfig({
  root,
  test: { ...test, include: ['test/guard/**/*.test.ts'], exclude: ['node_modules/**'] },
})
