// How often RunPod is asked, and how long its answers are waited for.
import type { Clock } from '../../ports.ts'
import { CREATE_TIMEOUT_MS, type RunpodOptions } from './runpod-api.ts'

export type RunpodTiming = {
  settleMs: number
  pollMs: number
  /** How long a creation with an unclear answer is looked up by its name. */
  lookupMs: number
  createMaxMs: number
  billLagMs: number
}

/** 60 requests a minute for all of a user's programs (REST v2 rate-limit headers): one list every 5 s leaves most of them. */
export const RUNPOD_TIMING: RunpodTiming = {
  settleMs: 20_000,
  pollMs: 5_000,
  lookupMs: 30_000,
  createMaxMs: CREATE_TIMEOUT_MS + 30_000,
  // Records were still empty an hour later (reports, 2026); settlement runs every five minutes.
  billLagMs: 2 * 3_600_000,
}

export type RunpodAccess = RunpodOptions & { clock: Clock; timing: RunpodTiming }
