// Whose money it was: a pod's meter cut at the moments its attempts were requested, so that the shares add up to the pod's bill.
import type { Fleet } from './fleet.ts'
import type { Job } from './job.ts'
import { mayBill, podCost } from './pod.ts'
import type { Micro, Millis } from './units.ts'

/** Which job a pod's meter runs for, from when on; in the order of time. The first stretch reaches back to the pod's request: who needed the boot pays it. */
export type Stretch = { from: Millis; jobKey: string }

/** By pod id. A pod that never got an attempt is absent: its cost is nobody's. */
export type Allocation = ReadonlyMap<string, readonly Stretch[]>

/** Valid as long as `fleet.seq` does not change; one pass over all attempts. */
export function allocate(fleet: Fleet): Allocation {
  const allocation = new Map<string, Stretch[]>()
  for (const job of fleet.jobs.values()) {
    for (const attempt of job.attempts) {
      const stretches = allocation.get(attempt.podId)
      const stretch = { from: attempt.requestedAt, jobKey: job.key }
      if (stretches) stretches.push(stretch)
      else allocation.set(attempt.podId, [stretch])
    }
  }
  for (const stretches of allocation.values()) stretches.sort((a, b) => a.from - b.from)
  return allocation
}

/** What `job` has cost until `now`, over all its attempts and pods. `allocation` spares a second pass when many jobs are asked for. */
export function jobCost(fleet: Fleet, job: Job, now: Millis, allocation: Allocation = allocate(fleet)): Micro {
  let total = 0
  for (const [nth, { podId }] of job.attempts.entries()) {
    const pod = fleet.pods.get(podId)
    const stretches = allocation.get(podId)
    // All stretches of one pod belong to its first attempt.
    if (!pod || !stretches || job.attempts.findIndex(attempt => attempt.podId === podId) < nth) continue
    for (let index = 0; index < stretches.length; index++) {
      const stretch = stretches[index]!
      if (stretch.jobKey !== job.key) continue
      const until = Math.min(stretches[index + 1]?.from ?? now, now)
      // Differences of the cumulative cost, not sums of parts: each part would be rounded up on its own.
      total += podCost(pod, until) - (index === 0 ? 0 : podCost(pod, Math.min(stretch.from, now)))
    }
  }
  return total
}

/** What the pods of a run have cost until `now`, whoever used them; all runs with null. */
export function runCost(fleet: Fleet, runId: string | null, now: Millis): Micro {
  let total = 0
  for (const pod of fleet.pods.values()) if (runId === null || pod.runId === runId) total += podCost(pod, now)
  return total
}

/** Micro-dollars an hour on the open meters at `now`; of one run, or of all with null. */
export function hourlyRate(fleet: Fleet, now: Millis, runId: string | null = null): Micro {
  let rate = 0
  for (const pod of fleet.pods.values()) {
    if (!mayBill(pod) || (runId !== null && pod.runId !== runId)) continue
    for (const meter of pod.meters) if (meter.to === null && meter.from <= now) rate += meter.perHour
  }
  return rate
}
