// Virtual time and chance of a simulated world: nothing waits, everything happens in the order of its time, the same for each seed.
import type { Clock } from '../../src/ports.ts'

export type Chance = {
  /** 0 ≤ x < 1. */
  next(): number
  between(low: number, high: number): number
  happens(probability: number): boolean
  uuid(): string
}

/** mulberry32: 32 bits of state, enough for worlds and short enough to read. */
export function createChance(seed: number): Chance {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('')
  return {
    next,
    between: (low, high) => Math.floor(low + next() * (high - low)),
    happens: probability => next() < probability,
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
  }
}

type Timer = { at: number; order: number; ring(): void }

export type VirtualClock = Clock & {
  /** Everything that can happen now has happened; then the next sleeper wakes. False when nobody sleeps. */
  step(): Promise<boolean>
}

/** Starts at a date of the project's own time, so that times in failures can be read. */
export const BEGINNING = Date.UTC(2026, 10, 22)

export function createClock(chance: Chance): VirtualClock {
  const timers = new Set<Timer>()
  let now = BEGINNING
  let order = 0
  return {
    now: () => now,
    uuid: () => chance.uuid(),
    sleep(ms, signal) {
      const { promise, resolve } = Promise.withResolvers<void>()
      if (signal?.aborted) return Promise.resolve()
      const timer: Timer = {
        at: now + Math.max(0, ms),
        order: order++,
        ring() {
          timers.delete(timer)
          signal?.removeEventListener('abort', timer.ring)
          resolve()
        },
      }
      timers.add(timer)
      signal?.addEventListener('abort', timer.ring, { once: true })
      return promise
    },
    async step() {
      // Node runs all microtasks before this: the world is idle afterwards.
      await new Promise(resolve => setImmediate(resolve))
      let first: Timer | null = null
      for (const timer of timers)
        if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer
      if (!first) return false
      now = Math.max(now, first.at)
      first.ring()
      return true
    },
  }
}
