// The SSH side of a pod as the engine sees it: holds local ports, connects, and gives a Machine for each connection.
import type { Address } from '../../domain/pod.ts'
import type { Dialer, Machine, Tunnel } from '../../ports.ts'
import { type Connection, type Login, openConnection } from './connection.ts'
import { download } from './download.ts'
import { exec } from './exec.ts'
import { aborted, place } from './faults.ts'
import { parsePrivateKey } from './keys.ts'
import { type Slots, slots } from './slots.ts'
import { type HeldTunnel, holdTunnel } from './tunnel.ts'
import { upload } from './upload.ts'

export type DialerOptions = {
  /** Instead of the address's user. */
  username?: string
  /** OpenSSH or PEM text. */
  privateKey: string | Buffer
  passphrase?: string
  /** 2000: a dead link is noticed between 5.0 and 5.5 s after its last byte. */
  keepaliveMs?: number
  keepaliveMisses?: number
  readyTimeoutMs?: number
}

/** sshd's MaxStartups 10:30:100 drops logins from the tenth on; several pods may share one gateway. */
const CONNECTS_PER_PLACE = 4
const CONNECTS_MAX = 16

/** Throws Fault operator `ssh_key_unreadable`. `close` ends every connection and tunnel that is still there. */
export function createDialer(options: DialerOptions): Dialer & { close(): Promise<void> } {
  const login: Login = {
    username: options.username,
    key: parsePrivateKey(options.privateKey, options.passphrase),
    keepaliveMs: options.keepaliveMs ?? 2000,
    keepaliveMisses: options.keepaliveMisses ?? 2,
    readyTimeoutMs: options.readyTimeoutMs ?? 10_000,
  }
  const everywhere = slots(CONNECTS_MAX)
  const places = new Map<string, { slots: Slots; users: number }>()
  const tunnels = new Map<Tunnel, HeldTunnel>()
  const connections = new Set<Connection>()

  const queued = async <T>(address: Address, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> => {
    const key = place(address)
    const here = places.get(key) ?? { slots: slots(CONNECTS_PER_PLACE), users: 0 }
    places.set(key, here)
    here.users += 1
    const releaseHere = await here.slots.take(signal)
    const release = releaseHere && (await everywhere.take(signal))
    try {
      if (!release) throw aborted(`the SSH connection to ${key}`)
      return await work()
    } finally {
      release?.()
      releaseHere?.()
      here.users -= 1
      if (here.users === 0) places.delete(key)
    }
  }

  return {
    async hold(preferred, podPort) {
      const held = await holdTunnel(preferred, podPort)
      const tunnel: Tunnel = {
        localPort: held.localPort,
        close: () => {
          tunnels.delete(tunnel)
          return held.close()
        },
      }
      tunnels.set(tunnel, held)
      return tunnel
    },
    async connect(address, { pinned, tunnel, signal }) {
      const held = tunnels.get(tunnel)
      if (!held) throw new Error('bug: this tunnel is closed, or another dialer holds it')
      const connection = await queued(address, signal, () => openConnection(address, login, { pinned, signal }))
      connections.add(connection)
      connection.onEnd(() => connections.delete(connection))
      held.lead(connection)
      return machine(connection, held)
    },
    async close() {
      const ended = [...connections].map(connection => connection.closed)
      for (const connection of connections) connection.close()
      await Promise.all([...ended, ...[...tunnels.keys()].map(tunnel => tunnel.close())])
    },
  }
}

function machine(connection: Connection, tunnel: HeldTunnel): Machine {
  return {
    exec: (command, options) => exec(connection, command, options),
    put: (localPath, podPath, options) => upload(connection, localPath, podPath, options),
    get: (podPath, localPath, options) => download(connection, podPath, localPath, options),
    reach(podPort) {
      if (podPort !== tunnel.podPort) throw new Error(`bug: no tunnel leads to port ${podPort} of the pod`)
      return `http://127.0.0.1:${tunnel.localPort}`
    },
    hostKey: connection.hostKey,
    closed: connection.closed,
    close: connection.close,
  }
}
