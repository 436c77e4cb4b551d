// The socket of one prompt: progress, pictures and words for people, and a nudge to look when something ended.
import type { Clock, TaskOn } from '../../ports.ts'
import { featureFlags, readFrame, readMessage } from '../../wire/comfy.ts'
import { openSocket } from '../socket.ts'
import { plain } from './comfy-faults.ts'
import type { Progress } from './comfy-progress.ts'

/** Two pictures a second are as many as the screen shows. */
const PREVIEW_PAUSE_MS = 500
/** ComfyUI makes them 512 pixels wide: more than this is no preview, and would be written to disk twice a second. */
const PREVIEW_BYTES_MAX = 4 * 1024 * 1024
/** Longest wait for the first connection before the prompt is sent without it; HTTP decides anyway. */
const OPEN_WAIT_MS = 5_000

export type Watch = {
  /** The id to submit under, null when the socket does not stand. Aborting throws the reason. */
  clientId(signal: AbortSignal): Promise<string | null>
  close(): void
}

/** @param nudge called when the prompt seems to be over; `moved` when there is new progress. */
export function watchPrompt(options: {
  base: string
  promptId: string
  progress: Progress
  clock: Clock
  on: Pick<TaskOn, 'preview' | 'log' | 'heard'>
  nudge(): void
  moved(): void
}): Watch {
  const { base, promptId, progress, clock, on } = options
  let previewedAt = 0
  let isLost = false
  const socket = openSocket({
    url: clientId => `${base.replace(/^http/, 'ws')}/ws?clientId=${clientId}`,
    clock,
    on: {
      open(send) {
        send(featureFlags)
        if (isLost) on.log('the live connection to ComfyUI is back; what it said meanwhile is not repeated')
        isLost = false
      },
      text(text) {
        const message = readMessage(text)
        if (message.type === 'execution_error' && message.data.exception_type === 'ExecutionBlocked') {
          const { node_id, node_type, exception_message } = message.data
          on.log(`node ${node_id} (${node_type}) gave no output: ${plain(exception_message)}`)
        }
        // Goes to every socket, so it is the one sign of an end that survives a reconnect; the greeting has a `sid`.
        if (message.type === 'status' && !message.data.sid && message.data.status.exec_info.queue_remaining === 0)
          options.nudge()
        const verdict = progress.read(message, clock.now())
        if (verdict === 'over') options.nudge()
        if (verdict === 'changed') options.moved()
        // The greeting of every new connection names the node, but no prompt: it says nothing new.
        if (verdict === 'changed' && message.type !== 'other' && 'prompt_id' in message.data) on.heard()
      },
      bytes(bytes) {
        const frame = readFrame(bytes)
        if (frame.kind === 'text') on.log(`node ${frame.nodeId}: ${plain(frame.text)}`)
        if (frame.kind !== 'preview' || (frame.promptId ?? promptId) !== promptId) return
        on.heard()
        const now = clock.now()
        if (now - previewedAt < PREVIEW_PAUSE_MS || frame.image.length > PREVIEW_BYTES_MAX) return
        previewedAt = now
        on.preview(frame.image)
      },
      lost(why) {
        if (!isLost) on.log(`the live connection to ComfyUI was lost (${why}); going on by asking`)
        isLost = true
        options.nudge()
      },
    },
  })
  return {
    async clientId(signal) {
      const waited = new AbortController()
      const stop = () => waited.abort()
      signal.addEventListener('abort', stop, { once: true })
      await Promise.race([socket.opened, clock.sleep(OPEN_WAIT_MS, waited.signal)])
      signal.removeEventListener('abort', stop)
      stop()
      signal.throwIfAborted()
      return socket.clientId()
    },
    close: socket.close,
  }
}
