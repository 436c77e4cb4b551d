// A stuck attempt: one step after the other, each written down before it is taken, until the attempt is over or its pod is.
import type { Artifact } from '../domain/job.ts'
import { STUCK_CODE, type Step } from '../domain/stuck.ts'
import type { Machine } from '../ports.ts'
import { answers } from './climb.ts'
import type { Context } from './context.ts'
import { type Settled, within } from './settle.ts'

type Running = Promise<Settled<Artifact[]> | null>

export type Stuck = {
  jobId: string
  podId: string
  machine: Machine
  /** The executor's work on the attempt. */
  running: Running
  /** Interrupts that work by the prompt's id. */
  interrupt(): void
  /** Writes the step into the journal. */
  take(step: Step, reason: string): void
  /** Aborts when the attempt is no longer wanted. */
  out: AbortSignal
}

/**
 * From the step that is in the journal already on. How the attempt ends comes back; null when it is no longer wanted, or when all that is
 * left is another pod, which the plan sees to.
 */
export async function unstick(context: Context, first: Step, stuck: Stuck): Promise<Settled<Artifact[]> | null> {
  const { clock, limits, executor } = context
  const { jobId, podId, machine, take, out } = stuck
  const again = (message: string): Settled<Artifact[]> => ({
    ok: false,
    fault: { kind: 'transient', code: STUCK_CODE, message: `${jobId} was stuck on ${podId}: ${message}` },
  })
  if (first === 'interrupt') {
    stuck.interrupt()
    const ended = await within(clock, limits.cancelMs, out, () => stuck.running)
    if (out.aborted) return null
    const end = ended?.ok ? ended.value : null
    if (end?.ok || (end && end.fault.code !== 'cancelled' && end.fault.code !== 'cancel_ignored')) return end
    if (end?.fault.code === 'cancelled') {
      take('free', 'the interrupt worked; what the prompt left in memory is unloaded before the next try')
      await within(clock, limits.cancelMs, out, bounded => executor.free(machine, bounded))
      return out.aborted ? null : again('it was interrupted')
    }
    take('restart', 'the interrupt had no effect')
  }
  if (first === 'new_pod') return null
  const done = await within(clock, limits.comfyStartMs, out, bounded => executor.restart(machine, bounded))
  const until = clock.now() + limits.comfyStartMs
  const answered = done?.ok && (await answers(context, machine, until, limits.comfyStartMs, out)) === true
  if (out.aborted) return null
  if (answered) return again('its ComfyUI was started anew')
  take('new_pod', done?.ok === false ? done.fault.message : 'ComfyUI did not come back')
  return null
}
