// What no journal may ever tell: promises of the house that hold at every event, whatever the weather. Asked by the simulated worlds
// at each append and by `autopod check --journal`. Left out: what needs the world to compare with (bills, files, pods that live).
import type { Event, Fact } from './event.ts'
import { apply, type Fleet } from './fleet.ts'
import { type Attempt, isSettled, type Job, liveAttempt } from './job.ts'
import { awaitsFarewell } from './lease.ts'
import { fits, needOf } from './placement.ts'
import { mayBill, type Pod, podCost } from './pod.ts'
import { causeOf, sameWay } from './retry.ts'
import type { Run } from './run.ts'
import { liveStall, STEPS } from './stuck.ts'
import type { Millis } from './units.ts'

/** Folds `event` into `fleet`; what that breaks comes back in words, [] as a rule. An impossible event is told, not thrown. */
export function audit(fleet: Fleet, event: Event): string[] {
  const broken: string[] = []
  const promise = (holds: boolean, breach: string) => {
    if (!holds) broken.push(`${event.type}: ${breach}`)
  }
  try {
    beforehand(fleet, event, promise)
    apply(fleet, event)
    afterwards(fleet, event, promise)
  } catch (error) {
    broken.push(`${event.type}: ${error instanceof Error ? error.message : String(error)}`)
  }
  return broken
}

/** The time of an event is taken before the journal's lock, the decision after it: as long as a lock is waited for. */
const LOCK_MS = 10_000

type Keep = (holds: boolean, breach: string) => void

/** What has to be so for the event to be allowed. */
function beforehand(fleet: Fleet, event: Event, promise: Keep): void {
  switch (event.type) {
    case 'pod.requested':
      order(fleet, event, promise)
      return
    case 'attempt.requested':
      start(fleet, event, promise)
      return
    case 'pod.found':
    case 'pod.created':
      for (const other of fleet.pods.values()) promise(other.ref !== event.ref, `${event.ref} is ${other.id} already`)
      return
    case 'pod.ready':
      promise(!fleet.pods.get(event.podId)?.broken, `${event.podId} is broken`)
      hourly(fleet, event.podId, promise)
      return
    case 'run.budget_step': {
      const run = fleet.runs.get(event.runId)
      const cap = run?.policy.costMax ?? Number.POSITIVE_INFINITY
      promise((run?.budgetStep ?? 0) < event.percent, `${event.runId} was told of ${run?.budgetStep} % before`)
      promise(event.percent === 100 || event.spent * 100 >= cap * event.percent, `${event.spent} of ${cap} is spent`)
      return
    }
    case 'pod.farewell_read': {
      const pod = fleet.pods.get(event.podId)
      promise(pod !== undefined && awaitsFarewell(pod), `nobody waits for what ${event.podId} left`)
      return
    }
    case 'pod.port_held':
      promise(
        fleet.pods.get(event.podId)?.localPort !== event.localPort,
        `${event.podId} held ${event.localPort} before`,
      )
      return
    case 'pod.gone': {
      const pod = fleet.pods.get(event.podId)
      promise(pod?.status === 'releasing' && pod.releaseAcceptedAt !== null, `nobody released ${event.podId}`)
      promise(event.billedUntil >= (pod?.releaseAt ?? 0), `${event.podId} is paid for only until before its release`)
      promise(!pod?.jobKey, `${event.podId} still holds ${pod?.jobKey}`)
      promise(event.billedUntil <= event.at, `${event.podId} is paid for into the future`)
      return
    }
    case 'attempt.stuck_warned':
    case 'attempt.stuck_step':
      stall(fleet, event, promise)
      return
    case 'job.completed':
    case 'job.failed':
    case 'job.cancelled':
      settle(fleet, event, promise)
      return
    case 'run.closed':
      close(fleet, event.runId, promise)
      return
    case 'artifact.stored': {
      const job = fleet.jobs.get(event.jobKey)
      const fence = job && `out/${job.runId}/${job.spec.jobId}/${event.attempt}/`
      promise(event.artifact.key.startsWith(fence ?? '?'), `${event.artifact.key} lies outside ${fence}`)
      const stored = job?.attempts.at(-1)?.artifacts ?? []
      promise(!stored.some(({ key }) => key === event.artifact.key), `${event.artifact.key} is stored twice`)
      return
    }
  }
}

