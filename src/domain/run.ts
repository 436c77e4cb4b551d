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
  /** What jobs of this home put where its jobs write may be replaced (--again). */
  again?: true
}

export type BudgetStep = 50 | 80 | 90 | 100

export type RunStatus = 'running' | 'completed' | 'failed' | 'cancelled' | 'budget_reached' | 'needs_operator'

export type Run = {
  /** `run_20261122_153045_a1b2c3d4` */
  id: string
  policy: Policy
  status: RunStatus
  openedAt: Millis
  /** When its `timeoutMs` began; anew when it works again after it was over. */
  timedFrom: Millis
  closedAt: Millis | null
  /** Jobs of earlier runs that this launch asked for again and only follows. */
  follows: string[]
  /** Finish what runs, start nothing new, then release. */
  draining: boolean
  cancelRequested: boolean
  /** Per cent of its money that are known to be spent; from 90 on nothing new starts. */
  budgetStep: 0 | BudgetStep
  /** Which limit was reached: nothing new starts. Time ends what runs, too; of money, what runs may have what is left. */
  limitReached: 'cost' | 'time' | null
}
