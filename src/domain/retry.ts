// What a failed attempt means for its job: again in the same place, again elsewhere, or never.
import type { FaultData } from './fault.ts'
import type { Attempt, Job } from './job.ts'
import type { Limits } from './limits.ts'
import type { Millis } from './units.ts'

export type Verdict = { again: true; dueAt: Millis; why: string } | { again: false; fault: FaultData }

/** Decides over a waiting job whose last attempt failed. `retries` = tries on other pods after the first. */
export function verdict(job: Job, retries: number, limits: Limits): Verdict {
  const last = job.attempts.at(-1)
  const fault = last?.fault
  const since = sinceRetryAsked(job)
  // Somebody who asks for another try knows what became of the last one.
  if (!fault || since.length === 0) return { again: true, dueAt: job.dueAt, why: 'first try' }
  const endedAt = last.endedAt ?? 0
  switch (fault.kind) {
    case 'job':
      return { again: false, fault }
    case 'pod': {
      // A pod that a person killed says nothing about the job.
      const counted = since.filter(a => a.fault?.kind === 'pod' && a.fault.code !== 'pod_killed').length
      if (fault.code !== 'pod_killed' && counted > retries) return { again: false, fault }
      return { again: true, dueAt: endedAt, why: `${fault.message}; again on another pod` }
    }
    case 'transient':
    case 'capacity': {
      const tries = since.filter(a => a.fault?.kind === fault.kind).length
      if (tries >= limits.transientTries) return { again: false, fault }
      const pause = fault.retryAfterMs ?? limits.backoffMs * 2 ** (tries - 1)
      return { again: true, dueAt: endedAt + pause, why: `${fault.message}; again in ${Math.ceil(pause / 1000)} s` }
    }
    case 'operator':
      // Waits for the person: nothing new starts while the provider's state asks for one.
      return { again: true, dueAt: endedAt, why: fault.message }
  }
}

/** Attempts that count: those since the job was last queued or asked to be tried again. */
function sinceRetryAsked(job: Job): Attempt[] {
  return job.attempts.filter(a => a.requestedAt >= job.openedAt)
}
