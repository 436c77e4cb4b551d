// Waiting for a prompt's end. Only HTTP decides; the socket shortens the wait.
//
// pending ⇄ running → finished; unknown twice, three seconds apart → lost; no usable answer for long → ComfyUI is gone.
import { Fault } from '../../domain/fault.ts'
import type { Clock } from '../../ports.ts'
import { type ComfyApi, isTransient, type PromptState } from './comfy-api.ts'

/** The history may lag behind the queue's end; 0.3 s were seen (0.33.0, 40 tries). */
const GRACE_MS = 3_000
/** How long, and how often, to ask again after the socket said that something ended. */
const HURRY_MS = 3_000
const HURRY_POLL_MS = 100
/** A model load can hold all answers for minutes: silence alone is no death for this long. */
const SILENCE_MAX_MS = 15 * 60_000
/** Worth a line in the log: the worker may be stuck, which no answer shows. */
const STUCK_MS = 10 * 60_000

export type Finished = Extract<PromptState, { kind: 'finished' }>
export type Following = {
  /** Resolves with the end, good or bad. Faults: pod `prompt_lost` · `comfy_gone`; aborts throw the signal's reason. */
  wait(): Promise<Finished>
  /** Ask soon. */
  nudge(): void
  /** There was progress. */
  moved(): void
}

export function followPrompt(options: {
  api: ComfyApi
  promptId: string
  clock: Clock
  pollMs: number
  /** Longest time that ComfyUI may refuse connections or answer nonsense while the machine lives. */
  goneMs: number
  on: { state(kind: 'pending' | 'running'): void; log(line: string): void }
  signal: AbortSignal
}): Following {
  const { api, promptId, clock, on, signal } = options
  let nap = new AbortController()
  let hurryUntil = 0
  let movedAt = clock.now()
  let unknownAt: number | null = null
  let troubleAt: number | null = null

  const sleep = async (ms: number) => {
    nap = new AbortController()
    const wake = () => nap.abort()
    signal.addEventListener('abort', wake, { once: true })
    await clock.sleep(ms, nap.signal)
    signal.removeEventListener('abort', wake)
    signal.throwIfAborted()
  }

  const look = async (): Promise<PromptState | null> => {
    try {
      const state = await api.look(promptId, signal)
      if (troubleAt !== null) on.log('ComfyUI answers again')
      troubleAt = null
      return state
    } catch (error) {
      if (!isTransient(error)) throw error
      if (troubleAt === null) on.log(`ComfyUI does not answer: ${error.message}`)
      troubleAt ??= clock.now()
      const limitMs = error.data.code === 'http_timed_out' ? SILENCE_MAX_MS : options.goneMs
      if (clock.now() - troubleAt < limitMs) return null
      const message = `ComfyUI gave no usable answer for ${Math.round(limitMs / 1000)} s: ${error.message}`
      const hint = 'Its process has probably ended; the log of the pod says why.'
      throw new Fault({ kind: 'pod', code: 'comfy_gone', message, hint }, { cause: error })
    }
  }

  const wait = async (): Promise<Finished> => {
    for (;;) {
      signal.throwIfAborted()
      const state = await look()
      if (state?.kind === 'finished') return state
      if (state?.kind === 'unknown') {
        if (unknownAt !== null && clock.now() - unknownAt >= GRACE_MS) throw lost(promptId)
        unknownAt ??= clock.now()
      } else if (state) {
        unknownAt = null
        on.state(state.kind)
      }
      if (clock.now() - movedAt >= STUCK_MS) {
        movedAt = clock.now()
        on.log(
          `no progress for ${STUCK_MS / 60_000} minutes; ComfyUI still ${state ? `says ${state.kind}` : 'is silent'}`,
        )
      }
      const isHurried = clock.now() < hurryUntil || unknownAt !== null
      await sleep(isHurried ? Math.min(HURRY_POLL_MS, options.pollMs) : options.pollMs)
    }
  }

  return {
    wait,
    nudge() {
      hurryUntil = clock.now() + HURRY_MS
      nap.abort()
    },
    moved() {
      movedAt = clock.now()
    },
  }
}

export function lost(promptId: string): Fault {
  return new Fault({
    kind: 'pod',
    code: 'prompt_lost',
    message: `ComfyUI no longer knows prompt ${promptId}: it was restarted, or ended and came back`,
    hint: 'Often the pod ran out of main memory; the job goes to another pod.',
  })
}
