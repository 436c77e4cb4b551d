// Gauges: last values that may be lost. Not facts, and nearly all of them are only shown: what is made of a silent one (`stuck`) is a
// fact before anything is done about it.
import type { Millis } from './units.ts'

export type JobGauge = {
  at: Millis
  phase: 'inputs' | 'queued' | 'running' | 'outputs'
  /** 0..1 over the whole job; null while nothing is known. Never falls within one attempt. */
  fraction: number | null
  nodeId: string | null
  nodeTitle: string | null
  step: number | null
  steps: number | null
  /** Steps a second over the last ones. */
  perSecond: number | null
  /** Bytes moved in the phases `inputs` and `outputs`. */
  bytes: number | null
  bytesTotal: number | null
  attempt: number
}

export type PodGauge = {
  at: Millis
  /** Per cent, mean over the pod's GPUs. */
  gpuUtil: number
  memUtil: number
  vramUsedMiB: number
  vramTotalMiB: number
  /** Last samples of gpuUtil, oldest first, at most 120. */
  history: number[]
  /** Plain words on what a booting pod waits for. */
  note: string | null
}

export type Gauges = {
  jobs: ReadonlyMap<string, JobGauge>
  pods: ReadonlyMap<string, PodGauge>
  /** Balance of the account in micro-dollars, where the provider tells it. */
  balance: { micro: number; at: Millis } | null
}
