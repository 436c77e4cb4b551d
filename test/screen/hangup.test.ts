// A terminal that goes away while the dashboard is up.

import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { type DashboardOptions, openDashboard } from '../../src/tui/dashboard.ts'
import { busyWorld, factsOf, RUN } from './fleets.ts'

function options(runId: string | null): { options: DashboardOptions; input: PassThrough; written: () => string } {
  const world = busyWorld()
  const facts = factsOf(world)
  const input = new PassThrough()
  const output = Object.assign(new PassThrough(), { columns: 80, rows: 24, isTTY: true })
  let written = ''
  output.on('data', (chunk: Buffer) => {
    written += chunk
  })
  return {
    input,
    written: () => written,
    options: {
      source: {
        fleet: () => world.fleet,
        gauges: () => world.gauges,
        now: world.now,
        log: facts.log,
        find: facts.find,
        mark: facts.mark,
        preview: facts.preview,
        engineAlive: () => true,
      },
      send: () => {},
      save: async () => '',
      runId,
      limits: DEFAULT_LIMITS,
      every: () => () => {},
      input: input as unknown as NodeJS.ReadStream,
      output: output as unknown as NodeJS.WriteStream,
      ascii: false,
      colours: 256,
      readonly: false,
      refreshMs: 250,
      mouse: false,
      tmux: false,
      endWhenDone: false,
      report: () => null,
    },
  }
}

test('a terminal that goes away means: go on in the background', async () => {
  const { options: own, input } = options(RUN)
  const dashboard = openDashboard(own)
  input.destroy(new Error('read EIO'))
  expect(await dashboard.left).toBe('background')
})

test('the end of the input of a viewer is a plain leave', async () => {
  const { options: own, input } = options(null)
  const dashboard = openDashboard(own)
  input.end()
  expect(await dashboard.left).toBe('viewer')
})

test('closing twice restores once', async () => {
  const { options: own, written } = options(RUN)
  const dashboard = openDashboard(own)
  dashboard.close()
  dashboard.close()
  await new Promise<void>(resolve => setImmediate(resolve))
  expect(written().split('\x1b[?1049l')).toHaveLength(2)
})
