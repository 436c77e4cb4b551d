// Finding what an event or an effect speaks of; what is not there is a bug.
import type { Fleet, ProviderState } from './fleet.ts'
import type { Job } from './job.ts'
import type { Pod } from './pod.ts'
import type { Run } from './run.ts'

export function providerOf(fleet: Fleet, name: string): ProviderState {
  let state = fleet.providers.get(name)
  if (!state) {
    state = { listingLostAt: null, listingFault: null, operator: null, balance: null }
    fleet.providers.set(name, state)
  }
  return state
}

export function runOf(fleet: Fleet, id: string): Run {
  const run = fleet.runs.get(id)
  if (!run) throw new Error(`bug: no run ${id}`)
  return run
}

export function jobOf(fleet: Fleet, key: string): Job {
  const job = fleet.jobs.get(key)
  if (!job) throw new Error(`bug: no job ${key}`)
  return job
}

export function podOf(fleet: Fleet, id: string): Pod {
  const pod = fleet.pods.get(id)
  if (!pod) throw new Error(`bug: no pod ${id}`)
  return pod
}

/** Assertions stay on in production: going on with a state that cannot be costs more than stopping. */
export function assert(holds: boolean, message: string): void {
  if (!holds) throw new Error(`bug: ${message}`)
}
