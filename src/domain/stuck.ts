// Whether a running attempt is stuck, by evidence, and what is due then. Pure: signs of life are gauges, the shell records what is decided.
//
// quiet stuckWarnMs → warned; quiet stuckActMs → interrupt → (it stopped) free → again here; (it did not) restart → again here, else
// new_pod. A sign of life at any moment before a step ends the warning; `wait` puts the next step off by stuckActMs. Quiet for
// stuckBusyActMs instead where the GPU works, or cannot be seen.
import type { Fact } from './event.ts'
import type { FaultData } from './fault.ts'
import type { Fleet } from './fleet.ts'
import { type Attempt, type Job, liveAttempt, type Stall } from './job.ts'
import type { Limits } from './limits.ts'
import { formatClock, type Millis } from './units.ts'

/**
 * message: ComfyUI said something new about the prompt · gpu: work on the GPU, or its memory moved · log: a line in ComfyUI's log ·
 * file: something among its files changed.
 */
const SIGNS = ['message', 'gpu', 'log', 'file'] as const
export type Sign = (typeof SIGNS)[number]

/** When each sign was last seen, or since when it was looked for; null where it cannot be seen, which is not the same as silence. */
export type Signs = Record<Sign, Millis | null>

/** In this order; each once an attempt. */
export const STEPS = ['interrupt', 'free', 'restart', 'new_pod'] as const
export type Step = (typeof STEPS)[number]

/** A GPU below this does nothing: a display, a driver and a sampler take 0 to 2 %. */
export const GPU_BUSY_PERCENT = 5

/** An attempt that was given up as stuck ends with this code. */
export const STUCK_CODE = 'attempt_stuck'

export type Due =
  | { kind: 'warn'; since: Millis; silent: Sign[] }
  | { kind: 'clear' }
  | { kind: 'step'; step: Step; silent: Sign[]; since: Millis }

/**
 * Since when three signs of four have been silent, the message always among them: whoever reports progress is not stuck, however idle
 * its GPU. A sign that cannot be seen counts for neither side, so that where one is missing all others must be silent; null where
 * fewer than three can be seen.
 */
export function quietSince(signs: Signs): Millis | null {
  const others = [signs.gpu, signs.log, signs.file].filter(at => at !== null).sort((a, b) => a - b)
  const third = others[1]
  return signs.message === null || third === undefined ? null : Math.max(signs.message, third)
}

/** What is due now, null = nothing. `job` is the live attempt's. */
export function due(job: Job, attempt: Attempt, signs: Signs, now: Millis, limits: Limits): Due | null {
  const since = quietSince(signs)
  const stall = liveStall(attempt)
  if (since === null) return null
  if (now - since < limits.stuckWarnMs) return stall ? { kind: 'clear' } : null
  const silent = SIGNS.filter(sign => isSilent(signs, sign, now, limits.stuckWarnMs))
  if (!stall) return { kind: 'warn', since, silent }
  // Minutes on end without a word are normal while a long film is decoded on the GPU. Seed 52002: where nobody sees the GPU, it may be so.
  const isIdle = signs.gpu !== null && now - signs.gpu >= limits.stuckActMs
  const patienceMs = isIdle ? limits.stuckActMs : limits.stuckBusyActMs
  if (now - Math.max(since, stall.waitAskedAt ?? since) < patienceMs) return null
  return { kind: 'step', step: firstStep(job, attempt), silent, since }
}

function isSilent(signs: Signs, sign: Sign, now: Millis, ms: Millis): boolean {
  const at = signs[sign]
  return at !== null && now - at >= ms
}

/** The mildest step that was not taken yet. What did not help this job on this pod a first time will not help a second time. */
function firstStep(job: Job, attempt: Attempt): Step {
  const isAgain = job.attempts.some(
    ({ number, podId, fault }) => number < attempt.number && podId === attempt.podId && fault?.code === STUCK_CODE,
  )
  if (isAgain) return 'new_pod'
  const taken = attempt.stalls.flatMap(({ steps }) => steps.map(({ step }) => step))
  if (taken.includes('restart')) return 'new_pod'
  return taken.includes('interrupt') ? 'restart' : 'interrupt'
}

/** The last step is to leave the pod: decided by what the journal tells, so that an engine that died after it need not take it again. */
export function giveUpStuck(fleet: Fleet): Fact[] {
  const facts: Fact[] = []
  for (const pod of fleet.pods.values()) {
    const job = pod.jobKey === null ? undefined : fleet.jobs.get(pod.jobKey)
    const attempt = job && liveAttempt(job)
    if (!attempt || pod.status !== 'ready' || pod.broken) continue
    if (!attempt.stalls.some(({ steps }) => steps.some(({ step }) => step === 'new_pod'))) continue
    const message = `${job.spec.jobId} was stuck on ${pod.id}, and nothing helped`
    const fault: FaultData = { kind: 'pod', code: STUCK_CODE, message }
    const at = { jobKey: job.key, attempt: attempt.number }
    facts.push(job.cancelRequested ? { type: 'attempt.cancelled', ...at } : { type: 'attempt.failed', ...at, fault })
    facts.push({ type: 'pod.broken', podId: pod.id, fault })
  }
  return facts
}

/** The warning that stands, if any. */
export function liveStall(attempt: Attempt): Stall | null {
  const last = attempt.stalls.at(-1)
  return last && last.clearedAt === null ? last : null
}

/** `no message for 6:02, GPU 0 %, no log line, no file`; `gpuUtil` in per cent, null where nobody can tell. */
export function evidence(silent: readonly Sign[], quietMs: Millis, gpuUtil: number | null): string {
  const words: Record<Sign, string> = {
    message: `no message for ${formatClock(quietMs)}`,
    gpu: `GPU ${Math.round(gpuUtil ?? 0)} %`,
    log: 'no log line',
    file: 'no file',
  }
  return SIGNS.filter(sign => silent.includes(sign) || (sign === 'gpu' && gpuUtil !== null))
    .map(sign => words[sign])
    .join(', ')
}

/** At the begin of a watch. What an earlier engine saw silent was so for long enough to be warned of; more is not known. */
export function firstSigns(attempt: Attempt, now: Millis, limits: Limits): Signs {
  const silent = liveStall(attempt)?.silent ?? []
  const at = (sign: Sign) => (silent.includes(sign) ? now - limits.stuckWarnMs : now)
  return { message: at('message'), gpu: null, log: at('log'), file: at('file') }
}

/** Nobody looked for `ms`: that time is nobody's silence. */
export function shifted(signs: Signs, ms: Millis): Signs {
  const later = (at: Millis | null) => (at === null ? null : at + ms)
  return { message: later(signs.message), gpu: later(signs.gpu), log: later(signs.log), file: later(signs.file) }
}
