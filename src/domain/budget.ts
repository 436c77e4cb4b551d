// Limits of jobs and runs: what they cost and how long they take. Each of money is held together with the end of the pods it pays for.
import { attemptCost, attemptsCost, endCost, runSpend } from './admission.ts'
import { openJobs, openRuns, podsOf } from './census.ts'
import type { Fact } from './event.ts'
import type { FaultData } from './fault.ts'
import type { Fleet } from './fleet.ts'
import { type Job, liveAttempt } from './job.ts'
import type { Limits } from './limits.ts'
import { gpuWords, type Need } from './placement.ts'
import { mayBill, type Pod } from './pod.ts'
import type { Run } from './run.ts'
import { accrue, formatLimit, formatSpan, formatUsd, type Micro, type Millis } from './units.ts'
import type { World } from './world.ts'

/** Attempts over their own limits fail now, and their pod goes: what it works on cannot be trusted to stop. */
export function jobLimits(fleet: Fleet, now: Millis, { limits }: World): Fact[] {
  const facts: Fact[] = []
  for (const pod of fleet.pods.values()) {
    const job = pod.jobKey ? fleet.jobs.get(pod.jobKey) : undefined
    const attempt = job && liveAttempt(job)
    if (!attempt) continue
    const { timeoutMs, costMax } = job.spec
    let fault: FaultData | null = null
    if (timeoutMs !== null && now - attempt.requestedAt >= timeoutMs) {
      const message = `${job.spec.jobId} was not done after ${formatSpan(timeoutMs)}`
      fault = { kind: 'job', code: 'timed_out', message, hint: 'Raise pod_config.timeout_minutes of the job.' }
    } else if (costMax !== null && attemptsCost(fleet, job, now) + endCost(fleet, pod, now, limits) >= costMax)
      fault = ownCapReached(job)
    if (!fault) continue
    facts.push({ type: 'attempt.failed', jobKey: job.key, attempt: attempt.number, fault })
    facts.push({ type: 'pod.release_requested', podId: pod.id, cause: fault.message })
  }
  return facts
}

export function ownCapReached(job: Job): FaultData {
  const limit = formatLimit(job.spec.costMax ?? 0)
  const message =
    job.attempts.length > 0
      ? `${job.spec.jobId} reached its limit of ${limit}, the end of its pod included`
      : `the limit of ${limit} of ${job.spec.jobId} pays for no pod that is offered, its end included`
  return { kind: 'job', code: 'budget_reached', message, hint: 'Raise pod_config.max_cost_usd of the job.' }
}

/** Every offer for the job is dearer than its run may pay an hour. */
export function hourlyCapReached(run: Run, need: Need, least: Micro): FaultData {
  const limit = formatLimit(run.policy.perHourMax ?? 0)
  const message = `no offer for ${gpuWords(need)} keeps the limit of ${limit}/h: the cheapest costs ${formatUsd(least)}/h`
  return { kind: 'job', code: HOURLY_CODE, message, hint: 'Raise --max-hourly, or name a cheaper GPU (--gpu).' }
}

/** Of a job that its run's limit for the hour ended: the run reached a limit, the job did nothing wrong. */
export const HOURLY_CODE = 'hourly_limit'

/** A run at a step of its money, or at its time. At 90 % what waits has to stay. */
export function runLimits(fleet: Fleet, now: Millis): Fact[] {
  const facts: Fact[] = []
  for (const run of openRuns(fleet)) {
    // What is only to be published takes neither money nor a pod's time.
    const jobs = openJobs(fleet).filter(job => job.runId === run.id && (job.status === 'waiting' || liveAttempt(job)))
    if (jobs.length === 0) continue
    const { costMax, timeoutMs } = run.policy
    if (costMax !== null && run.budgetStep < 90) {
      const spent = runSpend(fleet, run, now)
      for (const percent of [50, 80, 90] as const)
        if (run.budgetStep < percent && spent * 100 >= costMax * percent)
          facts.push({ type: 'run.budget_step', runId: run.id, percent, spent })
    }
    if (!run.limitReached && run.budgetStep >= 90 && jobs.some(job => job.status === 'waiting'))
      facts.push({ type: 'run.limit_reached', runId: run.id, limit: 'cost' })
    else if (run.limitReached !== 'time' && timeoutMs !== null && now - run.timedFrom >= timeoutMs)
      facts.push({ type: 'run.limit_reached', runId: run.id, limit: 'time' })
  }
  return facts
}

