// Everything that reaches into private parts of ssh2 1.17.0 (pinned exactly); a new version of it is checked here first.
import { createRequire } from 'node:module'
import type { Channel, Client } from 'ssh2'

type Protocol = {
  ping(): void
  channelWindowAdjust(channelId: number, bytes: number): void
}
type ClientInside = { _protocol: Protocol; _callbacks: (() => void)[] }
type ChannelInside = {
  _client: ClientInside
  incoming: { id: number; window: number; state: string }
  outgoing: { id: number; window: number; state: string }
  readableLength: number
}

/** Whether ssh2's native ciphers were built; without them it works in plain JavaScript at about half the speed. */
export const nativeCipher: boolean = createRequire(import.meta.url)('ssh2/lib/protocol/crypto.js').bindingAvailable

/** Asks the server for any answer: a global request that no server knows, as OpenSSH's ServerAliveInterval does. */
export function ping(client: Client): void {
  const inside = client as unknown as ClientInside
  // Answers carry no number: ssh2 matches them with this queue by order, so each ping needs its place in it.
  inside._callbacks.push(() => {})
  inside._protocol.ping()
}

/** What 216 MB/s at a round trip of 50 ms needs; ssh2's own 2 MiB give 20–38 MB/s there (measured, 2026-08). */
const WINDOW_BYTES = 16 * 1024 * 1024
/** Short answers never need more than the first window: for them nothing is sent. */
const WIDEN_AFTER_BYTES = 256 * 1024

/**
 * Lets the server send 16 MiB ahead once the channel proves to carry much. What waits unread in this process counts as sent
 * ahead, so that a slow reader holds at most that much. Add the 'data' listener that consumes before calling this.
 */
export function widenWindow(channel: Channel): void {
  const inside = channel as unknown as ChannelInside
  let received = 0
  channel.on('data', (chunk: Buffer) => {
    received += chunk.length
    if (received < WIDEN_AFTER_BYTES || inside.incoming.state !== 'open') return
    const ahead = inside.incoming.window + inside.readableLength
    if (ahead > WINDOW_BYTES / 2 || inside.outgoing.state === 'closed' || inside.outgoing.state === 'closing') return
    const more = WINDOW_BYTES - ahead
    inside.incoming.window += more
    inside._client._protocol.channelWindowAdjust(inside.outgoing.id, more)
  })
}
