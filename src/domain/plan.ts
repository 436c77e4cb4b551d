// What to decide now: a pure function of what is known and the time. Rules in order; the first that has something to say is heard.
import { drainAccount, standstill } from './account.ts'
import { openPurse, type Purse } from './admission.ts'
import { drain, expireRun, HOURLY_CODE, jobLimits, runLimits } from './budget.ts'
import { jobsOf, openJobs, openRuns, podsOf } from './census.ts'
import type { Fact } from './event.ts'
import type { FaultData } from './fault.ts'
import type { Fleet } from './fleet.ts'
import { avoidHosts } from './hosts.ts'
import { type Attempt, isSettled, type Job, liveAttempt } from './job.ts'
import { awaitsFarewell } from './lease.ts'
import { cheapest, fits, gpuWords, needKey, needOf } from './placement.ts'
import { isUsable, mayBill, type Pod } from './pod.ts'
import { toBeFreed, verdict } from './retry.ts'
import type { Run, RunStatus } from './run.ts'
import { orders, priceLimits, surplus } from './scaling.ts'
import { giveUpStuck } from './stuck.ts'
import { formatLimit, formatUsd, type Millis } from './units.ts'
import type { Plan, World } from './world.ts'

type Rule = (fleet: Fleet, now: Millis, world: World) => Fact[]

const RULES: Rule[] = [
  cancelRuns,
  cancelJobs,
  giveUpStuck,
  loseAttempts,
  judge,
  jobLimits,
  runLimits,
  drain,
  drainAccount,
  priceLimits,
  (fleet, now, { limits }) => avoidHosts(fleet, now, limits),
  releasePods,
  giveUpBooting,
  assign,
  giveUpMemory,
  giveUpWaiting,
  closeRuns,
]

export function plan(fleet: Fleet, now: Millis, world: World): Plan {
  for (const rule of RULES) {
    const facts = rule(fleet, now, world)
    if (facts.length > 0) return { facts, needs: [] }
  }
  return orders(fleet, now, world)
}

/** Cancelled, drained or over its limits: nothing of the run starts any more. */
function cancelRuns(fleet: Fleet): Fact[] {
  const facts: Fact[] = []
  for (const run of openRuns(fleet)) {
    if (!run.cancelRequested && !run.draining && !run.limitReached) continue
    // What runs may have the money that is left; `drain` sees to its end.
    const now = run.cancelRequested || run.limitReached === 'time'
    for (const job of jobsOf(fleet, run)) {
      const attempt = liveAttempt(job)
      if (attempt && now) facts.push({ type: 'attempt.cancelled', jobKey: job.key, attempt: attempt.number })
      else if (job.status === 'waiting')
        facts.push(run.limitReached ? expireRun(run, job) : { type: 'job.cancelled', jobKey: job.key })
    }
    if (!now) continue
    const cause = run.limitReached ? `${run.limitReached} limit of the run reached` : 'run cancelled'
    for (const pod of podsOf(fleet, run))
      if (isReleasable(pod)) facts.push({ type: 'pod.release_requested', podId: pod.id, cause })
  }
  return facts
}

function cancelJobs(fleet: Fleet): Fact[] {
  return openJobs(fleet)
    .filter(job => job.cancelRequested && job.status === 'waiting')
    .map(job => ({ type: 'job.cancelled', jobKey: job.key }))
}

/** An attempt ends with its pod. */
function loseAttempts(fleet: Fleet): Fact[] {
  const facts: Fact[] = []
  for (const pod of fleet.pods.values()) {
    if (!pod.jobKey) continue
    const job = fleet.jobs.get(pod.jobKey)
    const attempt = job && liveAttempt(job)
    if (!attempt || (pod.status === 'ready' && !pod.broken)) continue
    if (awaitsFarewell(pod) && !job.cancelRequested) continue
    if (job.cancelRequested) facts.push({ type: 'attempt.cancelled', jobKey: job.key, attempt: attempt.number })
    else {
      const killed = {
        kind: 'pod',
        code: 'pod_killed',
        message: `${pod.id} was ${pod.status === 'releasing' ? 'terminated' : 'stopped'}`,
      } as const
      facts.push({
        type: 'attempt.failed',
        jobKey: job.key,
        attempt: attempt.number,
        fault: ownerAway(fleet, pod, attempt) ?? pod.broken ?? killed,
      })
    }
  }
  return facts
}

/** The pod did as it was told while no engine lived: no pod's and no job's fault. One that lives and does not renew is another matter. */
function ownerAway(fleet: Fleet, pod: Pod, attempt: Attempt): FaultData | null {
  if (pod.farewell !== 'lease' || attempt.requestedAt >= (fleet.engine?.startedAt ?? 0)) return null
  const message = `${pod.id} ended itself while nobody renewed its lease; the work was not finished`
  return { kind: 'pod', code: 'owner_away', message }
}