/** Money is spent on: orders stay within the run's limits and its open jobs. */
function order(fleet: Fleet, event: Extract<Event, { type: 'pod.requested' }>, promise: Keep): void {
  const run = fleet.runs.get(event.runId)
  if (!run) return
  starts(fleet, run, event.at, promise)
  let places = 1
  let onOrder = 1
  let perHour = event.offer.perHour
  for (const pod of fleet.pods.values()) {
    promise(pod.name !== event.name, `${event.name} is ${pod.id} already`)
    if (pod.runId !== run.id || !mayBill(pod)) continue
    if (pod.status !== 'stopped') places++
    if (pod.status === 'requested') onOrder++
    perHour += pod.meters.at(-1)?.perHour ?? 0
  }
  const { podsMax, perHourMax, provider } = run.policy
  let open = 0
  for (const job of fleet.jobs.values()) if (job.runId === run.id && !isSettled(job)) open++
  promise(places <= podsMax, `${places} pods are on the meter, ${podsMax} are allowed`)
  promise(onOrder <= open, `${onOrder} orders for ${open} open jobs`)
  promise(perHour <= (perHourMax ?? perHour), `${perHour} an hour, ${perHourMax} is allowed`)
  promise(event.offer.provider === provider, `${event.offer.provider} is not ${provider}`)
}

/** A pod that turned out dearer than it was offered is not used beyond the limit for the hour; what a person starts again may be. */
function hourly(fleet: Fleet, podId: string, promise: Keep): void {
  const ready = fleet.pods.get(podId)
  const max = (ready && fleet.runs.get(ready.runId)?.policy.perHourMax) ?? null
  if (!ready || max === null) return
  const pods = [...fleet.pods.values()].filter(
    pod => pod.runId === ready.runId && mayBill(pod) && pod.status !== 'releasing',
  )
  if (pods.some(({ meters }) => meters.length > 1)) return
  const sum = pods.reduce((total, { meters }) => total + (meters.at(-1)?.perHour ?? 0), 0)
  promise(sum <= max, `${sum} an hour with ${podId}, ${max} is allowed`)
}

