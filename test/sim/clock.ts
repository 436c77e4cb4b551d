// Virtual time and chance of a simulated world: nothing waits, everything happens in the order of its time, the same for each seed.
import type { Clock } from '../../src/ports.ts'

export type Chance = {
  /** 0 ≤ x < 1. */
  next(): number
  between(low: number, high: number): number
  happens(probability: number): boolean
  pick<T>(items: readonly T[]): T
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
  const hex = (digits: number) =>
    Math.floor(next() * 16 ** digits)
      .toString(16)
      .padStart(digits, '0')
  return {
    next,
    between: (low, high) => Math.floor(low + next() * (high - low)),
    // Weather that is off draws nothing: most of it is, in most worlds.
    happens: probability => probability > 0 && next() < probability,
    pick: items => items[Math.floor(next() * items.length)] as (typeof items)[number],
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(6)}${hex(6)}`,
  }
}

/** `ring` is null once it woke. */
type Timer = { at: number; order: number; ring: (() => void) | null }

export type VirtualClock = Clock & {
  /** Like `sleep`, ended early by either of two signals: much cheaper than a signal made of them. */
  sleepUnless(ms: number, one?: AbortSignal, other?: AbortSignal): Promise<void>
  /** Everything that can happen now has happened; then, unless it is `over`, the next sleeper wakes. False when nobody sleeps. */
  step(over?: () => boolean): Promise<boolean>
  /** Time passes and no sleeper is woken before it is over: the machine was asleep. */
  skip(ms: number): void
}

/** Starts at a date of the project's own time, so that times in failures can be read. */
export const BEGINNING = Date.UTC(2026, 10, 22)

export function createClock(chance: Chance): VirtualClock {
  const heap: Timer[] = []
  let now = BEGINNING
  let order = 0
  /** Who sleeps until a signal: one listener for all of them, for listeners are dear and most sleepers wake by themselves. */
  const sleepers = new WeakMap<AbortSignal, Set<() => void>>()
  const sleepersOf = (signal: AbortSignal): Set<() => void> => {
    const known = sleepers.get(signal)
    if (known) return known
    const rings = new Set<() => void>()
    sleepers.set(signal, rings)
    signal.addEventListener('abort', () => rings.forEach(ring => void ring()), { once: true })
    return rings
  }
  const sleepUnless = (ms: number, one?: AbortSignal, other?: AbortSignal): Promise<void> => {
    if (one?.aborted || other?.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const rings = one && sleepersOf(one)
      const others = other && sleepersOf(other)
      const ring = () => {
        timer.ring = null
        rings?.delete(ring)
        others?.delete(ring)
        resolve()
      }
      const timer: Timer = { at: now + Math.max(0, ms), order: order++, ring }
      push(heap, timer)
      rings?.add(ring)
      others?.add(ring)
    })
  }
  return {
    now: () => now,
    uuid: () => chance.uuid(),
    sleep: (ms, signal) => sleepUnless(ms, signal),
    sleepUnless,
    skip(ms) {
      now += ms
    },
    async step(over) {
      // Node runs it after all microtasks: the world is idle then. Much cheaper than a round of the event loop.
      await new Promise<void>(resolve => process.nextTick(resolve))
      if (over?.()) return true
      for (;;) {
        const first = pop(heap)
        if (!first) return false
        // Woken early by its signal.
        if (!first.ring) continue
        now = Math.max(now, first.at)
        first.ring()
        return true
      }
    },
  }
}

/** A binary heap by time, then by order of going to sleep. */
function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function push(heap: Timer[], timer: Timer): void {
  let at = heap.push(timer) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!before(timer, heap[parent] as Timer)) break
    heap[at] = heap[parent] as Timer
    at = parent
  }
  heap[at] = timer
}

function pop(heap: Timer[]): Timer | null {
  const first = heap[0]
  const last = heap.pop()
  if (!first || !last) return null
  if (heap.length === 0) return first
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1] as Timer, heap[child] as Timer)) child++
    if (!before(heap[child] as Timer, last)) break
    heap[at] = heap[child] as Timer
    at = child
  }
  heap[at] = last
  return first
}
