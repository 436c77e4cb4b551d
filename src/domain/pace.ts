// How long things take, learned from what the journal tells: the last ten of each kind, of this run and of earlier ones. An estimate is
// what three of four of them needed; while none is known, a cautious guess of the limits. Nobody knows: hard stops do not rest on it.
import type { Fleet } from './fleet.ts'
import type { Attempt, Job, JobSpec } from './job.ts'
import type { Limits } from './limits.ts'
import type { Pod } from './pod.ts'
import type { Millis } from './units.ts'

/** By kind and what it depends on: milliseconds, oldest first. A list is never changed, a longer one takes its place. */
export type Took = Map<string, readonly number[]>

/** Enough for a quarter to mean something, few enough to follow a change of model or image within a batch. */
const KEPT = 10
/** A release that nobody watched over a night says nothing about the provider. */
const TEARDOWNS_MAX = 3
const THREE_OF_FOUR = 0.75
/** Of the time it had, what is late takes as much again at least. */
export const LATE_SHARE = 0.1

export function learnJob(fleet: Fleet, job: Job, attempt: Attempt): void {
  const ms = (attempt.endedAt ?? attempt.requestedAt) - attempt.requestedAt
  learn(fleet, `job|${job.spec.template}`, ms)
  learn(fleet, `job|${job.spec.template}|${gpuOf(fleet, attempt)}`, ms)
}

/** Called before the pod's first `readyAt` is set. */
export function learnBoot(fleet: Fleet, pod: Pod, at: Millis): void {
  if (pod.readyAt === null) learn(fleet, `boot|${pod.provider}`, at - pod.requestedAt)
}

export function learnRelease(fleet: Fleet, pod: Pod, at: Millis): void {
  if (pod.releaseAt !== null) learn(fleet, `release|${pod.provider}`, at - pod.releaseAt)
}

/** What jobs of this template took on such a GPU, or on others; empty while none is known. */
export function seenJobMs(fleet: Fleet, spec: JobSpec, gpuName: string): readonly number[] {
  return fleet.took.get(`job|${spec.template}|${gpuName}`) ?? fleet.took.get(`job|${spec.template}`) ?? []
}

export function seenBootMs(fleet: Fleet, provider: string): readonly number[] {
  return fleet.took.get(`boot|${provider}`) ?? []
}

export function seenReleaseMs(fleet: Fleet, provider: string): readonly number[] {
  return fleet.took.get(`release|${provider}`) ?? []
}

/** What three of four such jobs need at most; null while none is known. */
export function knownJobMs(fleet: Fleet, spec: JobSpec, gpuName: string): number | null {
  const own = seenJobMs(fleet, spec, gpuName)
  if (own.length === 0) return null
  return Math.min(quantile(own, THREE_OF_FOUR), spec.timeoutMs ?? Number.POSITIVE_INFINITY)
}

export function guessedJobMs(spec: JobSpec, limits: Limits): number {
  return Math.min(limits.jobGuessMs, spec.timeoutMs ?? Number.POSITIVE_INFINITY)
}

/** What an attempt under way still needs. */
export function remainingMs(fleet: Fleet, job: Job, attempt: Attempt, now: Millis, limits: Limits): number {
  const { spec } = job
  const elapsed = now - attempt.requestedAt
  const expected = (knownJobMs(fleet, spec, gpuOf(fleet, attempt)) ?? guessedJobMs(spec, limits)) - elapsed
  return Math.max(expected, elapsed * LATE_SHARE, limits.listenMs)
}

export function bootMs(fleet: Fleet, provider: string, limits: Limits): number {
  const seen = seenBootMs(fleet, provider)
  return seen.length > 0 ? quantile(seen, THREE_OF_FOUR) : limits.bootGuessMs
}

/** Never less than the limits say: the longest that was seen, so that the stop comes early enough for it, too. */
export function teardownMs(fleet: Fleet, provider: string, limits: Limits): number {
  const seen = seenReleaseMs(fleet, provider)
  return Math.min(Math.max(limits.teardownMs, ...seen), limits.teardownMs * TEARDOWNS_MAX)
}

function learn(fleet: Fleet, key: string, ms: number): void {
  fleet.took.set(key, [...(fleet.took.get(key) ?? []), ms].slice(-KEPT))
}

/** Asked for each pod at each event. */
const sorted = new WeakMap<readonly number[], readonly number[]>()

/** What `share` (0..1) of `seen` needed at most; 0 where nothing was seen. */
export function quantile(seen: readonly number[], share: number): number {
  const ascending = sorted.get(seen) ?? seen.toSorted((a, b) => a - b)
  sorted.set(seen, ascending)
  return ascending[Math.round((ascending.length - 1) * share)] ?? 0
}

/** The GPU that the attempt runs on; empty when its pod is not known. */
export function gpuOf(fleet: Fleet, attempt: Attempt): string {
  return fleet.pods.get(attempt.podId)?.offer.gpuName ?? ''
}
