// Hard limits of jobs and runs: what they cost and how long they take.
import type { Fact } from './event.ts'
import type { FaultData } from './fault.ts'
import type { Fleet } from './fleet.ts'
import { isSettled, type Job, liveAttempt } from './job.ts'
import { podCost } from './pod.ts'
import type { Run } from './run.ts'
import { formatUsd, type Millis } from './units.ts'

/** Attempts over their own limits fail now, and their pod goes: what it works on cannot be trusted to stop. */
export function jobLimits(fleet: Fleet, now: Millis): Fact[] {
  const facts: Fact[] = []
  for (const pod of fleet.pods.values()) {
    const job = pod.jobKey ? fleet.jobs.get(pod.jobKey) : undefined
    const attempt = job && liveAttempt(job)
    if (!attempt) continue
    const { timeoutMs, costMax } = job.spec
    const cost = podCost(pod, now) - podCost(pod, attempt.requestedAt)
    let fault: FaultData | null = null
    if (timeoutMs !== null && now - attempt.requestedAt >= timeoutMs) {
      const message = `${job.spec.jobId} was not done after ${Math.round(timeoutMs / 60_000)} min`
      fault = { kind: 'job', code: 'timed_out', message, hint: 'Raise pod_config.timeout_minutes of the job.' }
    } else if (costMax !== null && cost >= costMax) {
      const message = `${job.spec.jobId} reached its limit of ${formatUsd(costMax)}`
      fault = { kind: 'job', code: 'budget_reached', message, hint: 'Raise pod_config.max_cost_usd of the job.' }
    }
    if (!fault) continue
    facts.push({ type: 'attempt.failed', jobKey: job.key, attempt: attempt.number, fault })
    facts.push({ type: 'pod.release_requested', podId: pod.id, cause: fault.message })
  }
  return facts
}

/** A run at its limit of money or time. */
export function runLimits(fleet: Fleet, now: Millis): Fact[] {
  const facts: Fact[] = []
  for (const run of fleet.runs.values()) {
    if (run.status !== 'running' || run.limitReached || !hasOpenJob(fleet, run)) continue
    const { costMax, timeoutMs } = run.policy
    if (costMax !== null && runSpend(fleet, run, now) >= costMax)
      facts.push({ type: 'run.limit_reached', runId: run.id, limit: 'cost' })
    else if (timeoutMs !== null && now - run.openedAt >= timeoutMs)
      facts.push({ type: 'run.limit_reached', runId: run.id, limit: 'time' })
  }
  return facts
}

/** The waiting job of a run at its limit ends. */
export function expireRun(run: Run, job: Job): Fact {
  const what = run.limitReached === 'cost' ? `its limit of ${formatUsd(run.policy.costMax ?? 0)}` : 'its time limit'
  const hint = run.limitReached === 'cost' ? 'Raise --max-cost.' : 'Raise --timeout.'
  return {
    type: 'job.failed',
    jobKey: job.key,
    fault: { kind: 'job', code: 'budget_reached', message: `the run reached ${what}`, hint },
  }
}

function hasOpenJob(fleet: Fleet, run: Run): boolean {
  for (const job of fleet.jobs.values()) if (job.runId === run.id && !isSettled(job)) return true
  return false
}

export function runSpend(fleet: Fleet, run: Run, now: Millis): number {
  let sum = 0
  for (const pod of fleet.pods.values()) if (pod.runId === run.id) sum += podCost(pod, now)
  return sum
}
