// Whether somebody listens on ports of this machine.
import { connect } from 'node:net'

/** Of the ten from `first`, which is more than a test has tunnels. */
export async function openPorts(first: number): Promise<number[]> {
  const ports = Array.from({ length: 10 }, (_, at) => first + at)
  const open = await Promise.all(ports.map(isOpen))
  return ports.filter((_, at) => open[at])
}

export function isOpen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
