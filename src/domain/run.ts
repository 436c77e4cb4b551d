// A run: one launch on some paths, with its own policy and budgets.
import type { Micro, Millis } from './units.ts'

export type Policy = {
  provider: string
  podsMax: number
  /** Preference order, as the user wrote them; a job's own list comes first. */
  gpuTypes: string[]
  gpuCount: number
  regions: string[]
  cloud: 'secure' | 'community' | null
  costMax: Micro | null
  perHourMax: Micro | null
  timeoutMs: number | null
  /** Tries after the first, for faults that another pod may not have. */
  retries: number
  /** A finished pod takes the next waiting job. */
  reuse: boolean
  /** Pods stay at the end. */
  keep: boolean
}

export type RunStatus = 'running' | 'completed' | 'failed' | 'cancelled' | 'budget_reached' | 'needs_operator'

export type Run = {
  /** `run_20261122_153045_a1b2c3d4` */
  id: string
  policy: Policy
  status: RunStatus
  openedAt: Millis
  closedAt: Millis | null
  /** Jobs of earlier runs that this launch asked for again and only follows. */
  follows: string[]
  /** Finish what runs, start nothing new, then release. */
  draining: boolean
  cancelRequested: boolean
  /** Which hard limit was reached. */
  limitReached: 'cost' | 'time' | null
}
