// A person on a pod: a shell in this process's terminal, or one command with its streams and its exit code.
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import type { WriteStream } from 'node:tty'
import type { ClientChannel } from 'ssh2'
import { Fault } from '../../domain/fault.ts'
import type { Address } from '../../domain/pod.ts'
import { inheritedEnv } from '../config.ts'
import { openConnection } from './connection.ts'
import type { SshError } from './faults.ts'
import { parsePrivateKey } from './keys.ts'

export type Streams = {
  input: Readable & { isTTY?: boolean; setRawMode?: (raw: boolean) => unknown }
  output: Writable
  error: Writable
  /** Where a shell is shown; null: there is no terminal, and no shell without a command. */
  terminal: WriteStream | null
}

/** A person waits longer than a machine: half a minute without an answer ends it. */
const WATCH = { keepaliveMs: 5000, keepaliveMisses: 5, readyTimeoutMs: 10_000 }

/**
 * Resolves with the exit code (128 + n for signal n). Faults: pod `ssh_refused` · `ssh_timed_out` · `host_key_changed` ·
 * `connection_lost`, operator `key_refused` · `ssh_key_unreadable`, transient `channel_refused`.
 */
export async function openShell(
  address: Address,
  login: { privateKey: string | Buffer; pinned: string | null },
  command: string | null,
  streams: Streams,
): Promise<number> {
  const key = parsePrivateKey(login.privateKey)
  const connection = await openConnection(address, { ...WATCH, username: undefined, key }, { pinned: login.pinned })
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const { input, output, error, terminal } = streams
  const isShell = command === null && terminal !== null
  let tidy = () => {}
  const onOpen = (refusal: SshError | undefined, channel: ClientChannel) => {
    if (refusal) {
      const message = `the pod's sshd gave no channel: ${refusal.message}`
      return reject(new Fault({ kind: 'transient', code: 'channel_refused', message }, { cause: refusal }))
    }
    let code: number | undefined
    channel.on('error', () => {})
    channel.on('exit', (exit: number | null, name?: string) => {
      code = exit ?? 128 + (constants.signals[name as NodeJS.Signals] ?? 127)
    })
    channel.on('close', () => (code === undefined ? reject(connection.lost()) : resolve(code)))
    channel.pipe(output, { end: false })
    channel.stderr.pipe(error, { end: false })
    const resized = () => channel.setWindow(terminal?.rows ?? 24, terminal?.columns ?? 80, 0, 0)
    if (isShell) {
      input.setRawMode?.(true)
      terminal.on('resize', resized)
    }
    input.pipe(channel)
    tidy = () => {
      input.unpipe(channel)
      input.pause()
      terminal?.off('resize', resized)
      if (isShell) input.setRawMode?.(false)
    }
  }
  connection.onEnd(() => reject(connection.lost()))
  if (isShell) {
    const size = { rows: terminal.rows, cols: terminal.columns, term: inheritedEnv().TERM ?? 'xterm' }
    connection.client.shell(size, onOpen)
  } else connection.client.exec(command ?? 'exec /bin/sh', onOpen)
  try {
    return await promise
  } finally {
    tidy()
    connection.close()
    await connection.closed
  }
}
