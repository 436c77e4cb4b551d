// Which home a command speaks of that names no provider, where none is configured.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { parse } from '../../src/cli/args.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { homeToSee, openHome, rentingHome } from '../../src/cli/home.ts'
import { openStore } from '../../src/edge/store.ts'
import { RUN } from './fleet-story.ts'

let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'autopod-home-'))
  vi.stubEnv('AUTOPOD_HOME', base)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(base, { recursive: true })
})
const flagsOf = (...argv: string[]) => {
  const command = COMMANDS.find(one => one.name === 'status')
  if (!command) throw new Error('no command status')
  return parse(command, argv).flags
}
const seen = (...argv: string[]) => {
  const { dir, provider } = homeToSee(flagsOf(...argv))
  return [dir, provider]
}
/** Its journal is there, with something in it or nothing. */
function journal(dir: string, isEmpty = false): void {
  const store = openStore(dir)
  if (!isEmpty) store.append(() => [{ type: 'run.cancel_requested', runId: RUN }], 1)
  store.close()
}

test('it is the sandbox’s where only that has a history', () => {
  const sandbox = join(base, 'sandbox')
  expect(seen()).toEqual([base, null])
  expect(existsSync(join(base, 'journal.db'))).toBe(false)
  journal(sandbox, true)
  expect(seen()).toEqual([base, null])
  journal(sandbox)
  expect(seen()).toEqual([sandbox, 'sandbox'])
  // Somebody looked into the base home before: that leaves an empty journal.
  journal(base, true)
  expect(seen()).toEqual([sandbox, 'sandbox'])
  expect(seen('--provider', 'runpod')).toEqual([base, 'runpod'])
  expect(openHome(flagsOf()).provider).toBeNull()
  expect(() => rentingHome(flagsOf())).toThrow('no provider is configured')
  journal(base)
  expect(seen()).toEqual([base, null])
})