function judge(fleet: Fleet, _now: Millis, world: World): Fact[] {
  const facts: Fact[] = []
  for (const job of openJobs(fleet)) {
    if (job.status !== 'waiting' || job.attempts.at(-1)?.status !== 'failed') continue
    const run = fleet.runs.get(job.runId) as Run
    const next = verdict(job, run.policy.retries, world.limits)
    if (!next.again) facts.push({ type: 'job.failed', jobKey: job.key, fault: next.fault })
    else if (next.dueAt > job.dueAt)
      facts.push({ type: 'job.delayed', jobKey: job.key, dueAt: next.dueAt, why: next.why })
  }
  return facts
}

function releasePods(fleet: Fleet, now: Millis, world: World): Fact[] {
  const facts: Fact[] = []
  for (const pod of fleet.pods.values()) {
    if (!isReleasable(pod) || awaitsFarewell(pod)) continue
    if (pod.broken) {
      facts.push({ type: 'pod.release_requested', podId: pod.id, cause: pod.broken.message })
      continue
    }
    if (pod.jobKey || pod.status === 'stopping' || pod.status === 'stopped') continue
    const run = fleet.runs.get(pod.runId) as Run
    if (pod.draining) facts.push({ type: 'pod.release_requested', podId: pod.id, cause: 'drained' })
    else if (!run.policy.reuse && pod.finished > 0)
      facts.push({ type: 'pod.release_requested', podId: pod.id, cause: 'its job is done' })
  }
  if (facts.length > 0) return facts
  return surplus(fleet, now, world).map(pod => ({
    type: 'pod.release_requested',
    podId: pod.id,
    cause: 'no job left for it',
  }))
}

/** Waiting jobs, oldest first, onto ready pods without one. */
function assign(fleet: Fleet, now: Millis, world: World): Fact[] {
  const free: Pod[] = []
  for (const pod of fleet.pods.values())
    if (pod.status === 'ready' && isUsable(pod) && !pod.jobKey && !pod.draining && !pod.linkLostAt) free.push(pod)
  if (free.length === 0) return []
  const facts: Fact[] = []
  const purses = new Map<string, Purse>()
  // Who needs the memory of a certain pod freed comes before those that any pod will do for.
  const due = openJobs(fleet).filter(job => job.status === 'waiting' && job.dueAt <= now && !job.cancelRequested)
  const { bound = [], others = [] } = Object.groupBy(due, job => (toBeFreed(job) === null ? 'others' : 'bound'))
  for (const job of [...bound, ...others]) {
    const run = fleet.runs.get(job.runId) as Run
    if (standstill(fleet, run.policy.provider)) continue
    const purse = purses.get(run.id) ?? openPurse(fleet, run, now, world.limits)
    purses.set(run.id, purse)
    const need = needOf(job.spec, run.policy, job.vramGbAbove)
    const freed = toBeFreed(job)
    const fitting = free.filter(pod => pod.runId === run.id && fits(pod, need))
    fitting.sort((a, b) => Number(b.id === freed) - Number(a.id === freed))
    const at = free.indexOf(fitting.find(pod => purse.takeJob(job, pod)) as Pod)
    if (at < 0) continue
    const [pod] = free.splice(at, 1) as [Pod]
    // The prompt id is chance: the shell fills it in before the fact is written.
    facts.push({
      type: 'attempt.requested',
      jobKey: job.key,
      attempt: job.attempts.length + 1,
      podId: pod.id,
      promptId: '',
      ...(freed !== null && { freeFirst: true }),
    })
    if (free.length === 0) break
  }
  return facts
}

/** Pods that never come up one after the other: the image, the key or the account is wrong, and each try costs. */
function giveUpBooting(fleet: Fleet, _now: Millis, world: World): Fact[] {
  const facts: Fact[] = []
  for (const run of openRuns(fleet)) {
    const inARow: Pod[] = []
    for (const pod of podsOf(fleet, run)) {
      if (pod.readyAt !== null) inARow.length = 0
      else if (pod.broken && pod.status !== 'refused') inARow.push(pod)
    }
    const last = inARow.at(-1)?.broken
    if (!last || inARow.length < world.limits.bootFailuresMax + run.policy.podsMax) continue
    const message = `${inARow.length} pods in a row did not come up; the last: ${last.message}`
    const fault: FaultData = {
      kind: 'pod',
      code: 'pods_unusable',
      message,
      hint: 'See autopod logs POD; check the image and its start.',
    }
    for (const job of jobsOf(fleet, run))
      if (job.status === 'waiting') facts.push({ type: 'job.failed', jobKey: job.key, fault })
  }
  return facts
}

