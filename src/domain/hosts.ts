// Machines below pods that failed: a fresh pod that lands on one goes back before its boot is paid for.
import type { Fact } from './event.ts'
import type { Fleet } from './fleet.ts'
import type { Job } from './job.ts'
import type { Limits } from './limits.ts'
import type { Pod } from './pod.ts'
import { causeOf, sameWay } from './retry.ts'
import type { Millis } from './units.ts'

/** What is known of one machine; the fleet keeps those that failed. */
export type Host = { failedAt: Millis; why: string }

function keyOf(pod: Pod): string | null {
  return pod.hostId === null ? null : `${pod.provider}/${pod.hostId}`
}

/** The fold's part: `pod` broke, or became known to lie on a host after it had. */
export function learnHost(fleet: Fleet, pod: Pod, at: Millis): void {
  const key = keyOf(pod)
  if (key === null || !pod.broken || causeOf(pod.broken) !== 'host') return
  // A key that every pod refuses breaks them all, and is nobody's host's fault.
  if (fleet.providers.get(pod.provider)?.operator) return
  fleet.hosts.set(key, { failedAt: at, why: pod.broken.message })
}

/** The fold's part: what a poison job did to its hosts says nothing about them. */
export function forgiveHosts(fleet: Fleet, job: Job): void {
  if (job.fault?.code !== 'poison') return
  const way = sameWay(job.attempts.at(-1)?.fault ?? null)
  for (const { podId, fault } of job.attempts) {
    const pod = fleet.pods.get(podId)
    if (pod && way !== null && sameWay(fault) === way) fleet.hosts.delete(keyOf(pod) ?? '')
  }
}

/** Booting pods on a host to avoid, but for those that come after `hostAvoidTries` of the same run in a row. */
export function avoidHosts(fleet: Fleet, now: Millis, limits: Limits): Fact[] {
  if (fleet.hosts.size === 0) return []
  const facts: Fact[] = []
  const inARow = new Map<string, number>()
  for (const pod of fleet.pods.values()) {
    const host = fleet.hosts.get(keyOf(pod) ?? '')
    const avoided = inARow.get(pod.runId) ?? 0
    if (pod.hostAvoided) inARow.set(pod.runId, avoided + 1)
    else if (pod.readyAt !== null) inARow.set(pod.runId, 0)
    else if (pod.status === 'booting' && !pod.broken && host && now - host.failedAt < limits.hostAvoidMs) {
      if (avoided >= limits.hostAvoidTries) continue
      inARow.set(pod.runId, avoided + 1)
      const cause = `it lies on host ${pod.hostId}, which failed: ${host.why}`
      facts.push({ type: 'pod.host_avoided', podId: pod.id }, { type: 'pod.release_requested', podId: pod.id, cause })
    }
  }
  return facts
}
