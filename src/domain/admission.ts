// What a run can still afford: its cap less what was spent and what everything under way will still cost, the end of its pods included.
import { podsOf } from './census.ts'
import type { Fleet } from './fleet.ts'
import { type Job, liveAttempt } from './job.ts'
import type { Limits } from './limits.ts'
import { bootMs, guessedJobMs, knownJobMs, remainingMs, teardownMs } from './pace.ts'
import { mayBill, type Pod, podCost } from './pod.ts'
import type { Run } from './run.ts'
import { accrue, type Micro, type Millis } from './units.ts'

/** Where a job would run, and for how much an hour. */
export type Place = { provider: string; gpuName: string; perHour: Micro }

/** Money of a run that nothing has a claim on yet. */
export type Purse = {
  /** Takes what the job would cost on a pod that is there; false when the run's or the job's own cap does not pay for it. */
  takeJob(job: Job, pod: Pod): boolean
  /** The same for a pod that has to be ordered for it. */
  takePod(job: Job, place: Place): boolean
}

/** A pod costs boot and end besides its job; a little more is asked for it, so that it is not sent away again a moment later. */
const ORDER_FACTOR = 1.1

export function openPurse(fleet: Fleet, run: Run, now: Millis, limits: Limits): Purse {
  const cap = run.policy.costMax
  let left = cap === null ? Number.POSITIVE_INFINITY : cap - runSpend(fleet, run, now)
  let isFirst = true
  const unpaid = new Set<string>()
  if (cap !== null)
    for (const pod of podsOf(fleet, run)) {
      const under = attemptCost(fleet, pod, now, limits)
      if (under !== null) isFirst = false
      left -= endCost(fleet, pod, now, limits) + (under ?? 0)
    }
  /** Of what nothing is known, one is tried for as long as the money lasts; more of them wait for what it tells. */
  const take = (job: Job, place: Place, moreMs: number, factor: number) => {
    if (cap === null && job.spec.costMax === null) return true
    if (!ownCapPays(fleet, job, place, now, limits)) return false
    // A purse is never filled again: hundreds of jobs like the one that it did not pay for need not be asked about.
    const kind = `${job.spec.template}|${job.spec.timeoutMs}|${place.gpuName}|${place.perHour}|${moreMs * factor}`
    if (unpaid.has(kind)) return false
    const known = knownJobMs(fleet, job.spec, place.gpuName)
    const whole = accrue(place.perHour, moreMs + (known ?? guessedJobMs(job.spec, limits)))
    const least = known === null && isFirst ? accrue(place.perHour, moreMs + limits.tryMs) : whole
    if (least * factor > left) {
      unpaid.add(kind)
      return false
    }
    left -= Math.min(whole, left)
    isFirst = false
    return true
  }
  return {
    takeJob(job, pod) {
      const { perHour } = pod.meters.at(-1) ?? pod.offer
      const toBoot = pod.readyAt === null ? bootMs(fleet, pod.provider, limits) - (now - pod.requestedAt) : 0
      return take(job, { ...pod.offer, perHour }, Math.max(0, toBoot), 1)
    },
    takePod(job, place) {
      const { provider } = place
      const ms = bootMs(fleet, provider, limits) + limits.orderMs + teardownMs(fleet, provider, limits)
      return take(job, place, ms, ORDER_FACTOR)
    },
  }
}

/** What the job has cost, and the end of a pod, leave something to work with. */
export function ownCapPays(fleet: Fleet, job: Job, place: Place, now: Millis, limits: Limits): boolean {
  const { costMax } = job.spec
  if (costMax === null) return true
  const least = accrue(place.perHour, limits.tryMs + teardownMs(fleet, place.provider, limits))
  return attemptsCost(fleet, job, now) + least <= costMax
}

/** What the job's attempts have cost, from request to end; boots and the time between are the run's. */
export function attemptsCost(fleet: Fleet, job: Job, now: Millis): Micro {
  let sum = 0
  for (const attempt of job.attempts) {
    const pod = fleet.pods.get(attempt.podId)
    if (pod) sum += podCost(pod, attempt.endedAt ?? now) - podCost(pod, attempt.requestedAt)
  }
  return sum
}

/** What it takes to end the pod from now on, until the proof; 0 when that was had. */
export function endCost(fleet: Fleet, pod: Pod, now: Millis, limits: Limits): Micro {
  if (!mayBill(pod)) return 0
  const whole = teardownMs(fleet, pod.provider, limits)
  const asked = pod.releaseAt === null || pod.status !== 'releasing' ? now : pod.releaseAt
  // One that is late already needs some more time all the same.
  const ms = Math.max(whole - (now - asked), whole / 4) + (pod.ref === null ? limits.orderMs : 0)
  return accrue(pod.meters.at(-1)?.perHour ?? 0, ms)
}

/** What the attempt on the pod will still cost; null without one. */
export function attemptCost(fleet: Fleet, pod: Pod, now: Millis, limits: Limits): Micro | null {
  const job = pod.jobKey ? fleet.jobs.get(pod.jobKey) : undefined
  const attempt = job && liveAttempt(job)
  if (!attempt || pod.status === 'releasing') return null
  return accrue(pod.meters.at(-1)?.perHour ?? 0, remainingMs(fleet, job, attempt, now, limits))
}

export function runSpend(fleet: Fleet, run: Run, now: Millis): Micro {
  let sum = 0
  for (const pod of podsOf(fleet, run)) sum += podCost(pod, now)
  return sum
}
