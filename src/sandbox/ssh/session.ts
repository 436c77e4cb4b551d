// One session of a client on a simulated pod: what it asks for (a command, a shell, SFTP) and with which surroundings.
import type { Connection, ServerChannel, Session } from 'ssh2'
import { type Groups, runCommand, type Spawned } from './command.ts'
import type { Refuse } from './forward.ts'
import type { PodPaths } from './paths.ts'
import { serveSftp } from './sftp.ts'
import type { Pty } from './terminal.ts'

export type PodSurroundings = { paths: PodPaths; env: Record<string, string>; groups: Groups; motd: string }

/** sshd's default MaxSessions: commands, shells and SFTP together; forwarded ports do not count (OpenSSH 9.2). */
const SESSIONS_MAX = 10

export function serveSessions(connection: Connection, pod: PodSurroundings, refuse: Refuse): void {
  const ends = new Set<() => void>()
  connection.on('session', (accept, reject) => {
    if (ends.size >= SESSIONS_MAX) return refuse(reject, 'open failed')
    const session = accept()
    const stop = serveSession(session, pod)
    const end = () => {
      ends.delete(end)
      stop()
    }
    ends.add(end)
    // Only the session tells of a close that comes while the channel's own input is not read to its end.
    session.on('close', end)
  })
  // When the connection dies ssh2 tells no session, and a channel only once it was read to its end.
  connection.on('close', () => {
    for (const end of [...ends]) end()
  })
}

function serveSession(session: Session, pod: PodSurroundings): () => void {
  const env = { ...pod.env }
  let pty: Pty | null = null
  let stop = () => {}
  let child: Spawned | null = null

  const run = (channel: ServerChannel, command: string) => {
    child = runCommand(channel, command, { cwd: pod.paths.root, env, pty, groups: pod.groups })
    stop = child.abandon
  }

  session.on('env', (accept, _reject, { key, val }) => {
    env[key] = val
    accept?.()
  })
  session.on('pty', (accept, _reject, info) => {
    // ssh2's types leave `term` out of this request (@types/ssh2 1.15.6).
    const { rows, cols, term } = info as typeof info & { term?: string }
    pty = { rows: rows || 24, cols: cols || 80, term: term || 'dumb' }
    env.TERM = pty.term
    accept?.()
  })
  session.on('window-change', (accept, _reject, { rows, cols }) => {
    child?.resize(rows, cols)
    accept?.()
  })
  session.on('signal', (accept, reject, { name }) => {
    if (child?.signal(name) === true) accept?.()
    else reject?.()
  })
  session.on('exec', (accept, _reject, { command }) => run(accept(), command))
  session.on('shell', accept => {
    const channel = accept()
    if (pty !== null && pod.motd !== '') channel.write(pod.motd.replace(/\r?\n/g, '\r\n'))
    run(channel, pty === null ? 'exec /bin/sh' : 'exec /bin/sh -i')
  })
  session.on('subsystem', (accept, reject, { name }) => {
    if (name !== 'sftp') return reject?.()
    stop = serveSftp(accept(), pod.paths).gone
  })
  return () => stop()
}