/** A job goes onto a pod: it is due and wanted, the pod is whole, free, ours and fit for it. */
function start(fleet: Fleet, event: Extract<Event, { type: 'attempt.requested' }>, promise: Keep): void {
  const job = fleet.jobs.get(event.jobKey)
  const pod = fleet.pods.get(event.podId)
  const run = job && fleet.runs.get(job.runId)
  if (!job || !pod || !run) return
  starts(fleet, run, event.at, promise)
  promise(!job.cancelRequested, `${job.key} is cancelled`)
  promise(!liveAttempt(job), `${job.key} has an attempt under way`)
  promise(job.dueAt <= event.at + LOCK_MS, `${job.key} is not due`)
  promise(event.promptId !== '', `${job.key} has no prompt id`)
  promise(!pod.broken && pod.status === 'ready' && !pod.linkLostAt, `${pod.id} is not whole`)
  promise(!pod.draining, `${pod.id} drains`)
  promise(pod.runId === run.id, `${pod.id} belongs to ${pod.runId}`)
  promise(run.policy.reuse || pod.finished === 0, `${pod.id} is used again`)
  promise(fits(pod, needOf(job.spec, run.policy, job.vramGbAbove)), `${pod.id} does not fit ${job.key}`)
  const tries = job.attempts.filter(attempt => attempt.requestedAt >= job.openedAt)
  const causes = tries.map(({ fault }) => fault && causeOf(fault))
  promise(!causes.includes('job'), `${job.key} failed by itself and is tried again`)
  promise(!tries.some(attempt => attempt.status === 'succeeded'), `${job.key} succeeded and is tried again`)
  for (const cause of ['host', 'pod']) {
    const lost = causes.filter(one => one === cause).length
    promise(lost <= run.policy.retries, `${job.key} lost ${lost} pods, ${run.policy.retries} retries are allowed`)
  }
  const ranOut = tries.filter((_, nth) => causes[nth] === 'memory')
  const ranOutOn = (freed: boolean) => ranOut.filter(({ freeFirst }) => freeFirst === freed)
  for (const { podId } of ranOutOn(true))
    promise(
      pod.offer.vramGb > (fleet.pods.get(podId)?.offer.vramGb ?? 0),
      `${job.key} ran out of memory on ${podId}, and ${pod.id} has no more`,
    )
  promise(
    event.freeFirst === true || ranOut.at(-1)?.freeFirst !== false,
    `${job.key} ran out of memory, and what is in it is not freed`,
  )
  promise(ranOutOn(false).length <= ranOutOn(true).length + 1, `${job.key} ran out of memory again and again`)
  promise(!isPoison(tries), `${job.key} failed in the same way on two hosts`)
  const isTaken = [...fleet.jobs.values()].some(other =>
    other.attempts.some(({ promptId }) => promptId === event.promptId),
  )
  promise(!isTaken, `prompt ${event.promptId} is under way already`)
}

/** Not asked of the rule that decides on it: each way of failing has been seen on one host at most. */
function isPoison(tries: Attempt[]): boolean {
  return tries.some(({ fault, hostId, podId }) =>
    tries.some(
      other =>
        other.podId !== podId &&
        (hostId === null || other.hostId !== hostId) &&
        sameWay(fault) !== null &&
        sameWay(other.fault) === sameWay(fault),
    ),
  )
}

/** Nothing new begins in a run that ends, or while a person is needed. */
function starts(fleet: Fleet, run: Run, at: Millis, promise: Keep): void {
  promise(run.status === 'running', `${run.id} is ${run.status}`)
  promise(!run.cancelRequested && !run.draining && !run.limitReached, `${run.id} starts nothing new`)
  promise(run.budgetStep < 90, `${run.budgetStep} % of the money of ${run.id} is spent`)
  let spent = 0
  for (const pod of fleet.pods.values()) if (pod.runId === run.id) spent += podCost(pod, at - LOCK_MS)
  const { costMax } = run.policy
  promise(costMax === null || spent * 100 < costMax * 90, `${spent} of ${costMax} are spent`)
  const provider = fleet.providers.get(run.policy.provider)
  promise(!provider?.operator, `${run.policy.provider} needs a person`)
  promise(!provider?.balance || provider.balance.level === 'low', `the balance is ${provider?.balance?.level}`)
}

/** Nothing is done to an attempt that nobody was warned of; the steps come in their order, each once. */
function stall(
  fleet: Fleet,
  event: Extract<Event, { type: 'attempt.stuck_warned' | 'attempt.stuck_step' }>,
  promise: Keep,
): void {
  const job = fleet.jobs.get(event.jobKey)
  const attempt = job && liveAttempt(job)
  if (!attempt) return
  const warning = liveStall(attempt)
  if (event.type === 'attempt.stuck_warned') {
    promise(!warning, `${event.jobKey} was warned of before`)
    promise(
      event.since >= attempt.requestedAt - LOCK_MS && event.since <= event.at,
      `${event.jobKey} is silent since ${event.since}`,
    )
    return
  }
  promise(warning !== null, `${event.jobKey} was not warned of`)
  const taken = attempt.stalls.flatMap(({ steps }) => steps.map(({ step }) => STEPS.indexOf(step)))
  promise(Math.max(-1, ...taken) < STEPS.indexOf(event.step), `${event.step} comes late for ${event.jobKey}`)
}

