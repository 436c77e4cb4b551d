// What must be under way in the world, read off the fleet: open questions of the journal. Start-up is just another tick.
import type { Fleet } from './fleet.ts'
import { isSettled, liveAttempt } from './job.ts'
import { awaitsFarewell } from './lease.ts'
import { mayBill } from './pod.ts'

export type Effect =
  | { kind: 'create'; podId: string }
  | { kind: 'tend'; podId: string }
  | { kind: 'run'; jobKey: string; attempt: number; podId: string; cancel: boolean }
  | { kind: 'salvage'; jobKey: string; attempt: number; podId: string }
  | { kind: 'publish'; jobKey: string }
  | { kind: 'stop'; podId: string }
  | { kind: 'release'; podId: string }
  | { kind: 'watch'; provider: string }

/** One at a time under the same key. `cancel` is not part of it: it is told to the running effect. */
export function effectKey(effect: Effect): string {
  switch (effect.kind) {
    case 'run':
      return `run:${effect.jobKey}:${effect.attempt}`
    case 'salvage':
      return `salvage:${effect.jobKey}:${effect.attempt}`
    case 'publish':
      return `publish:${effect.jobKey}`
    case 'watch':
      return `watch:${effect.provider}`
    default:
      return `${effect.kind}:${effect.podId}`
  }
}

export function effects(fleet: Fleet): Effect[] {
  const wanted: Effect[] = []
  const watched = new Set<string>()
  for (const pod of fleet.pods.values()) {
    if (!mayBill(pod)) continue
    if (!watched.has(pod.provider)) {
      watched.add(pod.provider)
      wanted.push({ kind: 'watch', provider: pod.provider })
    }
    // A release that overtakes its creation waits for the answer: what may exist must be found before it can end.
    if (pod.ref === null) wanted.push({ kind: 'create', podId: pod.id })
    // Its end waits for the one look at what it left: an attempt never outlives its pod.
    else if (awaitsFarewell(pod)) continue
    else if (pod.status === 'releasing') wanted.push({ kind: 'release', podId: pod.id })
    else if (pod.status === 'stopping') wanted.push({ kind: 'stop', podId: pod.id })
    else if (pod.status !== 'stopped' && !pod.broken) wanted.push({ kind: 'tend', podId: pod.id })
  }
  for (const job of fleet.jobs.values()) {
    if (isSettled(job)) continue
    const attempt = liveAttempt(job)
    const pod = attempt && fleet.pods.get(attempt.podId)
    if (pod && awaitsFarewell(pod))
      wanted.push({ kind: 'salvage', jobKey: job.key, attempt: attempt.number, podId: pod.id })
    else if (attempt)
      wanted.push({
        kind: 'run',
        jobKey: job.key,
        attempt: attempt.number,
        podId: attempt.podId,
        cancel: job.cancelRequested,
      })
    else if (job.status === 'running') wanted.push({ kind: 'publish', jobKey: job.key })
  }
  return wanted
}
