// The one fold: everything known is `apply` over the journal, in order. An impossible event throws: that is a bug, never a state.
import type { Event } from './event.ts'
import type { FaultData } from './fault.ts'
import { type Attempt, isSettled, type Job, jobKey } from './job.ts'
import { mayBill, type Pod } from './pod.ts'
import type { Run } from './run.ts'
import type { Micro, Millis } from './units.ts'

export type ProviderState = {
  /** Since when no complete listing was had; null = the last one was complete. */
  listingLostAt: Millis | null
  listingFault: FaultData | null
  /** Nothing new is started while this stands. */
  operator: FaultData | null
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
    recent: [],
  }
}

/** Folds `event` into `fleet`, in place. Deterministic: ids, times and chance come inside the event. */
export function apply(fleet: Fleet, event: Event): void {
  assert(event.seq === fleet.seq + 1, `event ${event.seq} after ${fleet.seq}`)
  fleet.seq = event.seq
  fleet.at = Math.max(fleet.at, event.at)
  fleet.recent.push(event)
  if (fleet.recent.length > RECENT_MAX * 1.25) fleet.recent.splice(0, fleet.recent.length - RECENT_MAX)
  if (event.type.startsWith('engine.') || event.type.startsWith('listing.') || event.type.startsWith('operator.'))
    applyToEngine(fleet, event)
  else if (event.type.startsWith('run.')) applyToRun(fleet, event)
  else if (event.type.startsWith('pod.')) applyToPod(fleet, event)
  else applyToJob(fleet, event)
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
      providerOf(fleet, event.provider).operator = null
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
      closedAt: null,
      follows: event.follows,
      draining: false,
      cancelRequested: false,
      limitReached: null,
    })
    return
  }
  switch (event.type) {
    case 'run.drain_requested':
      runOf(fleet, event.runId).draining = true
      return
    case 'run.cancel_requested':
      runOf(fleet, event.runId).cancelRequested = true
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

function applyToJob(fleet: Fleet, event: Event): void {
  if (event.type === 'job.queued') {
    const key = jobKey(event.runId, event.spec.jobId)
    assert(fleet.runs.has(event.runId), `job ${key} of an unknown run`)
    assert(!fleet.jobs.has(key), `job ${key} queued twice`)
    fleet.jobs.set(key, {
      key,
      runId: event.runId,
      spec: event.spec,
      status: 'waiting',
      attempts: [],
      queuedAt: event.at,
      openedAt: event.at,
      dueAt: event.at,
      cancelRequested: false,
      published: [],
      fault: null,
      settledAt: null,
    })
    return
  }
  if (!('jobKey' in event)) throw new Error(`bug: ${event.type} is no event of a job`)
  const job = jobOf(fleet, event.jobKey)
  switch (event.type) {
    case 'job.cancel_requested':
      if (!isSettled(job)) job.cancelRequested = true
      return
    case 'job.retry_requested':
      // Asked for by people, perhaps of a job that settled otherwise a moment ago: only a failed or cancelled one goes again.
      if (job.status === 'failed' || job.status === 'cancelled') {
        Object.assign(job, {
          status: 'waiting',
          cancelRequested: false,
          fault: null,
          settledAt: null,
          dueAt: event.at,
          openedAt: event.at,
        })
        reopen(fleet, job.runId)
      }
      return
    case 'job.completed':
      assert(job.attempts.at(-1)?.status === 'succeeded', `job ${job.key} completed without a succeeded attempt`)
      Object.assign(job, { status: 'completed', published: event.published, settledAt: event.at, fault: null })
      return
    case 'job.failed':
      assert(!isSettled(job), `job ${job.key} failed after it was settled`)
      Object.assign(job, { status: 'failed', fault: event.fault, settledAt: event.at })
      return
    case 'job.delayed':
      job.dueAt = event.dueAt
      return
    case 'job.cancelled':
      assert(!isSettled(job), `job ${job.key} cancelled after it was settled`)
      Object.assign(job, { status: 'cancelled', settledAt: event.at })
      return
    case 'attempt.requested': {
      const pod = podOf(fleet, event.podId)
      assert(job.status === 'waiting', `attempt of ${job.key}, which is ${job.status}`)
      assert(
        pod.status === 'ready' && pod.broken === null && pod.jobKey === null,
        `attempt of ${job.key} on ${pod.id}, which is ${pod.status}`,
      )
      assert(event.attempt === job.attempts.length + 1, `attempt ${event.attempt} of ${job.key} out of order`)
      job.attempts.push({
        number: event.attempt,
        podId: pod.id,
        promptId: event.promptId,
        status: 'requested',
        requestedAt: event.at,
        startedAt: null,
        endedAt: null,
        fault: null,
        artifacts: [],
      })
      job.status = 'running'
      Object.assign(pod, { jobKey: job.key, idleSince: null })
      return
    }
    case 'attempt.started': {
      const attempt = liveAttemptOf(job, event.attempt)
      attempt.status = 'started'
      attempt.startedAt ??= event.at
      return
    }
    case 'artifact.stored':
      liveAttemptOf(job, event.attempt).artifacts.push(event.artifact)
      return
    case 'attempt.succeeded':
      endAttempt(fleet, job, event.attempt, 'succeeded', event.at, null)
      return
    case 'attempt.failed':
      endAttempt(fleet, job, event.attempt, 'failed', event.at, event.fault)
      job.status = 'waiting'
      job.fault = event.fault
      return
    case 'attempt.cancelled':
      endAttempt(fleet, job, event.attempt, 'cancelled', event.at, null)
      job.status = 'waiting'
      return
  }
}

function applyToPod(fleet: Fleet, event: Event): void {
  if (event.type === 'pod.requested') {
    assert(!fleet.pods.has(event.podId), `pod ${event.podId} requested twice`)
    assert(fleet.runs.has(event.runId), `pod ${event.podId} of an unknown run`)
    fleet.pods.set(event.podId, newPod(event))
    return
  }
  if (!('podId' in event)) throw new Error(`bug: ${event.type} is no event of a pod`)
  const pod = podOf(fleet, event.podId)
  switch (event.type) {
    case 'pod.created':
      assert(pod.status === 'requested' || pod.status === 'releasing', `${pod.id} created while ${pod.status}`)
      Object.assign(pod, {
        ref: event.ref,
        createdAt: event.at,
        status: pod.status === 'requested' ? 'booting' : 'releasing',
      })
      setPrice(pod, event.perHour, event.at, true)
      return
    case 'pod.refused':
      assert(pod.ref === null && mayBill(pod), `${pod.id} refused while ${pod.status}`)
      Object.assign(pod, { status: 'refused', broken: event.fault, goneAt: event.at, meters: [] })
      return
    case 'pod.port_held':
      pod.localPort = event.localPort
      return
    case 'pod.stage_reached':
      pod.stage = event.stage
      return
    case 'pod.addressed':
      pod.address = event.address
      return
    case 'pod.host_key_pinned':
      pod.hostKey = event.hostKey
      return
    case 'pod.ready':
      assert(pod.status === 'booting', `${pod.id} ready while ${pod.status}`)
      Object.assign(pod, { status: 'ready', readyAt: pod.readyAt ?? event.at, idleSince: event.at, linkLostAt: null })
      return
    case 'pod.link_lost':
      pod.linkLostAt ??= event.at
      return
    case 'pod.link_restored':
      pod.linkLostAt = null
      return
    case 'pod.broken':
      pod.broken ??= event.fault
      return
    case 'pod.drain_requested':
      pod.draining = true
      return
    case 'pod.stop_requested':
      if (pod.status === 'ready' || pod.status === 'booting') pod.status = 'stopping'
      return
    case 'pod.stopped':
      assert(pod.status === 'stopping', `${pod.id} stopped while ${pod.status}`)
      Object.assign(pod, { status: 'stopped', stage: null, address: null, hostKey: null })
      setPrice(pod, event.perHour, event.at, false)
      return
    case 'pod.start_requested':
      if (pod.status === 'stopped') {
        Object.assign(pod, { status: 'booting', broken: null })
        setPrice(pod, pod.offer.perHour, event.at, false)
      }
      return
    case 'pod.release_requested':
      if (mayBill(pod) && pod.status !== 'releasing')
        Object.assign(pod, { status: 'releasing', releaseCause: event.cause, releaseAt: event.at })
      return
    case 'pod.release_accepted':
      pod.releaseAcceptedAt ??= event.at
      return
    case 'pod.gone':
      assert(mayBill(pod), `${pod.id} gone while ${pod.status}`)
      Object.assign(pod, { status: 'gone', goneAt: event.at })
      closeMeters(pod, event.billedUntil)
      return
  }
}

function newPod(event: Extract<Event, { type: 'pod.requested' }>): Pod {
  return {
    id: event.podId,
    runId: event.runId,
    name: event.name,
    provider: event.offer.provider,
    offer: event.offer,
    status: 'requested',
    ref: null,
    stage: null,
    address: null,
    hostKey: null,
    localPort: null,
    jobKey: null,
    finished: 0,
    draining: false,
    broken: null,
    releaseCause: null,
    releaseAcceptedAt: null,
    requestedAt: event.at,
    createdAt: null,
    readyAt: null,
    idleSince: null,
    releaseAt: null,
    goneAt: null,
    linkLostAt: null,
    // The meter runs from the request: whoever waits for proof before counting, counts too little.
    meters: [{ from: event.at, to: null, perHour: event.offer.perHour }],
  }
}

/** A new price from `at` on; with `whole`, the running stretch is repriced from its start (the provider's own figure is known now). */
function setPrice(pod: Pod, perHour: Micro, at: Millis, whole: boolean): void {
  const open = pod.meters.at(-1)
  if (whole && open) open.perHour = perHour
  else {
    if (open) open.to ??= at
    pod.meters.push({ from: at, to: null, perHour })
  }
  if (whole) pod.offer = { ...pod.offer, perHour }
}

function closeMeters(pod: Pod, until: Millis): void {
  for (const meter of pod.meters) meter.to = Math.max(meter.from, Math.min(meter.to ?? until, until))
}

function endAttempt(
  fleet: Fleet,
  job: Job,
  number: number,
  status: 'succeeded' | 'failed' | 'cancelled',
  at: Millis,
  fault: FaultData | null,
): void {
  const attempt = liveAttemptOf(job, number)
  Object.assign(attempt, { status, endedAt: at, fault })
  const pod = podOf(fleet, attempt.podId)
  assert(pod.jobKey === job.key, `${pod.id} does not hold ${job.key}`)
  Object.assign(pod, { jobKey: null, idleSince: at, finished: pod.finished + 1 })
}

/** A closed run works again when one of its jobs does. */
function reopen(fleet: Fleet, runId: string): void {
  Object.assign(runOf(fleet, runId), {
    status: 'running',
    closedAt: null,
    draining: false,
    cancelRequested: false,
    limitReached: null,
  })
}

function liveAttemptOf(job: Job, number: number): Attempt {
  const attempt = job.attempts.at(-1)
  if (attempt?.number !== number || attempt.endedAt !== null)
    throw new Error(`bug: attempt ${number} of ${job.key} is not under way`)
  return attempt
}

export function providerOf(fleet: Fleet, name: string): ProviderState {
  let state = fleet.providers.get(name)
  if (!state) {
    state = { listingLostAt: null, listingFault: null, operator: null }
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

function assert(holds: boolean, message: string): void {
  if (!holds) throw new Error(`bug: ${message}`)
}
