// Complete listings as they come, and those who wait for the next one.
import type { Clock, PodRow } from '../ports.ts'

export type Sighting = {
  rows: ReadonlyMap<string, PodRow>
  /** When the request for it left. */
  askedAt: number
}

export type Sightings = {
  /** The next complete listing that is asked for from now on; null when `signal` aborts first. */
  next(provider: string, signal: AbortSignal): Promise<Sighting | null>
  tell(provider: string, sighting: Sighting): void
  /** Resolves as soon as somebody waits for a listing. */
  wanted(provider: string): Promise<void>
  /** A request whose answer was lost may make a pod until then: a complete listing that is asked for later is owed. */
  owe(provider: string, until: number): void
  isOwed(provider: string): boolean
}

export function createSightings(clock: Clock): Sightings {
  const waiting = new Map<string, Set<(sighting: Sighting) => void>>()
  const wishes = new Map<string, () => void>()
  const owed = new Map<string, number>()
  return {
    owe: (provider, until) => owed.set(provider, Math.max(until, owed.get(provider) ?? until)),
    isOwed: provider => owed.has(provider),
    wanted(provider) {
      if (waiting.get(provider)?.size) return Promise.resolve()
      return new Promise(resolve => wishes.set(provider, resolve))
    },
    next(provider, signal) {
      const from = clock.now()
      const { promise, resolve } = Promise.withResolvers<Sighting | null>()
      const set = waiting.get(provider) ?? new Set()
      waiting.set(provider, set)
      const take = (sighting: Sighting) => {
        // An answer that left the provider before the question was asked proves nothing about what came after.
        if (sighting.askedAt >= from) resolve(sighting)
      }
      const giveUp = () => resolve(null)
      set.add(take)
      wishes.get(provider)?.()
      wishes.delete(provider)
      if (signal.aborted) giveUp()
      else signal.addEventListener('abort', giveUp, { once: true })
      return promise.finally(() => {
        set.delete(take)
        signal.removeEventListener('abort', giveUp)
      })
    },
    tell(provider, sighting) {
      if (sighting.askedAt >= (owed.get(provider) ?? Number.POSITIVE_INFINITY)) owed.delete(provider)
      for (const take of [...(waiting.get(provider) ?? [])]) take(sighting)
    },
  }
}
