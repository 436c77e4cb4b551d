// Getting the card's memory back without a restart of ComfyUI.
import type { Clock, TaskOn } from '../../ports.ts'
import { type ComfyApi, isTransient } from './comfy-api.ts'

/**
 * POST /free only sets flags, which the worker reads between prompts (ComfyUI 0.33.0, `main.py`): a prompt that comes at once would be
 * taken first. An idle worker wakes for them; unloading takes well under a second.
 */
const UNLOAD_MS = 1_500

/** Best effort: a server that does not answer shows it at the next call. */
export async function freeMemory(
  api: ComfyApi,
  clock: Clock,
  on: Pick<TaskOn, 'log'>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await api.free(signal)
    on.log('freed the memory of the GPU')
    await clock.sleep(UNLOAD_MS, signal)
    signal.throwIfAborted()
  } catch (error) {
    if (!isTransient(error)) throw error
    on.log(`the memory of the GPU could not be freed: ${error.message}`)
  }
}
