// Chooses loopback ports for pods before anything listens on them, as a provider announces a port before sshd is up.
import { createServer } from 'node:net'

const first = 20_000
// Below 32768, where Linux begins to hand out ports by itself (ip_local_port_range): a chosen port stays free until it is used.
const count = 12_000
const taken = new Set<number>()

const isFree = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)))
  })

/** A free port that is not given twice until it is released. Throws when a thousand tries found none. */
export async function reservePort(): Promise<number> {
  for (let tries = 0; tries < 1000; tries++) {
    const port = first + Math.floor(Math.random() * count)
    if (taken.has(port)) continue
    taken.add(port)
    if (await isFree(port)) return port
    taken.delete(port)
  }
  throw new Error('no free loopback port from 20000 to 31999')
}
export const releasePort = (port: number): void => void taken.delete(port)
