// What the end of an executor's work means for its attempt and its pod, as facts.
import type { Fact } from './event.ts'
import type { FaultData } from './fault.ts'
import type { Fleet } from './fleet.ts'
import { liveAttempt } from './job.ts'
import { jobOf, podOf } from './lookup.ts'
import { STUCK_CODE } from './stuck.ts'

export type End = { ok: true } | { ok: false; fault: FaultData }

/** Of the job's live attempt; null when only the connection was lost: the prompt lives on, and the work goes on over the next one. */
export function endOf(fleet: Fleet, jobKey: string, end: End, isCancelled: boolean): Fact[] | null {
  const attempt = liveAttempt(jobOf(fleet, jobKey))
  if (!attempt) return []
  const at = { jobKey, attempt: attempt.number }
  if (isCancelled && (end.ok || isStopped(end.fault))) return [{ type: 'attempt.cancelled', ...at }]
  if (end.ok) return [{ type: 'attempt.succeeded', ...at }]
  const { fault } = end
  const wasUnstuck = attempt.stalls.some(({ steps }) => steps.length > 0)
  // What an engine that died did to it is no fault of the job, nor of the pod.
  if (wasUnstuck && (fault.code === 'interrupted' || fault.code === 'prompt_lost'))
    return [{ type: 'attempt.failed', ...at, fault: { ...fault, kind: 'transient', code: STUCK_CODE } }]
  if (fault.code === 'connection_lost') return null
  if (isCancelled) return abandon(fleet, jobKey, fault)
  const facts: Fact[] = [{ type: 'attempt.failed', ...at, fault }]
  const { podId } = attempt
  if (fault.kind === 'pod') facts.push({ type: 'pod.broken', podId, fault })
  if (fault.kind === 'operator') facts.push({ type: 'operator.needed', provider: podOf(fleet, podId).provider, fault })
  return facts
}

/** A cancelled attempt that nobody could stop. Whatever it still does, no other may be put beside it. */
export function abandon(fleet: Fleet, jobKey: string, fault: FaultData): Fact[] {
  const attempt = liveAttempt(jobOf(fleet, jobKey))
  if (!attempt) return []
  return [
    { type: 'attempt.cancelled', jobKey, attempt: attempt.number },
    { type: 'pod.broken', podId: attempt.podId, fault: { ...fault, kind: 'pod' } },
  ]
}

function isStopped({ code, kind }: FaultData): boolean {
  return code === 'cancelled' || (code === STUCK_CODE && kind === 'transient')
}
