// What jobs and pods are doing, as a glyph, a word and an ink each; and how old a figure is allowed to be.
import { runCost } from '../domain/cost.ts'
import type { JobGauge, PodGauge } from '../domain/gauge.ts'
import { isSettled, type Job, liveAttempt, type Stall } from '../domain/job.ts'
import { mayBill, type Pod } from '../domain/pod.ts'
import type { Run } from '../domain/run.ts'
import { evidence, liveStall } from '../domain/stuck.ts'
import { formatClock, type Micro, type Millis } from '../domain/units.ts'
import { type Facts, once, sinceEvent } from './model.ts'
import type { Ink } from './style.ts'

export type State = { glyph: string; word: string; ink: Ink }

const state = (glyph: string, word: string, ink: Ink): State => ({ glyph, word, ink })

/** The warning that stands over a job which is at work, if any. */
export function stallOf(job: Job): Stall | null {
  const attempt = liveAttempt(job)
  return attempt && liveStall(attempt)
}

/** `no message for 6:02, GPU 0 %, no log line, no file`, with the figures of this moment. */
export function stallWords(stall: Stall, job: Job, facts: Facts): string {
  const pod = podOfJob(job, facts)
  const gauge = pod && facts.gauges.pods.get(pod.id)
  const gpu = gauge && gauge.history.length > 0 ? gauge.gpuUtil : null
  return evidence(stall.silent, facts.now - stall.since, gpu)
}

export function jobState(job: Job, facts: Facts): State {
  if (job.status === 'completed') return state('✓', 'done', 'good')
  if (job.status === 'failed') return state('✗', 'failed', 'bad')
  if (job.status === 'cancelled') return state('⊘', 'cancelled', 'dim')
  if (job.cancelRequested) return state('⊘', 'cancelling', 'wait')
  const attempt = liveAttempt(job)
  if (!attempt) return state('⋯', 'waiting', 'wait')
  const pod = facts.fleet.pods.get(attempt.podId)
  if (pod && pod.linkLostAt !== null) return state('?', 'unknown', 'bad')
  if (stallOf(job)) return state('?', 'stuck?', 'bad')
  switch (gaugeOf(job, facts)?.phase) {
    case 'inputs':
      return state('↑', 'sending', 'busy')
    case 'outputs':
      return state('↓', 'saving', 'busy')
    case 'running':
      return state('⟳', 'rendering', 'busy')
    default:
      return attempt.status === 'started' ? state('⟳', 'rendering', 'busy') : state('↑', 'starting', 'busy')
  }
}

export function podState(pod: Pod): State {
  switch (pod.status) {
    case 'requested':
      return state('⋯', 'requested', 'wait')
    case 'booting':
      return pod.broken ? state('✗', 'broken', 'bad') : state('↑', 'booting', 'wait')
    case 'ready':
      if (pod.broken) return state('✗', 'broken', 'bad')
      if (pod.linkLostAt !== null) return state('?', 'unknown', 'bad')
      if (pod.draining) return state('↓', 'draining', 'wait')
      return pod.jobKey ? state('⟳', 'working', 'busy') : state('○', 'idle', 'wait')
    case 'stopping':
      return state('‖', 'stopping', 'wait')
    case 'stopped':
      return state('‖', 'stopped', 'wait')
    case 'releasing':
      return state('⊘', 'ending', 'bad')
    case 'gone':
      return state('·', 'gone', 'dim')
    case 'refused':
      return state('✗', 'refused', 'dim')
  }
}

export const RUN_WORDS: Record<Run['status'], State> = {
  running: state('⟳', 'running', 'busy'),
  completed: state('✓', 'completed', 'good'),
  failed: state('✗', 'some jobs failed', 'bad'),
  cancelled: state('⊘', 'cancelled', 'wait'),
  budget_reached: state('✗', 'budget reached', 'bad'),
  needs_operator: state('✗', 'needs you', 'bad'),
}

/** The live attempt's gauge; one of an earlier attempt says nothing about this one. */
export function gaugeOf(job: Job, facts: Facts): JobGauge | null {
  const gauge = facts.gauges.jobs.get(job.key)
  const attempt = liveAttempt(job)
  return gauge && attempt && gauge.attempt === attempt.number ? gauge : null
}

// The sampler on a pod speaks every five seconds; three times that without a word is news.
const PERIOD_MS = 5000
const PERIODS = 3

