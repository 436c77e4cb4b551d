// Where the money went: every moment on a pod's meter has one cause, and the causes add up to the pod's cost.
import type { Fleet } from './fleet.ts'
import type { Attempt } from './job.ts'
import { type Pod, podCost } from './pod.ts'
import type { Micro, Millis } from './units.ts'

/** wasted: failed (an attempt that came to nothing), stuck (without a sign of life, and warned of it) and held are what somebody may want to know about. */
export const CAUSES = [
  'request',
  'boot',
  'transfer',
  'render',
  'idle',
  'held',
  'stuck',
  'failed',
  'stopped',
  'teardown',
] as const
export type Cause = (typeof CAUSES)[number]

export type Entry = {
  podId: string
  runId: string
  jobKey: string | null
  cause: Cause
  from: Millis
  to: Millis
  micro: Micro
}

type Owned = { attempt: Attempt; jobKey: string }

/** The pod's whole life until `now`, without gaps; the sum of `micro` is `podCost(pod, now)`. */
function ledgerOf(fleet: Fleet, pod: Pod, attempts: readonly Owned[], now: Millis): Entry[] {
  const end = pod.goneAt ?? now
  const marks: { at: Millis; cause: Cause; jobKey: string | null }[] = [
    { at: pod.requestedAt, cause: 'request', jobKey: null },
  ]
  const mark = (at: Millis | null, cause: Cause, jobKey: string | null = null) => {
    if (at !== null) marks.push({ at, cause, jobKey })
  }
  mark(pod.createdAt, 'boot')
  mark(pod.readyAt, 'idle')
  for (const { attempt, jobKey } of attempts) {
    const isLost = attempt.status === 'failed' || attempt.status === 'cancelled'
    mark(attempt.requestedAt, isLost ? 'failed' : 'transfer', jobKey)
    if (!isLost) {
      mark(attempt.startedAt, 'render', jobKey)
      mark(attempt.renderedAt, 'transfer', jobKey)
    }
    for (const { since, clearedAt } of attempt.stalls) {
      mark(Math.max(since, attempt.startedAt ?? attempt.requestedAt), 'stuck', jobKey)
      mark(clearedAt, isLost ? 'failed' : 'render', jobKey)
    }
    mark(attempt.endedAt, 'idle')
  }
  for (const meter of pod.meters.slice(1)) mark(meter.from, meter.perHour === 0 ? 'stopped' : 'boot')
  const closedAt = fleet.runs.get(pod.runId)?.closedAt ?? null
  // A pod that outlives its run was kept by somebody.
  if (closedAt !== null && closedAt < end) mark(closedAt, 'held')
  mark(pod.releaseAt, 'teardown')
  marks.sort((a, b) => a.at - b.at)
  return marks.flatMap(({ at, cause, jobKey }, index) => {
    const from = Math.min(Math.max(at, pod.requestedAt), end)
    const to = Math.min(marks[index + 1]?.at ?? end, end)
    const isLast = index === marks.length - 1
    // Differences of the cumulative cost: each part rounded up on its own would be more than the whole.
    const micro = podCost(pod, isLast ? now : to) - (index === 0 ? 0 : podCost(pod, from))
    return to > from || micro !== 0 ? [{ podId: pod.id, runId: pod.runId, jobKey, cause, from, to, micro }] : []
  })
}

/** Of all pods, oldest first. */
export function ledger(fleet: Fleet, now: Millis): Entry[] {
  const attempts = new Map<string, Owned[]>()
  for (const job of fleet.jobs.values()) {
    for (const attempt of job.attempts) {
      const list = attempts.get(attempt.podId)
      const one = { attempt, jobKey: job.key }
      if (list) list.push(one)
      else attempts.set(attempt.podId, [one])
    }
  }
  return [...fleet.pods.values()]
    .filter(pod => pod.status !== 'refused')
    .flatMap(pod =>
      ledgerOf(
        fleet,
        pod,
        (attempts.get(pod.id) ?? []).sort((a, b) => a.attempt.requestedAt - b.attempt.requestedAt),
        now,
      ),
    )
}
