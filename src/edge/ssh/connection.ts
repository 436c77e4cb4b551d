// One SSH connection to one pod: from TCP to "logged in", watched until it ends.
//
// connecting → ready | Fault; ready → ended (server, network, watchdog) | closed by us. A connection never comes back: a new one is made.
import { createHash } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import ssh2, { type AuthenticationType, type Client, type ParsedKey } from 'ssh2'
import type { Address } from '../../domain/pod.ts'
import { after } from '../clock.ts'
import { aborted, connectFault, connectionLost, hostKeyChanged, type SshError } from './faults.ts'
import { ping } from './inside.ts'
import { type Slots, slots } from './slots.ts'
import { watch } from './watchdog.ts'

export type Login = {
  username: string | undefined
  /** Parsed once: a key with a passphrase costs up to a second of a blocked event loop at every parse. */
  key: ParsedKey
  keepaliveMs: number
  keepaliveMisses: number
  readyTimeoutMs: number
}

export type Connection = {
  client: Client
  address: Address
  /** SHA256 fingerprint of the host key. */
  hostKey: string
  /** Session channels in use; sshd's MaxSessions is 10, and other programs of the user need some. */
  sessions: Slots
  /** Of those, whole-file transfers, so that commands always get through. */
  bulk: Slots
  alive(): boolean
  /** The fault of everything that was under way when the connection ended. */
  lost(): Error
  /** Called once, in the moment the connection ends or is closed; at once when it has. Returns how to forget it. */
  onEnd(fn: () => void): () => void
  closed: Promise<Error | null>
  close(): void
}

const SESSIONS_MAX = 6
const BULK_MAX = 3
/** Time for the goodbye to leave; a dead link would hold it for minutes. */
const LINGER_MS = 1000

/** AES-GCM first: 1.6 times chacha20's speed; sshd takes the client's order. */
const CIPHERS = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes256-ctr',
] as const

export const fingerprint = (key: Buffer) =>
  `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`

/** Faults: pod `ssh_refused` · `ssh_timed_out` · `host_key_changed`, operator `key_refused`, transient `aborted`. */
export function openConnection(
  address: Address,
  login: Login,
  options: { pinned: string | null; signal?: AbortSignal | undefined },
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const { signal } = options
    if (signal?.aborted) return reject(aborted('the SSH connection'))
    const socket = connectTcp({ host: address.host, port: address.port, noDelay: true })
    // Second line of defence below the watchdog: the kernel gives up after 10 + 3 × 5 s.
    socket.setKeepAlive(true, 10_000, 5_000, 3)
    const client = new ssh2.Client()
    let hostKey = ''
    let state: 'connecting' | 'ready' | 'closing' | 'ended' = 'connecting'
    let reason: SshError | null = null
    let stopWatching = () => {}
    const enders = new Set<() => void>()
    const closed = Promise.withResolvers<Error | null>()

    const fail = (error: Error) => {
      if (state !== 'connecting') return
      state = 'ended'
      signal?.removeEventListener('abort', onAbort)
      socket.destroy()
      reject(error)
    }
    const onAbort = () => fail(aborted('the SSH connection'))
    signal?.addEventListener('abort', onAbort, { once: true })

    const lost = () => connectionLost(address, reason?.message ?? 'closed by the other side', reason ?? undefined)
    const runEnders = () => {
      stopWatching()
      for (const fn of enders) fn()
      enders.clear()
    }

    // Attached before connecting and never removed: errors may follow the end, and an unheard one ends the process.
    client.on('error', (error: SshError) => {
      reason ??= error
      fail(connectFault(address, reason, login.readyTimeoutMs))
    })
    client.on('close', () => {
      fail(connectFault(address, reason, login.readyTimeoutMs))
      if (state === 'ended') return
      const ours = state === 'closing'
      state = 'ended'
      runEnders()
      closed.resolve(ours ? null : lost())
    })
    client.on('ready', () => {
      if (state !== 'connecting') return
      state = 'ready'
      signal?.removeEventListener('abort', onAbort)
      stopWatching = watch(socket, {
        intervalMs: login.keepaliveMs,
        misses: login.keepaliveMisses,
        ask: () => ping(client),
        onDead: silentMs => {
          reason ??= new Error(`no answer for ${(silentMs / 1000).toFixed(1)} s`)
          socket.destroy()
        },
      })
      resolve({
        client,
        address,
        hostKey,
        sessions: slots(SESSIONS_MAX),
        bulk: slots(BULK_MAX),
        alive: () => state === 'ready' && !socket.destroyed,
        lost,
        onEnd: fn => {
          if (state === 'ready') enders.add(fn)
          else fn()
          return () => enders.delete(fn)
        },
        closed: closed.promise,
        close: () => {
          if (state !== 'ready') return
          state = 'closing'
          reason ??= new Error('closed by this program')
          runEnders()
          client.end()
          const giveUp = after(LINGER_MS, () => socket.destroy())
          socket.once('close', giveUp)
        },
      })
    })

    const username = login.username ?? address.user
    client.connect({
      sock: socket,
      username,
      // A list of one: the default begins with "none" and costs a round trip more.
      // (The types know only the names of methods here; ssh2 takes whole objects.)
      authHandler: [{ type: 'publickey', username, key: login.key } as unknown as AuthenticationType],
      readyTimeout: login.readyTimeoutMs,
      keepaliveInterval: 0,
      algorithms: { cipher: [...CIPHERS], compress: ['none'] },
      hostVerifier: (key: Buffer) => {
        hostKey = fingerprint(key)
        if (options.pinned === null || options.pinned === hostKey) return true
        reason ??= hostKeyChanged(address, options.pinned, hostKey)
        return false
      },
    })
  })
}
