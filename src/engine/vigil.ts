// Watches one attempt for signs of life and writes down what `domain/stuck` makes of them; ends when a step is due.
import type { Fact } from '../domain/event.ts'
import type { JobGauge } from '../domain/gauge.ts'
import { liveAttempt } from '../domain/job.ts'
import { jobOf } from '../domain/lookup.ts'
import { type Due, due, evidence, firstSigns, type Signs, type Step, shifted } from '../domain/stuck.ts'
import type { Millis } from '../domain/units.ts'
import type { Machine } from '../ports.ts'
import type { Context } from './context.ts'
import { within } from './settle.ts'

export type Vigil = {
  /** The service said something new. */
  heard(): void
  /** What the attempt does now. While files move, others look after it. */
  phase(phase: JobGauge['phase']): void
  /** Looks until a step is due, which is in the journal then; null when `signal` aborts. Time between two calls is not counted. */
  step(machine: Machine, signal: AbortSignal): Promise<Step | null>
}

export function createVigil(context: Context, jobKey: string, number: number, podId: string): Vigil {
  const { clock, limits, journal, gauges, executor } = context
  const attemptNow = () => {
    const attempt = liveAttempt(jobOf(journal.fleet, jobKey))
    return attempt?.number === number ? attempt : null
  }
  const attempt = attemptNow()
  let signs: Signs | null = attempt && firstSigns(attempt, clock.now(), limits)
  let marks: { log: string | null; file: string | null } | null = null
  let isMoving = false
  let lookedAt = clock.now()

  const look = async (machine: Machine, signal: AbortSignal) => {
    if (!signs) return
    const startedAt = clock.now()
    // The link was down, or this machine was asleep: nobody could have seen anything.
    signs = shifted(signs, Math.max(0, startedAt - lookedAt - limits.stuckLookMs * 2))
    lookedAt = startedAt
    if (isMoving) {
      signs = { message: startedAt, gpu: signs.gpu, log: startedAt, file: startedAt }
      return
    }
    signs = { ...signs, gpu: gpuSign(lookedAt) }
    // Who talks is alive: nobody has to be asked.
    if (marks !== null && signs.message !== null && startedAt - signs.message < limits.stuckLookMs) return
    const asked = await within(clock, limits.stuckLookMs, signal, late => executor.marks(machine, late))
    const now = asked?.ok ? asked.value : { log: null, file: null }
    signs = { ...signs, log: mark('log', now.log), file: mark('file', now.file) }
    marks = { log: now.log ?? marks?.log ?? null, file: now.file ?? marks?.file ?? null }
  }
  /** A mark that is there for the first time tells nothing of when it came. */
  const mark = (sign: 'log' | 'file', now: string | null): Millis | null => {
    if (now === null) return null
    const before = marks?.[sign] ?? null
    return before !== null && now !== before ? clock.now() : (signs?.[sign] ?? clock.now())
  }
  const gpuSign = (now: Millis): Millis | null => {
    const gpu = gauges.gpu(podId)
    const isFresh = gpu !== null && now - gpu.sampledAt <= Math.max(limits.sampleMs * 3, limits.stuckLookMs)
    return isFresh ? gpu.aliveAt : null
  }

  const decide = (): Due | null => {
    const job = jobOf(journal.fleet, jobKey)
    const live = attemptNow()
    return live && signs ? due(job, live, signs, clock.now(), limits) : null
  }
  const told = (found: Due): Fact => {
    const at = { jobKey, attempt: number }
    if (found.kind === 'clear') return { type: 'attempt.stuck_cleared', ...at }
    const reason = words(found)
    if (found.kind === 'step') return { type: 'attempt.stuck_step', ...at, step: found.step, reason }
    return { type: 'attempt.stuck_warned', ...at, since: found.since, silent: found.silent, reason }
  }
  const words = (found: Extract<Due, { kind: 'warn' | 'step' }>) => {
    const gpu = gauges.gpu(podId) ? (gauges.gauges.pods.get(podId)?.gpuUtil ?? null) : null
    return evidence(found.silent, clock.now() - found.since, gpu)
  }

  return {
    heard() {
      if (signs) signs = { ...signs, message: clock.now() }
    },
    phase(phase) {
      isMoving = phase === 'inputs' || phase === 'outputs'
    },
    async step(machine, signal) {
      while (!signal.aborted) {
        await look(machine, signal)
        if (signal.aborted) return null
        let step: Step | null = null
        if (decide())
          journal.record(() => {
            const found = decide()
            step = found?.kind === 'step' ? found.step : null
            return found ? [told(found)] : []
          })
        // What the journal refused is not done.
        if (signal.aborted) return null
        if (step) return step
        await clock.sleep(limits.stuckLookMs, signal)
      }
      return null
    },
  }
}
