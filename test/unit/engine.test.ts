// An engine with nothing to do: what it leaves behind.
import { expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import type { EngineOptions } from '../../src/engine/context.ts'
import { startEngine } from '../../src/engine/engine.ts'
import { createSharedJournal } from '../sim/journal.ts'

test('a command that wakes it leaves no timer behind', async () => {
  let sleeping = 0
  const clock: EngineOptions['clock'] = {
    now: () => 0,
    uuid: () => 'id',
    sleep(_ms, signal) {
      if (signal?.aborted) return Promise.resolve()
      sleeping++
      return new Promise(resolve =>
        signal?.addEventListener('abort', () => {
          sleeping--
          resolve()
        }),
      )
    },
  }
  const engine = startEngine({
    store: createSharedJournal().open(() => null),
    clock,
    providers: new Map(),
    guard: { sweep: async () => {} } as unknown as EngineOptions['guard'],
    trace: { pod() {}, cursor: () => null, engine() {}, preview() {} },
    limits: DEFAULT_LIMITS,
    home8: 'aaaaaaaa',
    version: '0',
    pid: 1,
    firstPort: 8188,
    // Without a pod nothing else is asked.
  } as unknown as EngineOptions)
  await engine.idle
  for (let nth = 0; nth < 20; nth++) {
    engine.command([{ type: 'listing.found', provider: 'sim' }])
    await new Promise(setImmediate)
  }
  expect(sleeping).toBe(1)
  await engine.stop()
  expect(sleeping).toBe(0)
})
