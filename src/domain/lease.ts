// The lease on a pod: how long it lives without its owner, and what is made of what it left behind when it ended itself.
import type { Fact } from './event.ts'
import type { Fleet } from './fleet.ts'
import { type Artifact, liveAttempt } from './job.ts'
import type { Limits } from './limits.ts'
import { jobOf, podOf, runOf } from './lookup.ts'
import { mayBill, type Pod } from './pod.ts'
import type { Millis } from './units.ts'

export type Terms = {
  /** Without a renewal for so long the pod ends itself. */
  leaseMs: Millis
  /** Longest life of the pod, counted from its first start, whoever renews. */
  deadlineMs: Millis
}

/** A pod that is kept at the end of its run has no owner then: only its deadline ends it. */
export function termsOf(fleet: Fleet, pod: Pod, limits: Limits): Terms {
  const { policy, timedFrom } = runOf(fleet, pod.runId)
  // Of no use once its run is at its limit of time; a lease more, so that an engine that lives puts it away itself.
  const usefulMs =
    policy.timeoutMs === null || policy.keep
      ? limits.deadlineMs
      : timedFrom + policy.timeoutMs - pod.requestedAt + limits.leaseMs
  const deadlineMs = Math.min(limits.deadlineMs, Math.max(usefulMs, limits.leaseMs))
  return { leaseMs: policy.keep ? deadlineMs : limits.leaseMs, deadlineMs }
}

/** Nobody reads the lease of that name any more: every pod that had it is gone. One that this home does not know of is not its own. */
export function isLeaseOver(fleet: Fleet, podName: string): boolean {
  const pods = [...fleet.pods.values()].filter(({ name }) => name === podName)
  return pods.length > 0 && !pods.some(mayBill)
}

/** Its attempt may have been finished without us: neither is given up before somebody looked, whatever a person wants of the pod meanwhile. */
export function awaitsFarewell(pod: Pod): boolean {
  const wasInUse = pod.status === 'ready' || pod.status === 'stopping' || pod.status === 'releasing'
  return wasInUse && pod.broken !== null && pod.jobKey !== null && pod.farewell === null
}

/** It said itself that it ends: what it saves is about to be in the bucket, or is there already. */
export function isExpected(pod: Pod): boolean {
  return pod.broken?.code === 'pod_ends_itself'
}

/** What was found in the bucket of the attempt that ran on a broken pod; `artifacts` only when all of them are there. */
export type Left = { reason: 'lease' | 'deadline' | null; artifacts: Artifact[] | null }

/** Its outputs are the attempt's, as if they had been brought over; without them the attempt is lost with its pod. */
export function takeOver(fleet: Fleet, jobKey: string, podId: string, { reason, artifacts }: Left): Fact[] {
  const attempt = liveAttempt(jobOf(fleet, jobKey))
  if (attempt?.podId !== podId || !awaitsFarewell(podOf(fleet, podId))) return []
  const read: Fact = { type: 'pod.farewell_read', podId, reason, adopted: artifacts !== null }
  if (!artifacts) return [read]
  const { number } = attempt
  const fresh = artifacts.filter(({ key }) => !attempt.artifacts.some(stored => stored.key === key))
  return [
    read,
    ...fresh.map((artifact): Fact => ({ type: 'artifact.stored', jobKey, attempt: number, artifact })),
    { type: 'attempt.succeeded', jobKey, attempt: number },
  ]
}
