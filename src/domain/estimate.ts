// What is still to come: how long and how much until the running and waiting jobs are done, as a range. It assumes that nothing fails
// and that no more pods come than there are; where there is nothing to go by, there is no estimate. Shown to people, decides nothing.
import type { Fleet } from './fleet.ts'
import { type Job, liveAttempt } from './job.ts'
import { gpuOf, LATE_SHARE, quantile, seenBootMs, seenJobMs, seenReleaseMs } from './pace.ts'
import { isUsable, mayBill, type Pod } from './pod.ts'
import { liveStall } from './stuck.ts'
import { accrue, type Micro, type Millis } from './units.ts'

/** Milliseconds. */
export type Range = readonly [low: number, high: number]
/** `micro` comes on top of what was spent; `end` are moments. */
export type Estimate = { micro: readonly [Micro, Micro]; end: readonly [Millis, Millis] }
/** How far a running job is, and when that was known. */
export type ProgressOf = (job: Job) => { fraction: number; at: Millis } | null

// The first moments (loading a model) say nothing about the rest.
const BASIS_FRACTION = 0.1
const BASIS_MS = 20_000
// Steps of a sampler are nearly even, what comes after them (decoding, saving) is not.
const EVEN: Range = [0.9, 1.25]
// One finished job is one sample; several show their own spread, but never less than this.
const SINGLE: Range = [0.8, 1.35]
const SEVERAL: Range = [0.95, 1.1]
// From the last job's end to the proof that the pod is gone, where none was seen yet: two listings and a look.
const TEARDOWN: Range = [20_000, 60_000]
const NOTHING_LEFT: Range = [0, 0]

/** How long the live attempt of a job still takes; null before there is a basis. */
export function jobLeft(fleet: Fleet, job: Job, progressOf: ProgressOf, now: Millis): Range | null {
  const attempt = liveAttempt(job)
  // Nobody knows how long something that is called stuck still takes.
  if (!attempt || liveStall(attempt)) return null
  const since = attempt.startedAt ?? attempt.requestedAt
  const own = ownTotal(job, progressOf)
  const total = own === null ? rangeOf(seenJobMs(fleet, job.spec, gpuOf(fleet, attempt))) : scaled(own, EVEN)
  if (!total) return null
  const elapsed = now - (own === null ? attempt.requestedAt : since)
  // Later than it should be: nobody knows how much longer.
  return [Math.max(0, total[0] - elapsed), Math.max(elapsed * LATE_SHARE, total[1] - elapsed)]
}

/** By its own progress, from its start to its end. */
function ownTotal(job: Job, progressOf: ProgressOf): number | null {
  const attempt = liveAttempt(job)
  const progress = attempt && progressOf(job)
  if (!progress || progress.fraction < BASIS_FRACTION || progress.fraction >= 1) return null
  const ms = progress.at - (attempt.startedAt ?? attempt.requestedAt)
  return ms < BASIS_MS ? null : ms / progress.fraction
}

/** Of a run that is under way; null while nothing can be said, or nothing is left. */
export function estimateRun(fleet: Fleet, runId: string, progressOf: ProgressOf, now: Millis): Estimate | null {
  const run = fleet.runs.get(runId)
  if (run?.status !== 'running') return null
  const open: Job[] = []
  for (const job of fleet.jobs.values())
    if (job.runId === runId && (job.status === 'running' || job.status === 'waiting') && !job.cancelRequested)
      open.push(job)
  if (open.length === 0) return null
  const pods: Taken[] = []
  for (const pod of fleet.pods.values()) {
    if (pod.runId !== runId || !mayBill(pod)) continue
    const job = pod.jobKey ? fleet.jobs.get(pod.jobKey) : undefined
    const left = job ? jobLeft(fleet, job, progressOf, now) : NOTHING_LEFT
    if (!left) return null
    pods.push({ pod, left })
  }
  const waiting = open.filter(job => !liveAttempt(job))
  // Thousands of jobs and hundreds of pods, a few kinds.
  const ranges: Ranges = {
    job: known(
      (job, gpuName) => `${job.spec.template} ${gpuName}`,
      (job, gpuName) => rangeOf(seenJobMs(fleet, job.spec, gpuName)) ?? likeOthers(open, job, progressOf),
    ),
    boot: known(
      pod => pod.provider,
      pod => rangeOf(seenBootMs(fleet, pod.provider)),
    ),
    teardown: known(
      pod => pod.provider,
      pod => rangeOf(seenReleaseMs(fleet, pod.provider)) ?? TEARDOWN,
    ),
  }
  const low = finish(waiting, pods, ranges, now, 0)
  const high = finish(waiting, pods, ranges, now, 1)
  return low && high ? { micro: [low.micro, high.micro], end: [low.end, high.end] } : null
}

