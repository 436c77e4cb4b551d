// One command on a session channel, from its slot to its exit code. Commands and file transfers are built on it.
import { constants } from 'node:os'
import type { ClientChannel } from 'ssh2'
import { Fault } from '../../domain/fault.ts'
import { after } from '../clock.ts'
import type { Connection } from './connection.ts'
import { aborted, type SshError } from './faults.ts'
import { widenWindow } from './inside.ts'
import { announced, announcement, endGroup } from './process-group.ts'

/** A refused channel is asked for again so often, with 100, 200 … ms in between: 1.5 s in all. */
const REFUSALS_MAX = 5
const REFUSED_PAUSE_MS = 100

/** A command that was given up may take this long to say who it is; then only its channel is closed. */
const ANNOUNCE_MS = 5000

export type Session = {
  command: string
  /** For messages: what this is, e.g. `the upload of x.png`. */
  what: string
  /** Called with the open channel; must end its input. Its failure ends the command. Absent: no input. */
  feed?: (channel: ClientChannel) => Promise<void> | void
  onStdout: (chunk: Buffer, channel: ClientChannel) => void
  onStderr: (chunk: Buffer) => void
  /** Counted from when the channel is asked for, not while waiting for a slot. */
  timeoutMs?: number | undefined
  signal?: AbortSignal | undefined
}

/**
 * Resolves with the exit code (128 + n for signal n) when the channel is closed and all output was seen.
 * Faults: pod `connection_lost`; transient `command_timed_out` · `channel_refused` · `aborted`. What `feed` or a listener throws passes.
 */
export async function runSession(connection: Connection, session: Session): Promise<number> {
  const { signal, what } = session
  const release = await connection.sessions.take(signal)
  if (!release) throw aborted(what)
  if (!connection.alive()) {
    release()
    throw connection.lost()
  }
  return new Promise((resolve, reject) => {
    let channel: ClientChannel | null = null
    let code: number | undefined
    let settled = false
    let stopTimer = () => {}

    const settle = (finish: () => void) => {
      if (settled) return
      settled = true
      stopTimer()
      signal?.removeEventListener('abort', onAbort)
      finish()
    }
    let group: number | null = null
    const kill = () => {
      if (!channel) return
      if (group !== null) endGroup(connection, group)
      const opened = channel
      opened.resume()
      if (group !== null || !connection.alive()) opened.close()
      else
        opened.once(
          'close',
          after(ANNOUNCE_MS, () => opened.close()),
        )
    }
    const fail = (error: unknown) =>
      settle(() => {
        kill()
        reject(error)
      })
    const onAbort = () => fail(aborted(what))
    signal?.addEventListener('abort', onAbort, { once: true })
    if (session.timeoutMs !== undefined)
      stopTimer = after(session.timeoutMs, () =>
        fail(
          new Fault({
            kind: 'transient',
            code: 'command_timed_out',
            message: `${what} took longer than ${session.timeoutMs! / 1000} s`,
          }),
        ),
      )
    const forget = connection.onEnd(() => {
      release()
      fail(connection.lost())
    })
    const free = () => {
      release()
      forget()
    }

    const guarded = (fn: () => void) => {
      if (settled) return
      try {
        fn()
      } catch (error) {
        fail(error)
      }
    }
    let refusals = 0
    const onOpen = (error: SshError | undefined, opened: ClientChannel) => {
      if (error && !settled && connection.alive() && refusals < REFUSALS_MAX) {
        // sshd counts channels that are just being closed (MaxSessions 10); a moment later there is room.
        refusals++
        return void after(REFUSED_PAUSE_MS * refusals, begin)
      }
      if (error) {
        free()
        return fail(connection.alive() ? refused(what, error) : connection.lost())
      }
      channel = opened
      opened.on('error', () => {})
      opened.on('exit', (exit: number | null, name?: string) => {
        code = exit ?? 128 + (constants.signals[name as NodeJS.Signals] ?? 127)
      })
      const stderr = announcement(
        id => {
          group = id
          if (settled) kill()
        },
        chunk => guarded(() => session.onStderr(chunk)),
      )
      opened.on('close', () => {
        free()
        stderr.end()
        // A channel that closes without an exit code: its connection or its server process went away under it.
        if (code === undefined) fail(connection.lost())
        else settle(() => resolve(code!))
      })
      opened.on('data', (chunk: Buffer) => guarded(() => session.onStdout(chunk, opened)))
      opened.stderr.on('data', stderr.push)
      widenWindow(opened)
      if (settled) return kill()
      if (session.feed) Promise.resolve(session.feed(opened)).catch(fail)
      else opened.end()
    }
    function begin(): void {
      try {
        connection.client.exec(announced(session.command), onOpen)
      } catch {
        // ssh2 throws at once when its socket is gone.
        free()
        fail(connection.lost())
      }
    }
    begin()
  })
}

const refused = (what: string, error: SshError) =>
  new Fault(
    {
      kind: 'transient',
      code: 'channel_refused',
      message: `the pod's sshd gave no channel for ${what}: ${error.message}`,
    },
    { cause: error },
  )
