// A pod: one rented machine, from the wish to have it to the proof that it is gone, and what it costs meanwhile.
import type { FaultData } from './fault.ts'
import { accrue, type Micro, type Millis } from './units.ts'

/** What a provider would rent now at a price. */
export type Offer = {
  provider: string
  /** The provider's own id of the GPU type, e.g. `NVIDIA A40`. */
  gpuType: string
  /** Short name for people, e.g. `A40`. */
  gpuName: string
  gpuCount: number
  vramGb: number
  cloud: 'secure' | 'community'
  /** Data center, or null when the provider chooses. */
  region: string | null
  /** For the whole pod. */
  perHour: Micro
  stock: 'none' | 'low' | 'medium' | 'high' | 'unknown'
}

/** Readiness in order; each has its own clock and plain reason. */
export const STAGES = ['placed', 'address', 'ssh', 'gpu', 'comfy'] as const
export type Stage = (typeof STAGES)[number]

/**
 * requested: intent written, nothing known yet → booting | refused
 * booting: the provider gave an id → ready | releasing
 * ready: answers → releasing | stopping
 * stopping, stopped: paused by the user → booting | releasing
 * releasing: to be terminated; stays until proven gone → gone
 * gone, refused: final (refused: the provider proved that none was made)
 */
export type PodStatus = 'requested' | 'booting' | 'ready' | 'stopping' | 'stopped' | 'releasing' | 'gone' | 'refused'

export type Address = { host: string; port: number; user: string }

/** A stretch of time at one price; the open one has `to: null`. */
export type Meter = { from: Millis; to: Millis | null; perHour: Micro }

export type Pod = {
  /** Ours, `pod-NNNN`, unique in the home. */
  id: string
  runId: string
  /** `autopod-HOME8-RUN8-NNNN`: how the provider's listing is matched with the journal. */
  name: string
  provider: string
  offer: Offer
  status: PodStatus
  /** The provider's id; null until it is known. */
  ref: string | null
  /** The provider's id of the machine below it; null until, or unless, it is told. */
  hostId: string | null
  /** It goes back because of that machine. */
  hostAvoided: boolean
  stage: Stage | null
  address: Address | null
  /** SHA256 fingerprint seen at the first connection; a change for the same pod is refused. */
  hostKey: string | null
  localPort: number | null
  /** Key of the job at work here. */
  jobKey: string | null
  /** Attempts that ended here, in order. */
  finished: number
  /** How often its ComfyUI was started anew because it was gone. */
  restarts: number
  /** No new job: after the present one it is released. */
  draining: boolean
  broken: FaultData | null
  /** Whether the agent on it holds its lease; null = nobody could look yet. */
  guarded: boolean | null
  /** Why it ended itself, by what it left in the bucket; `none`: it left nothing. null = nobody looked. */
  farewell: 'lease' | 'deadline' | 'none' | null
  releaseCause: string | null
  /** The provider accepted the release. */
  releaseAcceptedAt: Millis | null
  requestedAt: Millis
  createdAt: Millis | null
  readyAt: Millis | null
  /** Since when it has no job although it is ready. */
  idleSince: Millis | null
  releaseAt: Millis | null
  goneAt: Millis | null
  linkLostAt: Millis | null
  meters: Meter[]
  /** What the provider says it took, once it says so; our own meter until then. */
  billed: Micro | null
}

/**
 * What the pod has cost from the create request to `until`. Once the provider's bill is known it is the last word: our meter, which
 * runs until the proof that the pod is gone, is cut at its end.
 */
export function podCost(pod: Pod, until: Millis): Micro {
  let total = 0
  for (const meter of pod.meters) total += accrue(meter.perHour, Math.min(meter.to ?? until, until) - meter.from)
  if (pod.billed === null) return total
  return pod.goneAt !== null && until >= pod.goneAt ? pod.billed : Math.min(total, pod.billed)
}

/** Milliseconds on the meter; once the bill is known, those that it was for, as far as one price held throughout. */
export function billedMs(pod: Pod, until: Millis): number {
  const { perHour } = pod.offer
  const isBilled = pod.billed !== null && pod.goneAt !== null && until >= pod.goneAt
  if (isBilled && perHour > 0 && pod.meters.every(meter => meter.perHour === perHour))
    return (podCost(pod, until) / perHour) * 3_600_000
  return pod.meters.reduce((sum, meter) => sum + Math.max(0, Math.min(meter.to ?? until, until) - meter.from), 0)
}

/** It may be billed now: everything between the request and the proof that it is gone. */
export function mayBill(pod: Pod): boolean {
  return pod.status !== 'gone' && pod.status !== 'refused'
}

/** It can hold or take a job, now or soon. */
export function isUsable(pod: Pod): boolean {
  return (pod.status === 'requested' || pod.status === 'booting' || pod.status === 'ready') && pod.broken === null
}
