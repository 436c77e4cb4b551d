// The fold's part on jobs, their attempts and what these made.
import type { Event } from './event.ts'
import type { FaultData } from './fault.ts'
import type { Fleet } from './fleet.ts'
import { forgiveHosts } from './hosts.ts'
import { type Attempt, isSettled, isUnpublished, type Job, jobKey, type Stall } from './job.ts'
import { assert, jobOf, podOf, runOf } from './lookup.ts'
import { learnJob } from './pace.ts'
import { ranOutFreed } from './retry.ts'
import type { Run } from './run.ts'
import { liveStall } from './stuck.ts'
import type { Millis } from './units.ts'

export function applyToJob(fleet: Fleet, event: Event): void {
  if (event.type === 'job.queued') {
    const key = jobKey(event.runId, event.spec.jobId)
    assert(fleet.runs.has(event.runId), `job ${key} of an unknown run`)
    assert(!fleet.jobs.has(key), `job ${key} queued twice`)
    fleet.jobs.set(key, {
      key,
      runId: event.runId,
      spec: event.spec,
      status: 'waiting',
      attempts: [],
      queuedAt: event.at,
      openedAt: event.at,
      dueAt: event.at,
      vramGbAbove: 0,
      cancelRequested: false,
      published: [],
      fault: null,
      settledAt: null,
    })
    return
  }
  if (!('jobKey' in event)) throw new Error(`bug: ${event.type} is no event of a job`)
  const job = jobOf(fleet, event.jobKey)
  switch (event.type) {
    case 'job.cancel_requested':
      if (!isSettled(job)) job.cancelRequested = true
      return
    case 'job.retry_requested':
      // Asked for by people, perhaps of a job that settled otherwise a moment ago: only a failed or cancelled one goes again.
      if (job.status === 'failed' || job.status === 'cancelled') {
        Object.assign(job, {
          // What is rendered and stored is only to be published.
          status: isUnpublished(job) ? 'running' : 'waiting',
          cancelRequested: false,
          fault: null,
          settledAt: null,
          dueAt: event.at,
          openedAt: event.at,
          vramGbAbove: 0,
        })
        reopen(runOf(fleet, job.runId), event.at)
      }
      return
    case 'job.completed':
      assert(job.attempts.at(-1)?.status === 'succeeded', `job ${job.key} completed without a succeeded attempt`)
      Object.assign(job, { status: 'completed', published: event.published, settledAt: event.at, fault: null })
      return
    case 'job.failed':
      assert(!isSettled(job), `job ${job.key} failed after it was settled`)
      Object.assign(job, { status: 'failed', fault: event.fault, settledAt: event.at })
      forgiveHosts(fleet, job)
      return
    case 'job.delayed':
      job.dueAt = event.dueAt
      return
    case 'job.cancelled':
      assert(!isSettled(job), `job ${job.key} cancelled after it was settled`)
      Object.assign(job, { status: 'cancelled', settledAt: event.at })
      return
    case 'attempt.requested': {
      const pod = podOf(fleet, event.podId)
      assert(job.status === 'waiting', `attempt of ${job.key}, which is ${job.status}`)
      assert(
        pod.status === 'ready' && pod.broken === null && pod.jobKey === null,
        `attempt of ${job.key} on ${pod.id}, which is ${pod.status}`,
      )
      assert(event.attempt === job.attempts.length + 1, `attempt ${event.attempt} of ${job.key} out of order`)
      job.attempts.push({
        number: event.attempt,
        podId: pod.id,
        promptId: event.promptId,
        freeFirst: event.freeFirst ?? false,
        hostId: pod.hostId,
        status: 'requested',
        requestedAt: event.at,
        startedAt: null,
        renderedAt: null,
        endedAt: null,
        fault: null,
        artifacts: [],
        stalls: [],
      })
      job.status = 'running'
      Object.assign(pod, { jobKey: job.key, idleSince: null })
      return
    }
    case 'attempt.started': {
      const attempt = liveAttemptOf(job, event.attempt)
      attempt.status = 'started'
      attempt.startedAt ??= event.at
      return
    }
    case 'attempt.rendered':
      liveAttemptOf(job, event.attempt).renderedAt ??= event.at
      return
    case 'artifact.stored':
      liveAttemptOf(job, event.attempt).artifacts.push(event.artifact)
      return
    case 'attempt.succeeded':
      endAttempt(fleet, job, event.attempt, 'succeeded', event.at, null)
      learnJob(fleet, job, job.attempts.at(-1) as Attempt)
      return
    case 'attempt.failed':
      endAttempt(fleet, job, event.attempt, 'failed', event.at, event.fault)
      job.status = 'waiting'
      job.fault = event.fault
      learnMemory(fleet, job)
      return
    case 'attempt.cancelled':
      endAttempt(fleet, job, event.attempt, 'cancelled', event.at, null)
      job.status = 'waiting'
      return
    case 'attempt.stuck_warned': {
      const { since, silent } = event
      const { stalls } = liveAttemptOf(job, event.attempt)
      stalls.push({ since, silent, warnedAt: event.at, waitAskedAt: null, steps: [], clearedAt: null })
      return
    }
    case 'attempt.stuck_cleared':
      stallOf(job, event.attempt).clearedAt = event.at
      return
    case 'attempt.stuck_step':
      stallOf(job, event.attempt).steps.push({ step: event.step, at: event.at, reason: event.reason })
      return
    case 'attempt.wait_requested': {
      // Asked for by people, perhaps a moment after it lived again or ended.
      const attempt = job.attempts[event.attempt - 1]
      const stall = attempt && liveStall(attempt)
      if (stall) stall.waitAskedAt = event.at
      return
    }
  }
}

function stallOf(job: Job, number: number): Stall {
  const stall = liveStall(liveAttemptOf(job, number))
  if (!stall) throw new Error(`bug: attempt ${number} of ${job.key} is not called stuck`)
  return stall
}

function endAttempt(
  fleet: Fleet,
  job: Job,
  number: number,
  status: 'succeeded' | 'failed' | 'cancelled',
  at: Millis,
  fault: FaultData | null,
): void {
  const attempt = liveAttemptOf(job, number)
  Object.assign(attempt, { status, endedAt: at, fault })
  const pod = podOf(fleet, attempt.podId)
  assert(pod.jobKey === job.key, `${pod.id} does not hold ${job.key}`)
  Object.assign(pod, { jobKey: null, idleSince: at, finished: pod.finished + 1 })
}

/** A card that was too small with nothing else in its memory stays too small. */
function learnMemory(fleet: Fleet, job: Job): void {
  const last = job.attempts.at(-1)
  if (!last || !ranOutFreed(last)) return
  job.vramGbAbove = Math.max(job.vramGbAbove, podOf(fleet, last.podId).offer.vramGb)
}

/** A closed run works again when one of its jobs does. */
function reopen(run: Run, at: Millis): void {
  Object.assign(run, {
    status: 'running',
    timedFrom: run.closedAt === null && run.limitReached !== 'time' ? run.timedFrom : at,
    closedAt: null,
    draining: false,
    cancelRequested: false,
    limitReached: null,
  })
}

function liveAttemptOf(job: Job, number: number): Attempt {
  const attempt = job.attempts.at(-1)
  if (attempt?.number !== number || attempt.endedAt !== null)
    throw new Error(`bug: attempt ${number} of ${job.key} is not under way`)
  return attempt
}
