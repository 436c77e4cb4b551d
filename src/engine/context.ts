// What every effect is handed: the edges, and the only ways to tell something.
import type { Terms } from '../domain/lease.ts'
import type { Limits } from '../domain/limits.ts'
import type { Boot, Clock, Courier, Dialer, Executor, Guard, Provider, Sampler, Store, Trace } from '../ports.ts'
import type { GaugeBoard } from './gauges.ts'
import type { Journal } from './journal.ts'
import type { Lanes } from './lanes.ts'
import type { Sightings } from './sightings.ts'
import type { Slots } from './slots.ts'

export type EngineOptions = {
  store: Store
  clock: Clock
  providers: ReadonlyMap<string, Provider>
  dialer: Dialer
  executor: Executor
  courier: Courier
  sampler: Sampler
  trace: Trace
  /** What a pod is ordered with, its lease included. */
  boot: (podName: string, terms: Terms) => Promise<Boot>
  guard: Guard
  limits: Limits
  /** First eight characters of the home's owner token. */
  home8: string
  version: string
  pid: number
  /** The first local port of a tunnel, e.g. 8188. */
  firstPort: number
}

export type Context = EngineOptions & {
  journal: Journal
  lanes: Lanes
  slots: Slots
  sightings: Sightings
  gauges: GaugeBoard
  /** Anything the journal left open before this is a question of an earlier engine. */
  startedAt: number
}

export function providerNamed(context: Context, name: string): Provider {
  const provider = context.providers.get(name)
  if (!provider) throw new Error(`bug: no provider ${name}`)
  return provider
}
