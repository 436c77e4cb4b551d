// Every fact there is. One line here, and the compiler names each switch that must answer.
import type { BalanceLevel } from './account.ts'
import type { FaultData } from './fault.ts'
import type { Artifact, JobSpec } from './job.ts'
import type { Address, Offer, Stage } from './pod.ts'
import type { BudgetStep, Policy, RunStatus } from './run.ts'
import type { Sign, Step } from './stuck.ts'
import type { Micro, Millis } from './units.ts'

export type Fact =
  | { type: 'engine.started'; engineId: string; pid: number; version: string }
  | { type: 'engine.stopped'; engineId: string }
  | { type: 'run.opened'; runId: string; policy: Policy; follows: string[] }
  | { type: 'run.drain_requested'; runId: string }
  | { type: 'run.cancel_requested'; runId: string }
  /** So much of the run's money is spent; at 100 the rest is needed to end its pods. Once each. */
  | { type: 'run.budget_step'; runId: string; percent: BudgetStep; spent: Micro }
  | { type: 'run.limit_reached'; runId: string; limit: 'cost' | 'time' }
  | { type: 'run.closed'; runId: string; status: Exclude<RunStatus, 'running'> }
  | { type: 'job.queued'; runId: string; spec: JobSpec }
  | { type: 'job.cancel_requested'; jobKey: string }
  | { type: 'job.retry_requested'; jobKey: string }
  | {
      type: 'job.completed'
      jobKey: string
      published: { name: string; path: string | null; url: string | null; bytes: number; sha256: string }[]
    }
  | { type: 'job.failed'; jobKey: string; fault: FaultData }
  | { type: 'job.delayed'; jobKey: string; dueAt: Millis; why: string }
  | { type: 'job.cancelled'; jobKey: string }
  | { type: 'pod.requested'; podId: string; runId: string; name: string; offer: Offer }
  /** A second pod under a name that was rented once, alive since `since`: on the meter, and of no use. */
  | { type: 'pod.found'; podId: string; namesake: string; ref: string; perHour: Micro; since: Millis }
  | { type: 'pod.created'; podId: string; ref: string; perHour: Micro }
  /** The machine that the provider put it on. */
  | { type: 'pod.placed'; podId: string; hostId: string }
  /** It lies on a machine that failed a while ago. */
  | { type: 'pod.host_avoided'; podId: string }
  | { type: 'pod.refused'; podId: string; fault: FaultData }
  | { type: 'pod.port_held'; podId: string; localPort: number }
  | { type: 'pod.stage_reached'; podId: string; stage: Stage }
  | { type: 'pod.addressed'; podId: string; address: Address }
  | { type: 'pod.host_key_pinned'; podId: string; hostKey: string }
  | { type: 'pod.ready'; podId: string }
  | { type: 'pod.link_lost'; podId: string; fault: FaultData }
  | { type: 'pod.link_restored'; podId: string }
  /** Its service, ComfyUI, is started anew. */
  | { type: 'pod.restart_requested'; podId: string; reason: string }
  | { type: 'pod.broken'; podId: string; fault: FaultData }
  /** It ends itself when nobody renews its lease · nothing on it would. */
  | { type: 'pod.guarded'; podId: string }
  | { type: 'pod.unguarded'; podId: string; fault: FaultData }
  /** What a broken pod left in the bucket was looked for: why it ended itself, null when it did not; whether its job's outputs were all there. */
  | { type: 'pod.farewell_read'; podId: string; reason: 'lease' | 'deadline' | null; adopted: boolean }
  | { type: 'pod.drain_requested'; podId: string }
  | { type: 'pod.stop_requested'; podId: string }
  | { type: 'pod.stopped'; podId: string; perHour: Micro }
  | { type: 'pod.start_requested'; podId: string }
  | { type: 'pod.release_requested'; podId: string; cause: string }
  | { type: 'pod.release_accepted'; podId: string }
  | { type: 'pod.gone'; podId: string; billedUntil: Millis }
  | { type: 'pod.billed'; podId: string; micro: Micro }
  | {
      type: 'attempt.requested'
      jobKey: string
      attempt: number
      podId: string
      promptId: string
      /** It ran out of memory here: what earlier work left there goes first. */
      freeFirst?: true
    }
  | { type: 'attempt.started'; jobKey: string; attempt: number }
  | { type: 'attempt.rendered'; jobKey: string; attempt: number }
  | { type: 'artifact.stored'; jobKey: string; attempt: number; artifact: Artifact }
  | { type: 'attempt.succeeded'; jobKey: string; attempt: number }
  | { type: 'attempt.failed'; jobKey: string; attempt: number; fault: FaultData }
  | { type: 'attempt.cancelled'; jobKey: string; attempt: number }
  /** Three signs of life are silent since `since`. */
  | { type: 'attempt.stuck_warned'; jobKey: string; attempt: number; since: Millis; silent: Sign[]; reason: string }
  | { type: 'attempt.stuck_cleared'; jobKey: string; attempt: number }
  | { type: 'attempt.stuck_step'; jobKey: string; attempt: number; step: Step; reason: string }
  /** A person wants to give a warned attempt more time. */
  | { type: 'attempt.wait_requested'; jobKey: string; attempt: number }
  | { type: 'listing.lost'; provider: string; fault: FaultData }
  | { type: 'listing.found'; provider: string }
  | { type: 'operator.needed'; provider: string; fault: FaultData }
  | { type: 'operator.cleared'; provider: string }
  /** The account's balance lasts for `runwayMs` at what our pods take. */
  | { type: 'balance.fallen'; provider: string; level: BalanceLevel; micro: Micro; runwayMs: number }
  | { type: 'balance.restored'; provider: string; micro: Micro }

/** A fact in its place: `seq` from 1 without gaps within a journal, `at` from the writer's clock. */
export type Event = Fact & { seq: number; at: Millis }
