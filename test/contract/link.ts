// A network link between a client and a server that can swallow everything or be slow, as real ones do.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type Link = {
  port: number
  /** From now on nothing passes, in either direction, and nothing is closed. */
  swallow(): void
  /** Bytes a second from client to server. */
  slowUp(bytesPerSecond: number): void
  close(): Promise<void>
}

const SLICES_PER_SECOND = 20

export async function startLink(toPort: number): Promise<Link> {
  let swallowing = false
  let slice = Number.POSITIVE_INFINITY
  const sockets = new Set<Socket>()
  const timers = new Set<NodeJS.Timeout>()
  const server = createServer({ noDelay: true }, client => {
    const pod = connect({ host: '127.0.0.1', port: toPort, noDelay: true })
    for (const socket of [client, pod]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        if (swallowing) return
        client.destroy()
        pod.destroy()
      })
    }
    pod.on('data', chunk => {
      if (!swallowing) client.write(chunk)
    })
    const upward: Buffer[] = []
    const pass = () => {
      let room = slice
      while (room > 0 && upward.length > 0) {
        const [chunk] = upward
        const now = chunk!.subarray(0, room)
        pod.write(now)
        room -= now.length
        if (now.length === chunk!.length) upward.shift()
        else upward[0] = chunk!.subarray(now.length)
      }
      if (upward.length === 0) client.resume()
    }
    client.on('data', (chunk: Buffer) => {
      if (swallowing) return
      if (slice === Number.POSITIVE_INFINITY) return void pod.write(chunk)
      upward.push(chunk)
      client.pause()
    })
    const timer = setInterval(pass, 1000 / SLICES_PER_SECOND)
    timers.add(timer)
    client.on('close', () => clearInterval(timer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    swallow: () => {
      swallowing = true
    },
    slowUp: bytesPerSecond => {
      slice = Math.ceil(bytesPerSecond / SLICES_PER_SECOND)
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const timer of timers) clearInterval(timer)
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
