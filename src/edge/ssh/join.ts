// Joins a local socket with a channel: both ways, with back-pressure and half-close, until both have ended.
import type { Socket } from 'node:net'
import type { ClientChannel } from 'ssh2'
import { after } from '../clock.ts'
import { widenWindow } from './inside.ts'

/** A closed channel's last bytes may still wait for a slow reader; longer than this nobody reads. */
const LINGER_MS = 30_000

export function join(socket: Socket, channel: ClientChannel): void {
  let ended = false
  channel.on('error', () => {})
  channel.stderr.resume()
  channel.on('data', (chunk: Buffer) => {
    if (!socket.destroyed && !socket.write(chunk)) channel.pause()
  })
  widenWindow(channel)
  socket.on('drain', () => channel.resume())
  channel.on('end', () => {
    ended = true
    socket.end()
  })
  socket.on('data', chunk => {
    // False also once the channel closed: then nothing drains, and its 'close' below ends the socket.
    if (channel.writable && !channel.write(chunk)) socket.pause()
  })
  channel.on('drain', () => socket.resume())
  socket.on('end', () => channel.end())
  channel.on('close', () => {
    if (!ended) return void socket.destroy()
    // The other side is gone for good: what the local side still sends is swallowed, what it has not read yet it may read.
    socket.resume()
    const stop = after(LINGER_MS, () => socket.destroy())
    socket.once('close', stop)
    socket.end(() => socket.destroySoon())
  })
  socket.on('close', () => {
    // An unread channel never reports its end, and would stay open on the pod.
    channel.resume()
    channel.close()
  })
}
