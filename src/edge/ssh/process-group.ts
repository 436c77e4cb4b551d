// Ends a command on the pod, not only its channel.
//
// Closing the channel leaves the process running until it writes. SSH's own signal request does nothing for root, the user of
// nearly every pod: sshd refuses it without privilege separation, which root logins do not have (OpenSSH 9.2, session.c).
// So each command first tells its process group on stderr, and is ended by a second, short command.
import { randomBytes } from 'node:crypto'
import type { Connection } from './connection.ts'

const MARK = `pid-${randomBytes(8).toString('hex')}:`
/** The marker is the first thing a command writes; only the shell's own complaints (locale) come before it. */
const BEFORE_MARK_BYTES_MAX = 64 * 1024

/** On a line of its own, so that a syntax error in the command comes after it. */
export const announced = (command: string) => `echo ${MARK}$$ >&2\n${command}`

/** Takes the marker out of stderr; `onGroup` gets the process group's id once. */
export function announcement(onGroup: (group: number) => void, onStderr: (chunk: Buffer) => void) {
  let held: Buffer | null = Buffer.alloc(0)
  const flush = () => {
    const rest = held
    held = null
    if (rest && rest.length > 0) onStderr(rest)
  }
  return {
    push(chunk: Buffer) {
      if (held === null) return onStderr(chunk)
      held = Buffer.concat([held, chunk])
      const from = held.indexOf(MARK)
      const to = from === -1 ? -1 : held.indexOf('\n', from)
      if (to !== -1) {
        const group = Number(held.toString('latin1', from + MARK.length, to))
        held = Buffer.concat([held.subarray(0, from), held.subarray(to + 1)])
        flush()
        onGroup(group)
      } else if (held.length > BEFORE_MARK_BYTES_MAX) flush()
    },
    end: flush,
  }
}

/** Best effort, not waited for; outside of the six slots, so that a full set of stuck commands can be ended. */
export function endGroup(connection: Connection, group: number): void {
  if (!connection.alive() || !(group > 1)) return
  try {
    connection.client.exec(`kill -TERM -${group}`, (error, channel) => {
      if (error) return
      channel.on('error', () => {}).resume()
      channel.stderr.resume()
      channel.end()
    })
  } catch {
    // The connection ended this moment.
  }
}
