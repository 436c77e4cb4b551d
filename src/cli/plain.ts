// Progress as lines, for pipes and logs, and the summary at the end of a run.
import { relative } from 'node:path'
import { allocate, jobCost, runCost } from '../domain/cost.ts'
import type { Event } from '../domain/event.ts'
import type { Fleet } from '../domain/fleet.ts'
import { type Hold, holdOf } from '../domain/hold.ts'
import type { Limits } from '../domain/limits.ts'
import { costOfPods, jobsOfRun, paidWith, podsOfRun } from '../domain/review.ts'
import type { Run } from '../domain/run.ts'
import { formatBytes, formatClock, formatLimit, formatUsd, plural } from '../domain/units.ts'
import { every, systemClock } from '../edge/clock.ts'
import { tell as storyOf } from '../tui/story.ts'
import type { Follow } from './follow.ts'
import { clean, table } from './table.ts'

/** A line for everybody at work, this often. */
const PROGRESS_MS = 5000
/** How soon a full disk is told, or why jobs wait. */
const LOOK_MS = 1000
/** Older figures are not shown as if they still held. */
const SILENT_MS = 15_000

/** Facts that only somebody who looks for a fault wants to read. */
const QUIET = new Set<Event['type']>([
  'engine.started',
  'engine.stopped',
  'pod.addressed',
  'pod.host_key_pinned',
  'pod.release_accepted',
  'attempt.succeeded',
  'operator.cleared',
])

/** `since`: what happened before is told no more; the whole run as a rule. */
export function plainScreen(
  follow: Follow,
  runId: string,
  limits: Limits,
  since = follow.fleet.runs.get(runId)?.openedAt ?? 0,
): () => void {
  const write = (at: number, text: string) =>
    process.stdout.write(`${new Date(at).toTimeString().slice(0, 8)} ${clean(text)}\n`)
  const tell = (event: Event) => {
    if (QUIET.has(event.type)) return
    const { text } = storyOf(event)
    const isOther = 'runId' in event && event.runId !== runId && event.type.startsWith('run.')
    write(event.at, isOther ? `${event.runId}: ${text}` : text)
  }
  for (const event of follow.fleet.recent) if (event.at >= since) tell(event)
  const unlisten = follow.onEvent(tell)
  let trouble: string | null = null
  const tellTrouble = () => {
    const now = follow.trouble()
    if (now !== null && now !== trouble) write(systemClock.now(), now)
    trouble = now
  }
  const told = new Set<Hold['limit']>()
  const tellHold = () => {
    const now = systemClock.now()
    const run = follow.fleet.runs.get(runId)
    const hold = run ? holdOf(follow.fleet, run, now, limits) : null
    if (!hold || told.has(hold.limit)) return
    told.add(hold.limit)
    write(now, holdWords(hold))
  }
  const quiet = every(LOOK_MS, () => {
    tellTrouble()
    tellHold()
  })
  const stop = every(PROGRESS_MS, () => {
    const parts: string[] = []
    const now = systemClock.now()
    for (const job of follow.fleet.jobs.values()) {
      const gauge = job.runId === runId && job.status === 'running' ? follow.gauges().jobs.get(job.key) : undefined
      if (gauge && now - gauge.at > SILENT_MS)
        parts.push(`${job.spec.jobId} no news for ${formatClock(now - gauge.at)}`)
      else if (gauge)
        parts.push(
          `${job.spec.jobId} ${gauge.fraction === null ? gauge.phase : `${Math.floor(gauge.fraction * 100)} %`}`,
        )
    }
    if (parts.length > 0) write(now, `${parts.join(', ')} · spent ${formatUsd(runCost(follow.fleet, runId, now))}`)
  })
  return () => {
    unlisten()
    quiet()
    stop()
  }
}

function holdWords(hold: Hold): string {
  const waits = hold.jobs === 1 ? '1 job waits' : `${hold.jobs} jobs wait`
  if (hold.limit === 'hourly')
    return `${waits} for a pod to end: ${formatUsd(hold.taken)} of ${formatLimit(hold.max)}/h are taken (--max-hourly)`
  return `${waits} for what is under way: what that may leave of ${formatLimit(hold.max)} pays for no other pod (--max-cost)`
}

export function summary(fleet: Fleet, run: Run, now: number, cwd: string): string {
  const jobs = jobsOfRun(fleet, run)
  const pods = podsOfRun(fleet, run)
  const paid = paidWith(fleet, pods)
  const allocation = allocate(fleet)
  const rows = jobs.map(job => {
    const begun = job.attempts[0]?.requestedAt
    const files = job.published.map(
      file => `${file.path ? relative(cwd, file.path) || file.path : file.url} (${formatBytes(file.bytes)})`,
    )
    // Six tiles of a contact sheet are one line; the first tells where the others lie.
    const more = files.length > 1 ? ` and ${files.length - 1} more` : ''
    const told = job.status === 'completed' ? `${files[0] ?? ''}${more}` : (job.fault?.message ?? '')
    return [
      job.spec.jobId,
      job.status,
      begun === undefined ? '–' : formatClock((job.settledAt ?? now) - begun),
      formatUsd(jobCost(paid, job, now, allocation)),
      told,
    ]
  })
  const gone = pods.filter(pod => pod.status === 'gone').length
  const lines = [table(['JOB', 'STATUS', 'TIME', 'COST', 'OUTPUT'], rows)]
  const hints = new Set(jobs.filter(job => job.status === 'failed').flatMap(job => job.fault?.hint ?? []))
  for (const hint of hints) lines.push(`→ ${clean(hint)}`)
  const done = jobs.filter(job => job.status === 'completed').length
  lines.push(
    `${run.id} ${run.status.replace('_', ' ')}: ${done} of ${plural(jobs.length, 'job')} completed in ${formatClock((run.closedAt ?? now) - run.openedAt)}, ${formatUsd(costOfPods(pods, now))} on ${plural(pods.length, 'pod')}, ${gone === pods.length ? 'all proven gone' : `${pods.length - gone} not gone`}.`,
  )
  return `${lines.join('\n')}\n`
}
