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

/** A pod's meter up to its last turn, and what it has run for since: what of the ledger does not move with the clock. */
export type Life = {
  pod: Pod
  settled: readonly Entry[]
  last: { cause: Cause; jobKey: string | null; from: Millis }
}

type Owned = { attempt: Attempt; jobKey: string }

function lifeOf(fleet: Fleet, pod: Pod, attempts: readonly Owned[]): Life {
  const end = pod.goneAt ?? Number.POSITIVE_INFINITY
  const first = { at: pod.requestedAt, cause: 'request' as Cause, jobKey: null as string | null }
  const marks = [first]
  const mark = (at: Millis | null, cause: Cause, jobKey: string | null = null) => {
    if (at !== null) marks.push({ at: Math.min(Math.max(at, pod.requestedAt), end), cause, jobKey })
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
  const settled: Entry[] = []
  let [since, spent] = [first, 0]
  for (const next of marks.slice(1)) {
    // Differences of the cumulative cost: each part rounded up on its own would be more than the whole.
    const until = podCost(pod, next.at)
    add(settled, pod, since, since.at, next.at, until - spent)
    since = next
    spent = until
  }
  return { pod, settled, last: { cause: since.cause, jobKey: since.jobKey, from: since.at } }
}

type Owner = { cause: Cause; jobKey: string | null }

function add(entries: Entry[], pod: Pod, { cause, jobKey }: Owner, from: Millis, to: Millis, micro: Micro): void {
  if (to > from || micro !== 0) entries.push({ podId: pod.id, runId: pod.runId, jobKey, cause, from, to, micro })
}

/** Of all pods, oldest first. Valid as long as `fleet.seq` does not change; later, what came since goes to what a pod did before. */
export function livesOf(fleet: Fleet): Life[] {
  const attempts = new Map<string, Owned[]>()
  for (const job of fleet.jobs.values()) {
    for (const attempt of job.attempts) {
      const list = attempts.get(attempt.podId)
      const one = { attempt, jobKey: job.key }
      if (list) list.push(one)
      else attempts.set(attempt.podId, [one])
    }
  }
  const lives: Life[] = []
  for (const pod of fleet.pods.values()) {
    if (pod.status === 'refused') continue
    const own = (attempts.get(pod.id) ?? []).sort((a, b) => a.attempt.requestedAt - b.attempt.requestedAt)
    lives.push(lifeOf(fleet, pod, own))
  }
  return lives
}

/** Each pod's whole life until `now`, without gaps; the sum of its `micro` is `podCost(pod, now)`. */
export function entriesOf(lives: readonly Life[], now: Millis): Entry[] {
  const entries: Entry[] = []
  for (const { pod, settled, last } of lives) {
    let spent = 0
    for (const entry of settled) {
      entries.push(entry)
      spent += entry.micro
    }
    add(entries, pod, last, last.from, Math.max(last.from, pod.goneAt ?? now), podCost(pod, now) - spent)
  }
  return entries
}

/** Of all pods, oldest first. */
export function ledger(fleet: Fleet, now: Millis): Entry[] {
  return entriesOf(livesOf(fleet), now)
}
