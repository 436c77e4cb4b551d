// Who belongs to whom: open runs, what is open in them, and all jobs and pods of each. Every rule asks; it is counted once for each event.
import type { Fleet } from './fleet.ts'
import { isSettled, type Job } from './job.ts'
import type { Pod } from './pod.ts'
import type { Run } from './run.ts'

type Census = {
  /** Of the last event that was counted. */
  seq: number
  openRuns: Run[]
  openJobs: Job[]
  /** By run. Jobs and pods never leave a fleet, nor the run they came with. */
  jobs: Belongings<Job>
  pods: Belongings<Pod>
}

type Belongings<T> = { size: number; of: Map<string, T[]> }

/** Nothing of a fleet changes but by its next event. */
const counted = new WeakMap<Fleet, Census>()

function censusOf(fleet: Fleet): Census {
  const last = counted.get(fleet)
  if (last?.seq === fleet.seq) return last
  const openRuns = [...fleet.runs.values()].filter(run => run.status === 'running')
  const jobs = belongings(fleet.jobs, last?.jobs)
  const open = (job: Job) => !isSettled(job)
  const openJobs =
    openRuns.length === 1
      ? (jobs.of.get(openRuns[0]?.id ?? '') ?? []).filter(open)
      : [...fleet.jobs.values()].filter(job => open(job) && fleet.runs.get(job.runId)?.status === 'running')
  const census = { seq: fleet.seq, openRuns, openJobs, jobs, pods: belongings(fleet.pods, last?.pods) }
  counted.set(fleet, census)
  return census
}

function belongings<T extends { runId: string }>(all: Map<string, T>, last?: Belongings<T>): Belongings<T> {
  if (last?.size === all.size) return last
  const of = new Map<string, T[]>()
  for (const one of all.values()) {
    const list = of.get(one.runId)
    if (list) list.push(one)
    else of.set(one.runId, [one])
  }
  return { size: all.size, of }
}

export function openRuns(fleet: Fleet): readonly Run[] {
  return censusOf(fleet).openRuns
}

/** Unsettled jobs of open runs, oldest first. */
export function openJobs(fleet: Fleet): readonly Job[] {
  return censusOf(fleet).openJobs
}

/** Oldest first. */
export function jobsOf(fleet: Fleet, run: Run): readonly Job[] {
  return censusOf(fleet).jobs.of.get(run.id) ?? []
}

/** Oldest first. */
export function podsOf(fleet: Fleet, run: Run): readonly Pod[] {
  return censusOf(fleet).pods.of.get(run.id) ?? []
}
