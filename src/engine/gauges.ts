// The last values of everything that is only shown: in memory for this process, twice a second on disk for the others.
import type { Fleet } from '../domain/fleet.ts'
import type { Gauges, JobGauge, PodGauge } from '../domain/gauge.ts'
import { isSettled } from '../domain/job.ts'
import { mayBill } from '../domain/pod.ts'
import { GPU_BUSY_PERCENT } from '../domain/stuck.ts'
import type { Micro, Millis } from '../domain/units.ts'
import type { Clock, Store } from '../ports.ts'

/** 120 samples at 5 s are the last ten minutes: what the sparklines show. */
const HISTORY_MAX = 120
const WRITE_EVERY_MS = 500

export type GaugeBoard = {
  readonly gauges: Gauges
  job(key: string, gauge: Omit<JobGauge, 'at'>): void
  pod(id: string, gauge: Partial<Omit<PodGauge, 'at' | 'history'>>): void
  balance(micro: Micro): void
  /** When the pod's GPU was last sampled, and when it last did something; null until there is a sample that tells. */
  gpu(id: string): { sampledAt: Millis; aliveAt: Millis } | null
  /** Everything that changed, to disk. */
  flush(): void
  flushIfDue(): void
}

/**
 * Begins with what an earlier engine showed, each figure with its age: its attempts go on, and so does their progress. What is of runs
 * that are over is shown by nobody, and would stay on disk for ever.
 */
export function createGaugeBoard(store: Store, clock: Clock, fleet: Fleet): GaugeBoard {
  const past = store.readGauges()
  store.dropGauges(
    past.jobs.map(([key]) => key).filter(key => isPast(fleet, fleet.jobs.get(key), isSettled)),
    past.pods.map(([id]) => id).filter(id => isPast(fleet, fleet.pods.get(id), pod => !mayBill(pod))),
  )
  const shown = store.readGauges()
  const jobs = new Map<string, JobGauge>(shown.jobs)
  const pods = new Map<string, PodGauge>(shown.pods)
  const gpus = new Map<string, { sampledAt: Millis; aliveAt: Millis }>()
  const board = { jobs, pods, balance: shown.balance }
  const dirtyJobs = new Set<string>()
  const dirtyPods = new Set<string>()
  let writtenAt = 0
  const flush = () => {
    writtenAt = clock.now()
    store.writeGauges({
      jobs: [...dirtyJobs].map(key => [key, jobs.get(key) as JobGauge]),
      pods: [...dirtyPods].map(id => [id, pods.get(id) as PodGauge]),
      balance: board.balance,
    })
    dirtyJobs.clear()
    dirtyPods.clear()
  }
  const touch = () => {
    if (dirtyJobs.size + dirtyPods.size > 0 && clock.now() - writtenAt >= WRITE_EVERY_MS) flush()
  }
  return {
    gauges: board,
    job(key, gauge) {
      const before = jobs.get(key)
      const sameTry = before?.attempt === gauge.attempt
      // Within one attempt progress never runs backwards, whatever a node reports.
      const fraction =
        sameTry && before.fraction !== null ? Math.max(before.fraction, gauge.fraction ?? 0) : gauge.fraction
      jobs.set(key, { ...gauge, fraction, at: clock.now() })
      dirtyJobs.add(key)
      touch()
    },
    pod(id, gauge) {
      const before = pods.get(id) ?? {
        at: 0,
        gpuUtil: 0,
        memUtil: 0,
        vramUsedMiB: 0,
        vramTotalMiB: 0,
        history: [],
        note: null,
      }
      const history =
        gauge.gpuUtil === undefined ? before.history : [...before.history, gauge.gpuUtil].slice(-HISTORY_MAX)
      if (gauge.gpuUtil !== undefined) {
        const now = clock.now()
        // A model on its way into the GPU's memory leaves the GPU itself idle.
        const isAlive = gauge.gpuUtil >= GPU_BUSY_PERCENT || gauge.vramUsedMiB !== before.vramUsedMiB
        gpus.set(id, { sampledAt: now, aliveAt: isAlive ? now : (gpus.get(id)?.aliveAt ?? now) })
      }
      pods.set(id, { ...before, ...gauge, history, at: clock.now() })
      dirtyPods.add(id)
      touch()
    },
    balance(micro) {
      board.balance = { micro, at: clock.now() }
      touch()
    },
    gpu: id => gpus.get(id) ?? null,
    flush,
    flushIfDue: touch,
  }
}

function isPast<T extends { runId: string }>(fleet: Fleet, one: T | undefined, isOver: (one: T) => boolean): boolean {
  return one !== undefined && isOver(one) && fleet.runs.get(one.runId)?.status !== 'running'
}
