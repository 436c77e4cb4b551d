// What becomes at once of jobs that are tried again: a cap that ended them before ends them again, before anything is rented.
import type { Event } from '../domain/event.ts'
import { isSettled, type Job } from '../domain/job.ts'
import { every } from '../edge/clock.ts'
import type { Follow } from './follow.ts'

/** An engine that starts reads the journal and asks for offers before it decides; jobs that wait in line are not waited for. */
const DECISION_MS = 4000

/** Resolves when each of the jobs is settled or has something done for it, at the latest after `waitMs`; with those that failed. */
export function failedAtOnce(
  { onEvent }: Pick<Follow, 'onEvent'>,
  jobs: readonly Job[],
  waitMs = DECISION_MS,
): Promise<Job[]> {
  const { promise, resolve } = Promise.withResolvers<Job[]>()
  const open = new Set(jobs)
  const look = (event: Event | null) => {
    for (const job of open) if (isSettled(job) || (event && isBegun(event, job))) open.delete(job)
    if (open.size === 0) end()
  }
  const end = () => resolve(jobs.filter(job => job.status === 'failed'))
  const unlisten = onEvent(look)
  const stop = every(waitMs, end)
  look(null)
  return promise.finally(() => {
    unlisten()
    stop()
  })
}

function isBegun(event: Event, job: Job): boolean {
  if (event.type === 'pod.requested') return event.runId === job.runId
  return (event.type === 'attempt.requested' || event.type === 'job.delayed') && event.jobKey === job.key
}