/** Out of memory, and the provider has no larger card of the kinds that are wanted. */
function giveUpMemory(fleet: Fleet, now: Millis, world: World): Fact[] {
  const facts: Fact[] = []
  for (const job of openJobs(fleet)) {
    if (job.status !== 'waiting' || job.vramGbAbove === 0 || !job.fault) continue
    const run = fleet.runs.get(job.runId) as Run
    const known = world.offers.get(needKey(needOf(job.spec, run.policy, job.vramGbAbove)))
    if (!known || known.unknown || known.offers.length > 0 || now - known.at > world.limits.offersFreshMs) continue
    const message = `${job.fault.message}; no GPU of its list has more than ${job.vramGbAbove} GB`
    const hint = 'Name a GPU with more memory (gpu_type, --gpu), or lower resolution, frames or batch size.'
    facts.push({
      type: 'job.failed',
      jobKey: job.key,
      fault: { ...job.fault, code: 'out_of_memory', kind: 'job', message, hint },
    })
  }
  return facts
}

/** No pod and no offer for too long, or the provider wants a person: waiting jobs end, with the reason. */
function giveUpWaiting(fleet: Fleet, now: Millis, world: World): Fact[] {
  const facts: Fact[] = []
  for (const run of openRuns(fleet)) {
    const pods = podsOf(fleet, run)
    if (pods.some(pod => mayBill(pod) && pod.status !== 'stopped')) continue
    const operator = standstill(fleet, run.policy.provider)
    // Time in which no engine looked is nobody's wait.
    const engineAt = fleet.engine?.startedAt ?? 0
    const lastPod = Math.max(engineAt, ...pods.filter(pod => pod.status === 'gone').map(pod => pod.goneAt ?? 0))
    for (const job of jobsOf(fleet, run)) {
      if (job.status !== 'waiting') continue
      if (operator) facts.push({ type: 'job.failed', jobKey: job.key, fault: operator })
      else if (now - Math.max(job.dueAt, lastPod) >= world.limits.capacityWaitMs) {
        const refusal = pods.findLast(pod => pod.status === 'refused')?.broken
        const need = needOf(job.spec, run.policy, job.vramGbAbove)
        const stocked = world.offers.get(needKey(need))?.offers.filter(({ stock }) => stock !== 'none') ?? []
        const least = cheapest(stocked, fleet, now)
        const { perHourMax } = run.policy
        const isTooDear = perHourMax !== null && least !== null && least > perHourMax
        const message =
          refusal?.message ??
          `no offer for ${gpuWords(need)}${isTooDear ? ` below ${formatLimit(perHourMax)}/h; the cheapest in stock costs ${formatUsd(least)}/h` : ''}`
        const hint = isTooDear
          ? 'Raise --max-hourly, or try again later.'
          : 'Name more GPU types or regions (--gpu, --region), or try again later.'
        facts.push({
          type: 'job.failed',
          jobKey: job.key,
          fault: { kind: 'capacity', code: 'no_capacity', message, hint },
        })
      }
    }
  }
  return facts
}

function closeRuns(fleet: Fleet): Fact[] {
  const facts: Fact[] = []
  for (const run of openRuns(fleet)) {
    if (!jobsOf(fleet, run).every(isSettled)) continue
    // Jobs that it only follows belong to its outcome as well: they were asked for.
    const jobs = [...jobsOf(fleet, run), ...run.follows.flatMap(key => fleet.jobs.get(key) ?? [])]
    if (!jobs.every(isSettled) || jobs.some(job => job.runId !== run.id && isEnding(fleet, job.runId))) continue
    const pods = podsOf(fleet, run)
    // A pod that somebody stopped by hand stays, as a kept one does; the report names it and what it costs.
    if (pods.some(pod => mayBill(pod) && pod.status !== 'stopped' && !(run.policy.keep && pod.status === 'ready')))
      continue
    facts.push({ type: 'run.closed', runId: run.id, status: outcomeOf(run, jobs) })
  }
  return facts
}

/** All its jobs are done and only its pods are on their way out: who follows the jobs waits for that, too. */
function isEnding(fleet: Fleet, runId: string): boolean {
  const run = fleet.runs.get(runId)
  return run?.status === 'running' && jobsOf(fleet, run).every(isSettled)
}

export function outcomeOf(run: Run, jobs: Job[]): Exclude<RunStatus, 'running'> {
  if (run.limitReached) return 'budget_reached'
  if (jobs.some(job => job.fault?.kind === 'operator' && job.status === 'failed')) return 'needs_operator'
  if (jobs.some(job => job.status === 'failed' && job.fault?.code === HOURLY_CODE)) return 'budget_reached'
  if (jobs.some(job => job.status === 'failed')) return 'failed'
  if (run.cancelRequested || jobs.some(job => job.status === 'cancelled')) return 'cancelled'
  return 'completed'
}

function isReleasable(pod: Pod): boolean {
  return mayBill(pod) && pod.status !== 'releasing'
}