export function isPodGaugeOld(gauge: PodGauge, now: Millis): boolean {
  return now - gauge.at > PERIODS * PERIOD_MS
}

/** A slow sampler step is its own period: at 20 s a step, silence for a minute is nothing new. */
export function isJobGaugeOld(gauge: JobGauge, now: Millis): boolean {
  const stepMs = gauge.perSecond ? 1000 / gauge.perSecond : 0
  return now - gauge.at > PERIODS * Math.max(PERIOD_MS, stepMs)
}

/** `12 s`, `3:05`: how long ago a figure is from. */
export function ageWords(ms: Millis): string {
  return ms < 60_000 ? `${Math.max(0, Math.floor(ms / 1000))} s` : formatClock(ms)
}

// Ages are told in whole seconds: what is younger than one need not be compared with thousands.
const AGE_MS = 1000

/** Newest moment anything is known from, events and gauges; any one of the last second. */
export function newsAt(facts: Facts): Millis {
  return once(facts, 'news', () => {
    let at = facts.fleet.at
    for (const gauges of [facts.gauges.pods, facts.gauges.jobs])
      for (const gauge of gauges.values()) {
        at = Math.max(at, gauge.at)
        if (facts.now - at < AGE_MS) return at
      }
    return at
  })
}

export function isJobShown(job: Job, facts: Facts): boolean {
  if (facts.runId === null || job.runId === facts.runId) return true
  return facts.fleet.runs.get(facts.runId)?.follows.includes(job.key) ?? false
}

/** Pods of this run, and those of other runs that hold one of its jobs. */
export function isPodShown(pod: Pod, facts: Facts): boolean {
  if (facts.runId === null || pod.runId === facts.runId) return true
  const job = pod.jobKey ? facts.fleet.jobs.get(pod.jobKey) : undefined
  return job !== undefined && isJobShown(job, facts)
}

/** Where the job is at work now, or was last. */
export function podOfJob(job: Job, facts: Facts): Pod | null {
  const attempt = job.attempts.at(-1)
  return attempt ? (facts.fleet.pods.get(attempt.podId) ?? null) : null
}

export function runOfScreen(facts: Facts): Run | null {
  return facts.runId === null ? null : (facts.fleet.runs.get(facts.runId) ?? null)
}

/** The run this screen belongs to is over. */
export function isOver(facts: Facts): boolean {
  const run = runOfScreen(facts)
  return run !== null && run.status !== 'running'
}

/** The run whose summary can be shown: this screen's, else the home's last one, once it is over. */
export function runToSum(facts: Facts): Run | null {
  if (facts.runId !== null) return isOver(facts) ? runOfScreen(facts) : null
  return sinceEvent(
    facts,
    'last run over',
    () => [...facts.fleet.runs.values()].findLast(run => run.status !== 'running') ?? null,
  )
}

export type Counts = { jobs: number; running: number; waiting: number; done: number; failed: number; cancelled: number }

export function countJobs(facts: Facts): Counts {
  return sinceEvent(facts, 'counts', () => {
    const counts = { jobs: 0, running: 0, waiting: 0, done: 0, failed: 0, cancelled: 0 }
    for (const job of facts.fleet.jobs.values()) {
      if (!isJobShown(job, facts)) continue
      counts.jobs++
      if (job.status === 'completed') counts.done++
      else counts[job.status]++
    }
    return counts
  })
}

/** Outputs of which the last attempt has stored a file at least. */
export function storedOutputs(job: Job): number {
  const stored = new Set(job.attempts.at(-1)?.artifacts.map(artifact => artifact.name ?? artifact.nodeId))
  return job.spec.outputs.filter(output => stored.has(output.name)).length
}

/** Outputs the job promises that are not stored yet while it runs: what a kill loses. */
export function unsavedOutputs(job: Job): number {
  return liveAttempt(job) && !isSettled(job) ? job.spec.outputs.length - storedOutputs(job) : 0
}

/** Pods of this screen that may be billed now. */
export function livePods(facts: Facts): readonly Pod[] {
  return sinceEvent(facts, 'live pods', () =>
    [...facts.fleet.pods.values()].filter(pod => mayBill(pod) && isPodShown(pod, facts)),
  )
}

/** What this screen's runs have cost so far. */
export function spentOf(facts: Facts): Micro {
  return once(facts, 'spent', () => runCost(facts.fleet, facts.runId, facts.now))
}