function settle(
  fleet: Fleet,
  event: Extract<Event, { type: 'job.completed' | 'job.failed' | 'job.cancelled' }>,
  promise: Keep,
): void {
  const job = fleet.jobs.get(event.jobKey)
  if (!job) return
  promise(!isSettled(job), `${job.key} is ${job.status} already`)
  promise(!liveAttempt(job), `${job.key} still runs`)
  const run = fleet.runs.get(job.runId)
  if (event.type === 'job.cancelled')
    promise(
      job.cancelRequested || run?.cancelRequested === true || run?.draining === true,
      `nobody asked to cancel ${job.key}`,
    )
  if (event.type === 'job.completed') complete(job, event, promise)
}

/** Every file that a target asked for was brought there, with the content that was stored. */
function complete(job: Job, event: Extract<Fact, { type: 'job.completed' }>, promise: Keep): void {
  const stored = job.attempts.at(-1)?.artifacts ?? []
  for (const { name, nodeId } of job.spec.outputs)
    promise(
      stored.filter(artifact => artifact.nodeId === nodeId).length ===
        event.published.filter(published => published.name === name).length,
      `${job.key}: not every file of ${name} was brought to its target`,
    )
  for (const { name, sha256 } of event.published)
    promise(
      stored.some(artifact => artifact.sha256 === sha256),
      `${job.key}: ${name} has other content than was stored`,
    )
}

function close(fleet: Fleet, runId: string, promise: Keep): void {
  const run = fleet.runs.get(runId)
  promise(run?.status === 'running', `${runId} is ${run?.status ?? 'unknown'}`)
  for (const job of fleet.jobs.values())
    promise(job.runId !== runId || isSettled(job), `${job.key} is ${job.status} at the end`)
  for (const pod of fleet.pods.values())
    promise(
      pod.runId !== runId || !mayBill(pod) || pod.status === 'stopped' || run?.policy.keep === true,
      `${pod.id} is ${pod.status} at the end`,
    )
}

/** What has to be so once the event is known. */
function afterwards(fleet: Fleet, event: Event, promise: Keep): void {
  if ('podId' in event) {
    const pod = fleet.pods.get(event.podId)
    if (pod) meter(pod, promise)
  }
  if ('jobKey' in event) {
    const job = fleet.jobs.get(event.jobKey)
    if (job) attempts(fleet, job, promise)
  }
}

/** The meter runs from the request without a gap until the proof that the pod is gone. */
function meter(pod: Pod, promise: Keep): void {
  if (pod.status === 'refused') {
    promise(pod.meters.length === 0, `${pod.id} was never made and is on a meter`)
    return
  }
  promise(pod.meters[0]?.from === pod.requestedAt, `the meter of ${pod.id} starts late`)
  for (const [index, { to, perHour }] of pod.meters.entries()) {
    const next = pod.meters[index + 1]
    promise(next ? next.from === to : (to === null) === mayBill(pod), `the meter of ${pod.id} has a gap`)
    promise(Number.isSafeInteger(perHour) && perHour >= 0, `${pod.id} costs ${perHour} an hour`)
  }
}

function attempts(fleet: Fleet, job: Job, promise: Keep): void {
  const live = job.attempts.filter(({ endedAt }) => endedAt === null)
  promise(live.length <= 1, `${live.length} attempts of ${job.key} are under way`)
  for (const { podId } of live) promise(fleet.pods.get(podId)?.jobKey === job.key, `${podId} does not hold ${job.key}`)
  const isOwed = live.length > 0 || job.attempts.at(-1)?.status === 'succeeded'
  promise(live.length === 0 || job.status === 'running', `${job.key} is ${job.status} and has an attempt under way`)
  promise(job.status !== 'running' || isOwed, `${job.key} is running without an attempt`)
}
