// Port forwarding of a simulated pod (`direct-tcpip`): a channel tied to a loopback port, half-closes kept apart.
import { connect } from 'node:net'
import type { Connection, ServerChannel } from 'ssh2'

const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1', '0.0.0.0'])

/** ssh2's own types leave out the two half-close calls of its channels (ssh2 1.17.0, lib/Channel.js). */
type HalfClosable = ServerChannel & { eof(): void; close(): void }

/** @param reach the pod's port → the real loopback port; null: nothing listens there */
export function serveForwards(connection: Connection, reach: (port: number) => number | null, refuse: Refuse): void {
  connection.on('tcpip', (accept, reject, info) => {
    const port = LOOPBACK.has(info.destIP) ? reach(info.destPort) : null
    if (port === null) return refuse(reject, 'Connection refused')
    const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true })
    const early = () => refuse(reject, 'Connection refused')
    const lost = () => socket.destroy()
    connection.once('close', lost)
    socket.once('close', () => connection.off('close', lost))
    socket.once('error', early)
    socket.once('connect', () => {
      socket.off('error', early)
      const channel = accept() as HalfClosable | undefined
      if (channel === undefined) return socket.destroy()
      join(channel, socket)
    })
  })
}

export type Refuse = (reject: () => void, reason: string) => void

function join(channel: HalfClosable, socket: ReturnType<typeof connect>): void {
  let halves = 2
  const half = () => {
    if (--halves === 0) channel.end()
  }
  channel.on('error', () => {})
  socket.on('error', () => channel.close())
  channel.on('close', () => socket.destroy())
  socket.on('close', hadError => {
    if (hadError) channel.close()
  })

  // `channel.end()` would close both directions at once, so each side's end is passed on by itself; the empty write
  // comes back when everything before it was sent.
  socket.pipe(channel, { end: false })
  socket.once('end', () => {
    channel.write(Buffer.alloc(0), () => {
      channel.eof()
      half()
    })
  })
  channel.pipe(socket)
  channel.once('end', half)
}