type Ranges = {
  job(job: Job, gpuName: string): Range | null
  boot(pod: Pod): Range | null
  teardown(pod: Pod): Range
}

/** A pod, and how long what it works on still takes. */
type Taken = { pod: Pod; left: Range }

/** `make`, asked once for each name. */
function known<Of extends unknown[], Answer>(name: (...of: Of) => string, make: (...of: Of) => Answer) {
  const answers = new Map<string, Answer>()
  return (...of: Of): Answer => {
    const key = name(...of)
    if (!answers.has(key)) answers.set(key, make(...of))
    return answers.get(key) as Answer
  }
}

/** As long as the longest that is under way with the same template. */
function likeOthers(open: readonly Job[], job: Job, progressOf: ProgressOf): Range | null {
  let longest: number | null = null
  for (const other of open)
    if (other.spec.template === job.spec.template) longest = Math.max(longest ?? 0, ownTotal(other, progressOf) ?? 0)
  return longest ? scaled(longest, SINGLE) : null
}

/** The waiting jobs in their order, each to the pod that is free first; `side` takes the low (0) or the high (1) ends. */
function finish(
  waiting: readonly Job[],
  pods: readonly Taken[],
  ranges: Ranges,
  now: Millis,
  side: 0 | 1,
): { micro: Micro; end: Millis } | null {
  // Milliseconds from now until each pod has nothing more to do.
  const all: { pod: Pod; ms: number }[] = []
  for (const { pod, left } of pods) {
    const boot = pod.readyAt === null && isUsable(pod) ? ranges.boot(pod) : null
    if (boot) all.push({ pod, ms: Math.max(0, boot[side] - (now - pod.requestedAt)) })
    else if (pod.readyAt !== null || !isUsable(pod)) all.push({ pod, ms: left[side] })
  }
  const takers = all.filter(({ pod }) => isUsable(pod) && !pod.draining).sort((a, b) => a.ms - b.ms)
  for (const job of waiting) {
    const first = takers.shift()
    const total = first && ranges.job(job, first.pod.offer.gpuName)
    if (!first || !total) return null
    first.ms += total[side]
    const place = takers.findIndex(({ ms }) => ms > first.ms)
    takers.splice(place === -1 ? takers.length : place, 0, first)
  }
  let micro = 0
  let last = 0
  for (const { pod, ms } of all) {
    last = Math.max(last, ms)
    micro += accrue(pod.meters.at(-1)?.perHour ?? 0, ms + ranges.teardown(pod)[side])
  }
  return { micro, end: now + last }
}

/** Where most of what was seen lies; null when nothing was. */
function rangeOf(seen: readonly number[]): Range | null {
  if (seen.length < 2) return seen[0] === undefined ? null : scaled(seen[0], SINGLE)
  const middle = quantile(seen, 0.5)
  return [Math.min(quantile(seen, 0.15), middle * SEVERAL[0]), Math.max(quantile(seen, 0.85), middle * SEVERAL[1])]
}

function scaled(ms: number, [low, high]: Range): Range {
  return [ms * low, ms * high]
}
