// Two questions about a prompt outside of its following: is it there already, and is it over now that it was cancelled.
import type { Clock, TaskOn } from '../../ports.ts'
import { type ComfyApi, isTransient } from './comfy-api.ts'

/** An interrupt works at the next node or progress tick; a node without ticks may take its time (2 s seen, minutes reported). */
const CANCEL_CONFIRM_MS = 5_000

/** Whether the server has the prompt, pending, running or finished; asked a few times, because it decides about a second run. */
export async function lookBefore(api: ComfyApi, promptId: string, clock: Clock, signal: AbortSignal): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      return (await api.look(promptId, signal)).kind !== 'unknown'
    } catch (error) {
      if (!isTransient(error) || tries === 4) throw error
      await clock.sleep(500 * tries, signal)
      signal.throwIfAborted()
    }
  }
}

/** Cancels by id and waits until it is over; false when that cannot be confirmed. Never throws. */
export async function cancelPrompt(api: ComfyApi, promptId: string, clock: Clock, on: TaskOn): Promise<boolean> {
  // The task's own signal is spent; this one bounds the parting words.
  const limit = new AbortController()
  const done = new AbortController()
  void clock.sleep(CANCEL_CONFIRM_MS, done.signal).then(() => limit.abort())
  try {
    await api.cancel(promptId, limit.signal)
    for (;;) {
      const { kind } = await api.look(promptId, limit.signal)
      if (kind === 'finished' || kind === 'unknown') return true
      await clock.sleep(200, limit.signal)
      limit.signal.throwIfAborted()
    }
  } catch (error) {
    const why = limit.signal.aborted ? `it still ran after ${CANCEL_CONFIRM_MS / 1000} s` : (error as Error).message
    on.log(`the cancelling of prompt ${promptId} is not confirmed: ${why}`)
    return false
  } finally {
    done.abort()
  }
}
