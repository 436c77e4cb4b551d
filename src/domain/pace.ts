// How long things take, learned from what the journal tells: the last ten of each kind, of this run and of earlier ones. An estimate is
// what three of four of them needed; while none is known, a cautious guess of the limits. Nobody knows: hard stops do not rest on it.
import type { Fleet } from './fleet.ts'
import type { Attempt, Job, JobSpec } from './job.ts'
import type { Limits } from './limits.ts'
import type { Pod } from './pod.ts'
import type { Millis } from './units.ts'

/** By kind and what it depends on: milliseconds, oldest first. */
export type Took = Map<string, number[]>

/** Enough for a quarter to mean something, few enough to follow a change of model or image within a batch. */
const KEPT = 10
/** A release that nobody watched over a night says nothing about the provider. */
const TEARDOWNS_MAX = 3

export function learnJob(fleet: Fleet, job: Job, attempt: Attempt): void {
  const ms = (attempt.endedAt ?? attempt.requestedAt) - attempt.requestedAt
  const gpu = fleet.pods.get(attempt.podId)?.offer.gpuName ?? ''
  learn(fleet, `job|${job.spec.template}`, ms)
  learn(fleet, `job|${job.spec.template}|${gpu}`, ms)
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
  return Math.min(threeOfFour(own), spec.timeoutMs ?? Number.POSITIVE_INFINITY)
}

export function guessedJobMs(spec: JobSpec, limits: Limits): number {
  return Math.min(limits.jobGuessMs, spec.timeoutMs ?? Number.POSITIVE_INFINITY)
}

/** What an attempt under way still needs. One that is late needs as much again as a tenth of what it had. */
export function remainingMs(fleet: Fleet, job: Job, attempt: Attempt, now: Millis, limits: Limits): number {
  const { spec } = job
  const gpu = fleet.pods.get(attempt.podId)?.offer.gpuName ?? ''
  const elapsed = now - attempt.requestedAt
  const expected = (knownJobMs(fleet, spec, gpu) ?? guessedJobMs(spec, limits)) - elapsed
  return Math.max(expected, elapsed / 10, limits.listenMs)
}

export function bootMs(fleet: Fleet, provider: string, limits: Limits): number {
  const seen = seenBootMs(fleet, provider)
  return seen.length > 0 ? threeOfFour(seen) : limits.bootGuessMs
}

/** Never less than the limits say: the longest that was seen, so that the stop comes early enough for it, too. */
export function teardownMs(fleet: Fleet, provider: string, limits: Limits): number {
  const seen = seenReleaseMs(fleet, provider)
  return Math.min(Math.max(limits.teardownMs, ...seen), limits.teardownMs * TEARDOWNS_MAX)
}

function learn(fleet: Fleet, key: string, ms: number): void {
  const list = fleet.took.get(key)
  if (!list) fleet.took.set(key, [ms])
  else {
    list.push(ms)
    if (list.length > KEPT) list.shift()
  }
}

function threeOfFour(list: readonly number[]): number {
  const sorted = list.toSorted((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * 0.75) - 1] ?? 0
}
