// The one fold: everything known is `apply` over the journal, in order. An impossible event throws: that is a bug, never a state.
import type { BalanceLevel } from './account.ts'
import type { Event } from './event.ts'
import type { FaultData } from './fault.ts'
import { applyToJob } from './fold-job.ts'
import { applyToPod } from './fold-pod.ts'
import type { Host } from './hosts.ts'
import type { Job } from './job.ts'
import { assert, providerOf, runOf } from './lookup.ts'
import type { Took } from './pace.ts'
import type { Pod } from './pod.ts'
import type { Run } from './run.ts'
import type { Micro, Millis } from './units.ts'

export type ProviderState = {
  /** Since when no complete listing was had; null = the last one was complete. */
  listingLostAt: Millis | null
  listingFault: FaultData | null
  /** Nothing new is started while this stands. */
  operator: FaultData | null
  /** It is low, and what it was when that was noticed; null = nothing is known against it. */
  balance: { level: BalanceLevel; micro: Micro } | null
}

export type Fleet = {
  seq: number
  /** Time of the last event. */
  at: Millis
  /** The engine that last started and did not say goodbye; whether it lives is the lease's business. */
  engine: { id: string; pid: number; startedAt: Millis } | null
  runs: Map<string, Run>
  jobs: Map<string, Job>
  pods: Map<string, Pod>
  providers: Map<string, ProviderState>
  /** `provider/hostId` → machines that failed, and when last. */
  hosts: Map<string, Host>
  /** What jobs, boots and releases took; `pace` tells. */
  took: Took
  /** The last events, oldest first, at most `RECENT_MAX`: what the events panel and the detail pane tell. */
  recent: Event[]
}

/** Enough for the night's story of a busy fleet on screen; older ones stay in the journal. */
export const RECENT_MAX = 1000

export function emptyFleet(): Fleet {
  return {
    seq: 0,
    at: 0,
    engine: null,
    runs: new Map(),
    jobs: new Map(),
    pods: new Map(),
    providers: new Map(),
    hosts: new Map(),
    took: new Map(),
    recent: [],
  }
}

/** Folds `event` into `fleet`, in place. Deterministic: ids, times and chance come inside the event. */
export function apply(fleet: Fleet, told: Event): void {
  assert(told.seq === fleet.seq + 1, `event ${told.seq} after ${fleet.seq}`)
  // Writers have clocks that people set, but what comes later in the journal happened later: no meter runs backwards.
  const event = told.at < fleet.at ? { ...told, at: fleet.at } : told
  fleet.seq = event.seq
  fleet.at = event.at
  fleet.recent.push(event)
  if (fleet.recent.length > RECENT_MAX * 1.25) fleet.recent.splice(0, fleet.recent.length - RECENT_MAX)
  switch (event.type.slice(0, event.type.indexOf('.'))) {
    case 'engine':
    case 'listing':
    case 'operator':
    case 'balance':
      applyToEngine(fleet, event)
      return
    case 'run':
      applyToRun(fleet, event)
      return
    case 'pod':
      applyToPod(fleet, event)
      return
    default:
      applyToJob(fleet, event)
  }
}

function applyToEngine(fleet: Fleet, event: Event): void {
  switch (event.type) {
    case 'engine.started':
      fleet.engine = { id: event.engineId, pid: event.pid, startedAt: event.at }
      return
    case 'engine.stopped':
      if (fleet.engine?.id === event.engineId) fleet.engine = null
      return
    case 'listing.lost':
      Object.assign(providerOf(fleet, event.provider), { listingLostAt: event.at, listingFault: event.fault })
      return
    case 'listing.found':
      Object.assign(providerOf(fleet, event.provider), { listingLostAt: null, listingFault: null })
      return
    case 'operator.needed':
      providerOf(fleet, event.provider).operator = event.fault
      return
    case 'operator.cleared':
      Object.assign(providerOf(fleet, event.provider), { operator: null, balance: null })
      return
    case 'balance.fallen':
      providerOf(fleet, event.provider).balance = { level: event.level, micro: event.micro }
      return
    case 'balance.restored':
      providerOf(fleet, event.provider).balance = null
      return
    default:
      throw new Error(`bug: ${event.type} is no event of the engine`)
  }
}

function applyToRun(fleet: Fleet, event: Event): void {
  if (event.type === 'run.opened') {
    assert(!fleet.runs.has(event.runId), `run ${event.runId} opened twice`)
    fleet.runs.set(event.runId, {
      id: event.runId,
      policy: event.policy,
      status: 'running',
      openedAt: event.at,
      timedFrom: event.at,
      closedAt: null,
      follows: event.follows,
      draining: false,
      cancelRequested: false,
      budgetStep: 0,
      limitReached: null,
    })
    // Whoever starts again may have paid in: it is looked at anew.
    const provider = fleet.providers.get(event.policy.provider)
    if (provider) provider.balance = null
    return
  }
  switch (event.type) {
    case 'run.drain_requested':
      runOf(fleet, event.runId).draining = true
      return
    case 'run.cancel_requested':
      runOf(fleet, event.runId).cancelRequested = true
      return
    case 'run.budget_step':
      runOf(fleet, event.runId).budgetStep = event.percent
      return
    case 'run.limit_reached':
      runOf(fleet, event.runId).limitReached = event.limit
      return
    case 'run.closed':
      Object.assign(runOf(fleet, event.runId), { status: event.status, closedAt: event.at })
      return
    default:
      throw new Error(`bug: ${event.type} is no event of a run`)
  }
}
