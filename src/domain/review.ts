// What a run came to: its jobs and pods, where the money went, and which causes its failures had. The result document, the summary and
// the report all speak from here.
import { allocate, jobCost } from './cost.ts'
import type { FaultData } from './fault.ts'
import type { Fleet } from './fleet.ts'
import type { Job } from './job.ts'
import { CAUSES, type Cause, type Entry, ledger } from './ledger.ts'
import { type Pod, podCost } from './pod.ts'
import type { Run } from './run.ts'
import type { Micro, Millis } from './units.ts'

/** work: what one rents for · overhead: what it takes · waste: what came to nothing, and what somebody could have saved. */
export type Sense = 'work' | 'overhead' | 'waste'
export const SENSES: Record<Cause, Sense> = {
  request: 'overhead',
  boot: 'overhead',
  transfer: 'overhead',
  render: 'work',
  idle: 'waste',
  held: 'waste',
  stuck: 'waste',
  failed: 'waste',
  stopped: 'waste',
  teardown: 'overhead',
}

export type CauseTotal = { cause: Cause; sense: Sense; ms: number; micro: Micro }

/** Everything that failed with the same code. */
export type Failure = {
  code: string
  kind: FaultData['kind']
  /** Of the first that failed so; the others may name other files and nodes. */
  message: string
  hint: string | null
  /** Jobs that are failed for good. */
  jobs: Job[]
  /** Jobs that an attempt of this kind only delayed: done later, or still under way. */
  recovered: Job[]
  attempts: number
  /** Pods that broke without ever having a job. */
  pods: Pod[]
  /** What the failed attempts and those pods cost. */
  micro: Micro
}

export type Review = {
  run: Run
  jobs: Job[]
  pods: Pod[]
  /** What each of `jobs` cost, in their order; the rest of `total` is nobody's. */
  jobCosts: Micro[]
  /** Every moment on the pods' meters; sums up to `total`. */
  entries: Entry[]
  /** Causes that took time or money, in the order of a pod's life. */
  causes: CauseTotal[]
  /** Dearest first. */
  failures: Failure[]
  total: Micro
  waste: Micro
  /** Until when meters are counted. */
  until: Millis
}

/** Jobs this launch asked for: its own, and those of earlier runs that it follows. */
export function jobsOfRun(fleet: Fleet, run: Run): Job[] {
  const own = [...fleet.jobs.values()].filter(job => job.runId === run.id)
  return [...run.follows.flatMap(key => fleet.jobs.get(key) ?? []), ...own].sort((a, b) =>
    a.spec.source.localeCompare(b.spec.source, 'en', { numeric: true }),
  )
}

/** Pods this launch paid for or waited for: its own, and those of runs whose jobs it followed to their end. */
export function podsOfRun(fleet: Fleet, run: Run): Pod[] {
  const runs = new Set([run.id])
  for (const key of run.follows) {
    const other = fleet.runs.get(fleet.jobs.get(key)?.runId ?? '')
    if (other && (other.closedAt === null || other.closedAt > run.openedAt)) runs.add(other.id)
  }
  // A run that was opened again, to publish what it had rendered, paid for those before.
  const isPast = (pod: Pod) => pod.runId !== run.id && pod.goneAt !== null && pod.goneAt <= run.openedAt
  return [...fleet.pods.values()].filter(pod => runs.has(pod.runId) && pod.status !== 'refused' && !isPast(pod))
}

/** The fleet as far as these pods: what a job cost in an earlier launch was that launch's, so that shares and total speak of the same pods. */
export function paidWith(fleet: Fleet, pods: readonly Pod[]): Fleet {
  return { ...fleet, pods: new Map(pods.map(pod => [pod.id, pod])) }
}

export function costOfPods(pods: readonly Pod[], until: Millis): Micro {
  return pods.reduce((sum, pod) => sum + podCost(pod, until), 0)
}

export function reviewOf(fleet: Fleet, run: Run, until: Millis): Review {
  const jobs = jobsOfRun(fleet, run)
  const pods = podsOfRun(fleet, run)
  const paid = paidWith(fleet, pods)
  const allocation = allocate(fleet)
  const entries = ledger(paid, until)
  const causes = CAUSES.map((cause): CauseTotal => {
    const own = entries.filter(entry => entry.cause === cause)
    const sum = (of: (entry: Entry) => number) => own.reduce((total, entry) => total + of(entry), 0)
    return { cause, sense: SENSES[cause], ms: sum(({ from, to }) => to - from), micro: sum(({ micro }) => micro) }
  }).filter(({ ms, micro }) => ms > 0 || micro > 0)
  return {
    run,
    jobs,
    pods,
    jobCosts: jobs.map(job => jobCost(paid, job, until, allocation)),
    entries,
    causes,
    failures: failuresOf(jobs, pods, entries, until),
    total: costOfPods(pods, until),
    waste: causes.reduce((sum, { sense, micro }) => sum + (sense === 'waste' ? micro : 0), 0),
    until,
  }
}

function failuresOf(jobs: Job[], pods: Pod[], entries: Entry[], until: Millis): Failure[] {
  const found = new Map<string, Failure>()
  const failureOf = ({ code, kind, message, hint }: FaultData): Failure => {
    const known = found.get(code)
    if (known) return known
    const fresh: Failure = {
      code,
      kind,
      message,
      hint: hint ?? null,
      jobs: [],
      recovered: [],
      attempts: 0,
      pods: [],
      micro: 0,
    }
    found.set(code, fresh)
    return fresh
  }
  const spent = new Map<string, Entry[]>()
  for (const entry of entries) {
    const key = `${entry.podId} ${entry.jobKey}`
    const list = spent.get(key)
    if (list) list.push(entry)
    else spent.set(key, [entry])
  }
  const ids = new Set(pods.map(pod => pod.id))
  const used = new Set<string>()
  for (const job of jobs) {
    const causes = new Set<Failure>()
    for (const attempt of job.attempts) {
      used.add(attempt.podId)
      if (!attempt.fault || attempt.status !== 'failed' || !ids.has(attempt.podId)) continue
      const failure = failureOf(attempt.fault)
      const end = attempt.endedAt ?? until
      failure.attempts++
      for (const { from, to, micro } of spent.get(`${attempt.podId} ${job.key}`) ?? [])
        if (from >= attempt.requestedAt && to <= end) failure.micro += micro
      causes.add(failure)
    }
    const last = job.status === 'failed' && job.fault ? failureOf(job.fault) : null
    last?.jobs.push(job)
    for (const cause of causes) if (cause !== last) cause.recovered.push(job)
  }
  for (const pod of pods) {
    if (!pod.broken || used.has(pod.id)) continue
    const failure = failureOf(pod.broken)
    failure.pods.push(pod)
    failure.micro += podCost(pod, until)
  }
  return [...found.values()].sort((a, b) => b.jobs.length - a.jobs.length || b.micro - a.micro)
}
