// A local port held for a pod's whole life. Connections come and go underneath; the listener, and so the URL, stays.
//
// A local connection: waiting (for an SSH connection, at most 10 s) → opening → joined → ended. It goes back from opening to
// waiting when the SSH connection ends meanwhile; a joined one is reset then, since half an answer must not look like a whole one.
import { createServer, type Server, type Socket } from 'node:net'
import getPort, { portNumbers } from 'get-port'
import type { ClientChannel } from 'ssh2'
import { Fault } from '../../domain/fault.ts'
import type { Tunnel } from '../../ports.ts'
import { after } from '../clock.ts'
import type { Connection } from './connection.ts'
import type { SshError } from './faults.ts'
import { join } from './join.ts'
import { NOBODY_LISTENS, unavailable } from './unavailable.ts'

export type HeldTunnel = Tunnel & {
  podPort: number
  /** From now on new local connections go through this one, until it ends. */
  lead(connection: Connection): void
}

/** How long a browser waits for a reconnect before it is told. */
const WAIT_MS = 10_000
/** Ports looked at above the preferred one: more pods than this on one machine is not planned. */
const PORTS_TRIED = 400
const TAKEN = new Set(['EADDRINUSE', 'EACCES'])

/** Fault operator `ports_taken` when `preferred` and the 400 ports above it are all in use. `preferred` 0: any port. */
export async function holdTunnel(preferred: number, podPort: number): Promise<HeldTunnel> {
  let current: Connection | null = null
  let closed = false
  const waiting = new Set<() => void>()
  const sockets = new Set<Socket>()

  /** The connection to use, null after 10 s without one or when the socket or the tunnel is closed. */
  const connected = (socket: Socket, until: number): Promise<Connection | null> => {
    if (current) return Promise.resolve(current)
    if (closed || socket.destroyed) return Promise.resolve(null)
    return new Promise(resolve => {
      const done = () => {
        waiting.delete(done)
        socket.off('close', done)
        stop()
        resolve(current)
      }
      const stop = after(Math.max(0, until - performance.now()), done)
      waiting.add(done)
      socket.once('close', done)
    })
  }

  const serve = async (socket: Socket): Promise<void> => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    const until = performance.now() + WAIT_MS
    while (!socket.destroyed) {
      const connection = await connected(socket, until)
      if (socket.destroyed) return
      if (!connection) return unavailable(socket, 'The pod is not connected.')
      const opened = await forward(connection, socket, podPort)
      if (opened === 'lost') {
        if (current === connection) current = null
        continue
      }
      if (typeof opened === 'string') return unavailable(socket, `Port ${podPort} ${NOBODY_LISTENS}: ${opened}.`)
      if (socket.destroyed) {
        opened.on('error', () => {}).resume()
        opened.close()
        return
      }
      const forget = connection.onEnd(() => socket.resetAndDestroy())
      socket.once('close', forget)
      join(socket, opened)
      return
    }
  }

  const server = await listen(preferred, socket => void serve(socket))
  const { port } = server.address() as { port: number }
  return {
    localPort: port,
    podPort,
    lead(connection) {
      if (closed || !connection.alive()) return
      current = connection
      connection.onEnd(() => {
        if (current === connection) current = null
      })
      for (const wake of [...waiting]) wake()
    },
    close: () =>
      new Promise(resolve => {
        closed = true
        current = null
        for (const wake of [...waiting]) wake()
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** The open channel, 'lost' when the SSH connection ended, or why the pod refused. */
function forward(connection: Connection, socket: Socket, podPort: number): Promise<ClientChannel | 'lost' | string> {
  return new Promise(resolve => {
    const from = { host: socket.remoteAddress ?? '127.0.0.1', port: socket.remotePort ?? 0 }
    const onOpen = (error: SshError | undefined, channel: ClientChannel) => {
      if (!error) resolve(channel)
      else resolve(connection.alive() ? error.message.replace('(SSH) Channel open failure: ', '') : 'lost')
    }
    try {
      connection.client.forwardOut(from.host, from.port, '127.0.0.1', podPort, onOpen)
    } catch {
      resolve('lost')
    }
  })
}

/** The bound listener is the reservation: a port is tried by taking it. get-port only says where to look next. */
async function listen(preferred: number, onSocket: (socket: Socket) => void): Promise<Server> {
  const last = Math.min(preferred + PORTS_TRIED, 65_535)
  for (let port = preferred; port <= last; ) {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, onSocket)
    const error = await new Promise<NodeJS.ErrnoException | null>(resolve => {
      // For good: a connection that cannot be taken (no descriptor left) is an error of the listener, too, and costs only itself.
      server.on('error', resolve)
      server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(null))
    })
    if (!error) return server
    if (!TAKEN.has(error.code ?? '')) throw error
    if (port === last) break
    const proposed = await getPort({ host: '127.0.0.1', port: portNumbers(port + 1, last) })
    // Outside of the range: get-port found none in it that it believes free; then each is tried.
    port = proposed > port && proposed <= last ? proposed : port + 1
  }
  throw new Fault({
    kind: 'operator',
    code: 'ports_taken',
    message: `no free local port from ${preferred} to ${last}`,
    hint: 'Close what listens there, or set another first port.',
  })
}
