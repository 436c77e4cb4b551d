// A job: one unit of work, one job file, and its attempts. The specification is complete before anything is rented.
import type { FaultData } from './fault.ts'
import type { Limits } from './limits.ts'
import type { Sign, Step } from './stuck.ts'
import type { Micro, Millis } from './units.ts'

/** A ComfyUI graph in API format: node id → node. Placeholders are already filled in. */
export type Graph = Record<string, { class_type: string; inputs: Record<string, unknown>; _meta?: { title?: string } }>

export type InputFile = {
  /** Name in the job file (`inputs.NAME`). */
  name: string
  /** Absolute local path, or `r2://bucket/key`. */
  source: string
  /** sha256 in hex; null for `r2://` sources, which the pod fetches as they are. */
  sha256: string | null
  bytes: number | null
  /** Path below ComfyUI's input folder that the graph refers to, e.g. `autopod/4f1c…9e.png`; equal content, equal name. */
  podPath: string
}

export type OutputTarget = {
  /** Name in the job file (`outputs.NAME`). */
  name: string
  /** Node of the graph whose files are meant. */
  nodeId: string
  /**
   * Absolute local path or `r2://bucket/key`, with `{job_id}` and `{name}` already filled in; `{index}` and `{ext}` stay
   * until the files are known. A trailing `/` means a folder: files keep their own names.
   */
  target: string
}

export type Model = { name: string; folder: string; bytes: number; url: string }

export type JobSpec = {
  /** `[A-Za-z0-9._-]{1,64}`, unique within a run. */
  jobId: string
  /** sha256 over the job's contents, template, inputs' digests and targets: the same job run again has the same digest. */
  digest: string
  /** Absolute path of the job file. */
  source: string
  /** hand: nothing is submitted, a person works on the pod until the job is cancelled. */
  executor: 'comfy' | 'hand'
  template: string
  graph: Graph
  inputs: InputFile[]
  outputs: OutputTarget[]
  models: Model[]
  /** Preference order; empty = whatever the run or the settings say. Names as the user wrote them. */
  gpuTypes: string[]
  gpuCount: number
  vramGbMin: number
  costMax: Micro | null
  timeoutMs: number | null
}

/** A job without a wish but those given: any GPU, no limit, nothing in, nothing out. */
export function bareSpec(
  spec: Pick<JobSpec, 'jobId' | 'digest' | 'source' | 'executor' | 'template'> & Partial<JobSpec>,
): JobSpec {
  const nothing = { graph: {}, inputs: [], outputs: [], models: [], gpuTypes: [] }
  return { ...nothing, gpuCount: 1, vramGbMin: 0, costMax: null, timeoutMs: null, ...spec }
}

/** One output file, stored and verified. */
export type Artifact = {
  /** Output name of the job file; null for a file no target asked for. */
  name: string | null
  nodeId: string
  /** File name without folders, as ComfyUI gave it. */
  file: string
  /** Position among the files of this output, from 0. */
  index: number
  /** Key in the bucket: `out/<run>/<job>/<attempt>/<file>`. */
  key: string
  sha256: string
  bytes: number
}

export type AttemptStatus = 'requested' | 'started' | 'succeeded' | 'failed' | 'cancelled'

/** A time in which an attempt showed too few signs of life. */
export type Stall = {
  /** When the evidence stopped. */
  since: Millis
  warnedAt: Millis
  silent: Sign[]
  /** A person asked for more time then. */
  waitAskedAt: Millis | null
  steps: { step: Step; at: Millis; reason: string }[]
  /** It lives again; null = it is silent to this moment, or was to its end. */
  clearedAt: Millis | null
}

export type Attempt = {
  /** From 1; also the fence: a newer number always wins. */
  number: number
  podId: string
  /** UUID chosen and stored before the POST. */
  promptId: string
  /** Models and results that earlier work left in the card's memory are dropped before it starts. */
  freeFirst: boolean
  /** The machine below its pod, where the provider tells. */
  hostId: string | null
  status: AttemptStatus
  requestedAt: Millis
  /** The executor accepted it (ComfyUI queued the prompt). */
  startedAt: Millis | null
  /** The work is done; only its files are still on their way. */
  renderedAt: Millis | null
  endedAt: Millis | null
  fault: FaultData | null
  artifacts: Artifact[]
  /** Oldest first. */
  stalls: Stall[]
}

export type JobStatus = 'waiting' | 'running' | 'completed' | 'failed' | 'cancelled'

export type Job = {
  /** `<run id>/<job id>`: unique in the home. */
  key: string
  runId: string
  spec: JobSpec
  status: JobStatus
  attempts: Attempt[]
  queuedAt: Millis
  /** When it was queued or last asked to be tried again: older attempts no longer count. */
  openedAt: Millis
  /** Not tried again before this moment (backoff). */
  dueAt: Millis
  /** Memory of one card in GB that proved too small for it, freed or not; 0 = none did. */
  vramGbAbove: number
  cancelRequested: boolean
  /** Published local files or bucket addresses, set with completion. */
  published: { name: string; path: string | null; url: string | null; bytes: number; sha256: string }[]
  fault: FaultData | null
  settledAt: Millis | null
}

export function jobKey(runId: string, jobId: string): string {
  return `${runId}/${jobId}`
}

export function isSettled(job: Job): boolean {
  return job.status === 'completed' || job.status === 'failed' || job.status === 'cancelled'
}

/** Faults of publishing that mean that the files are not, or no longer, in the bucket. */
const NOT_STORED = ['object_missing', 'object_changed', 'output_missing']

/** Its work is done and its files lie in the bucket; only bringing them to their targets failed. To try again needs no pod. */
export function isUnpublished(job: Job): boolean {
  return (
    job.status === 'failed' &&
    job.attempts.at(-1)?.status === 'succeeded' &&
    !NOT_STORED.includes(job.fault?.code ?? '')
  )
}

/** What ends a job that publishing failed with `fault` for, for the `times`-th time in this way; null: it is tried again. */
export function publishingEnd(
  fault: FaultData,
  times: number,
  artifacts: readonly Artifact[],
  limits: Limits,
): FaultData | null {
  const isOften = times >= limits.transientTries
  if (fault.code === 'transfer_corrupt' && isOften) {
    const message = `${fault.message}, ${times} times: somebody changed it after it was stored`
    const hint = 'autopod retry does the work again, on a pod.'
    return { kind: 'job', code: 'object_changed', message, hint }
  }
  return fault.kind === 'job' || (fault.kind === 'operator' && isOften) ? unpublished(fault, artifacts) : null
}

/** The fault of publishing, with the place in the bucket where the files lie. */
function unpublished(fault: FaultData, artifacts: readonly Artifact[]): FaultData {
  const key = artifacts[0]?.key
  if (key === undefined || NOT_STORED.includes(fault.code)) return fault
  const message = `${fault.message}; the result lies in the bucket below ${key.slice(0, key.lastIndexOf('/') + 1)}`
  const hint = `${fault.hint ? `${fault.hint} ` : ''}autopod retry brings it from the bucket, without a pod.`
  return { ...fault, message, hint }
}

/** The attempt that is under way, if any. */
export function liveAttempt(job: Job): Attempt | null {
  const last = job.attempts.at(-1)
  return last && (last.status === 'requested' || last.status === 'started') ? last : null
}
