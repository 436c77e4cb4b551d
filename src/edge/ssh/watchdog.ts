// Notices a link that swallows everything: no byte from the server although it was asked.
//
// ssh2's own keepalive is not used: inbound data does not reset it, so a bulk upload over a slow uplink, which delays the
// question by seconds, is declared dead (measured, ssh2 1.17.0). Here any received byte is a sign of life, as in OpenSSH.
import type { Socket } from 'node:net'
import { every } from '../clock.ts'

/** Looks an interval: fine enough to stay within half an interval of the promised time. */
const LOOKS = 4

/**
 * Asks after each silent `intervalMs`; calls `onDead` once after `misses` unanswered ones and half an interval more
 * (2000 × 2: between 5.0 and 5.5 s after the last byte). Returns how to stop.
 *
 * Silence is counted in looks, not in time: after a suspended process or a blocked event loop one look is one look.
 */
export function watch(
  socket: Socket,
  options: { intervalMs: number; misses: number; ask: () => void; onDead: (silentMs: number) => void },
): () => void {
  const lookMs = options.intervalMs / LOOKS
  const deadAfter = options.misses * LOOKS + LOOKS / 2
  let seen = socket.bytesRead
  let queued = 0
  let silent = 0
  const stop = every(lookMs, () => {
    const queue = (socket as unknown as { _handle: { writeQueueSize: number } | null })._handle?.writeQueueSize ?? 0
    // A queue that gets shorter means the other side takes bytes, even where its answers wait behind a bulk upload.
    const alive = socket.bytesRead !== seen || queue < queued
    seen = socket.bytesRead
    queued = queue
    silent = alive ? 0 : silent + 1
    if (silent >= deadAfter) {
      stop()
      options.onDead(silent * lookMs)
    } else if (silent > 0 && silent % LOOKS === 0) options.ask()
  })
  return stop
}