/**
 * The last money: what is nearest to its end may have it. Attempts that it does not pay for go on only while that takes nothing from
 * the others, for estimates may be wrong; in the end all of it is needed to end the pods.
 */
export function drain(fleet: Fleet, now: Millis, { limits }: World): Fact[] {
  const facts: Fact[] = []
  for (const run of fleet.runs.values()) {
    const cut = run.policy.costMax === null ? [] : beyondMeans(fleet, run, now, limits)
    if (cut.length === 0) continue
    const isOpen = run.status === 'running'
    if (isOpen && run.budgetStep < 100)
      facts.push({ type: 'run.budget_step', runId: run.id, percent: 100, spent: runSpend(fleet, run, now) })
    if (isOpen && !run.limitReached) facts.push({ type: 'run.limit_reached', runId: run.id, limit: 'cost' })
    for (const pod of cut) {
      const job = pod.jobKey ? fleet.jobs.get(pod.jobKey) : undefined
      const attempt = job && liveAttempt(job)
      if (attempt)
        facts.push({ type: 'attempt.failed', jobKey: job.key, attempt: attempt.number, fault: runCapReached(run) })
      facts.push({ type: 'pod.release_requested', podId: pod.id, cause: 'cost limit of the run reached' })
    }
  }
  return facts
}

/** Pods that the run cannot pay for any longer, those without a job first. */
function beyondMeans(fleet: Fleet, run: Run, now: Millis, limits: Limits): Pod[] {
  const pods = podsOf(fleet, run).filter(mayBill)
  const ending = pods.filter(pod => pod.status === 'releasing').length
  if (pods.length === ending) return []
  let left = (run.policy.costMax as Micro) - runSpend(fleet, run, now)
  const idle: Pod[] = []
  const working: { pod: Pod; cost: Micro }[] = []
  for (const pod of pods) {
    left -= endCost(fleet, pod, now, limits)
    if (pod.status === 'releasing') continue
    const cost = attemptCost(fleet, pod, now, limits)
    if (cost === null) idle.push(pod)
    else working.push({ pod, cost })
  }
  working.sort((a, b) => a.cost - b.cost)
  // Until it is looked at again.
  const pause = pods.reduce((sum, pod) => sum + accrue(pod.meters.at(-1)?.perHour ?? 0, limits.listenMs * 2), 0)
  if (left <= pause) return [...idle, ...working.map(({ pod }) => pod)]
  const doomed: Pod[] = []
  for (const [index, { pod, cost }] of working.entries()) {
    // The first one may have what there is, even if that will hardly do.
    if (index === 0 || cost <= left) left -= Math.min(cost, left)
    else doomed.push(pod)
  }
  return left <= pause && doomed.length > 0 ? [...idle, ...doomed] : []
}

/** The waiting job of a run at its limit ends. */
export function expireRun(run: Run, job: Job): Fact {
  return { type: 'job.failed', jobKey: job.key, fault: run.limitReached === 'cost' ? runCapReached(run) : outOfTime }
}

const outOfTime: FaultData = {
  kind: 'job',
  code: 'budget_reached',
  message: 'the run reached its time limit',
  hint: 'Raise --timeout.',
}

function runCapReached(run: Run): FaultData {
  const message = `the run reached its limit of ${formatLimit(run.policy.costMax ?? 0)}`
  return { kind: 'job', code: 'budget_reached', message, hint: 'Raise --max-cost.' }
}
