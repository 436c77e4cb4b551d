// The SSH server of a simulated pod, on loopback: real commands in the pod's folder, SFTP, port forwarding.
//
// It behaves as the sshd of a GPU image does where a client can tell: public keys only, ten sessions a connection, the
// texts and reasons of refusals, exit status and signal. Left out: reverse and Unix-socket forwarding, agents, X11.
import { createServer, type Socket } from 'node:net'
import type { Connection } from 'ssh2'
import ssh2 from 'ssh2'
import { guard, parseAuthorized } from './authorized.ts'
import { processGroups } from './command.ts'
import { type Refuse, serveForwards } from './forward.ts'
import { loadHostKey } from './host-key.ts'
import { podPaths } from './paths.ts'
import { type PodSurroundings, serveSessions } from './session.ts'

export type PodSshOptions = {
  /** The pod's own folder: HOME and working folder of every command; all SFTP paths lie inside. Made if missing. */
  root: string
  /** OpenSSH public key lines; what is no key is left out, so `['null']` lets nobody in. */
  authorizedKeys: string[]
  /** ed25519 host key; made on first use. */
  hostKeyPath: string
  /** The container's variables, seen by every command. */
  env: Record<string, string>
  /** First in PATH. */
  binDir: string
  /** 0 or absent: any free port. */
  port?: number
  /** A port of the pod → the loopback port that really serves it; null: nothing listens. */
  reach: (port: number) => number | null
  /** Shown when a shell with a terminal starts. */
  motd?: string
}

export type PodSsh = {
  port: number
  /** Of the host key, `SHA256:…`. */
  fingerprint: string
  /** Open TCP connections, logged in or not. */
  connections(): number
  /** Drops every connection hard, as a broken route does; goes on listening. */
  cut(): void
  /** Stops listening, drops every connection, ends every process a client started. Idempotent. */
  stop(): Promise<void>
}

/** Clients choose by this name how large an SFTP packet may be; 8.9p1 is what RunPod's Ubuntu 22.04 images run. */
const IDENT = 'OpenSSH_8.9p1 autopod-sandbox'
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Rejects when the port is taken (EADDRINUSE) or the host key file is not one. */
export async function startPodSsh(options: PodSshOptions): Promise<PodSsh> {
  const hostKey = await loadHostKey(options.hostKeyPath)
  const paths = await podPaths(options.root)
  const allowed = parseAuthorized(options.authorizedKeys)
  const groups = processGroups()
  const path = `${options.binDir}:${options.env.PATH ?? SYSTEM_PATH}`
  const account = { USER: 'root', LOGNAME: 'root', SHELL: '/bin/sh', LANG: 'C.UTF-8' }
  const pod: PodSurroundings = {
    paths,
    env: { ...account, ...options.env, HOME: paths.root, PATH: path },
    groups,
    motd: options.motd ?? '',
  }

  const ssh = new ssh2.Server({ hostKeys: [hostKey.pem], ident: IDENT }, connection => {
    connection.on('error', () => {})
    // Every forwarded port listens for the connection's end; a browser opens dozens.
    connection.setMaxListeners(0)
    const refuse = refusals(connection)
    guard(connection, allowed)
    connection.once('ready', () => {
      serveSessions(connection, pod, refuse)
      serveForwards(connection, options.reach, refuse)
    })
  })
  ssh.on('error', () => {})

  // Our own listener: ssh2's leaves Nagle's algorithm on (42 ms more for every command) and hides its sockets from `cut`.
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    ssh.injectSocket(socket)
  })
  await new Promise<void>((resolve, reject) => {
    // For good: a connection that cannot be taken (no descriptor left) is an error of the listener, too.
    server.on('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('bug: a TCP listener without a port')

  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    port: address.port,
    fingerprint: hostKey.fingerprint,
    connections: () => sockets.size,
    cut,
    stop: async () => {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      cut()
      groups.killAll()
      await closed
    },
  }
}

/**
 * ssh2 1.17.0 refuses a channel with reason 2 and an empty text; sshd sends strerror's or "open failed", which clients show.
 * The text is put in on its way out.
 */
function refusals(connection: Connection): Refuse {
  type Opens = { channelOpenFail(recipient: number, reason: number, text: string): void }
  const protocol = (connection as unknown as { _protocol: Opens })._protocol
  const send = protocol.channelOpenFail.bind(protocol)
  let text = ''
  protocol.channelOpenFail = (recipient, reason, given) => send(recipient, reason, given || text)
  return (reject, reason) => {
    text = reason
    reject()
    text = ''
  }
}
