// One command of a client on a simulated pod: a real process group, its streams tied to the channel.
//
//   running ──exits──▶ output drained ──▶ exit status sent, channel closed
//      └── channel or connection gone ──▶ the whole group is killed
//
// What a command left in the background (`nohup … &`) lives on after it, as on a pod, until the pod is stopped.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import type { ServerChannel } from 'ssh2'
import { openGate } from './gate.ts'
import { commandLine, type Pty, resizeTerminal } from './terminal.ts'

export type Spawned = {
  /** Sends a signal, named without SIG, to the whole group. False when the name is unknown or the process is gone. */
  signal(name: string): boolean
  resize(rows: number, cols: number): void
  /** The client is gone: kills the group if the command is still running. Idempotent. */
  abandon(): void
}
export type Groups = {
  watch(pid: number): void
  /** Forgets the group if nothing of it is left. */
  settle(pid: number): void
  killAll(): void
}

export function processGroups(): Groups {
  const pids = new Set<number>()
  return {
    watch: pid => pids.add(pid),
    settle: pid => {
      if (!kill(pid, 0)) pids.delete(pid)
    },
    killAll: () => {
      for (const pid of pids) kill(pid, 'SIGKILL')
      pids.clear()
    },
  }
}

export function runCommand(
  channel: ServerChannel,
  command: string,
  how: { cwd: string; env: Record<string, string>; pty: Pty | null; groups: Groups },
): Spawned {
  const [file, args] = commandLine(command, how.pty)
  const child = spawn(file, args, { cwd: how.cwd, env: how.env, detached: true, stdio: 'pipe' })
  const gate = openGate(channel)
  const pid = child.pid
  let gone = false
  if (pid !== undefined) how.groups.watch(pid)

  channel.on('error', () => {})
  channel.stderr.on('error', () => {})
  // EPIPE: the command did not want its input. Reading on keeps the channel's close from getting stuck behind it.
  child.stdin.on('error', () => channel.resume())
  channel.pipe(child.stdin)

  const finish = async (code: number | null, signal: NodeJS.Signals | null) => {
    await Promise.all([out, err])
    if (gone) return
    if (signal !== null) channel.exit(signal.slice(3))
    else channel.exit(code ?? 255)
    channel.end()
  }
  const out = forward(child.stdout, data => gate.send(data))
  const err = forward(child.stderr, data => gate.send(data, 'err'))

  child.on('error', error => {
    gate
      .send(Buffer.from(`sh: ${error.message}\n`), 'err')
      .then(() => finish(127, null))
      .catch(() => {})
  })
  child.on('exit', () => {
    channel.unpipe(child.stdin)
    channel.resume()
    if (pid !== undefined) how.groups.settle(pid)
  })
  child.on('close', (code, signal) => {
    if (pid !== undefined) finish(code, signal).catch(() => {})
  })

  return {
    signal: name =>
      pid !== undefined && running() && `SIG${name}` in constants.signals && kill(pid, `SIG${name}` as NodeJS.Signals),
    resize: (rows, cols) => {
      if (pid !== undefined && how.pty !== null && running()) resizeTerminal(pid, rows, cols).catch(() => {})
    },
    abandon: () => {
      gone = true
      gate.shut()
      if (pid !== undefined && running()) kill(pid, 'SIGKILL')
      child.stdin.destroy()
      child.stdout.destroy()
      child.stderr.destroy()
    },
  }

  function running(): boolean {
    return child.exitCode === null && child.signalCode === null
  }
}

async function forward(source: Readable, send: (data: Buffer) => Promise<void>): Promise<void> {
  try {
    for await (const data of source) await send(data)
  } catch {
    // The stream was destroyed by `abandon`: nobody is left to read what remains.
  }
}

function kill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal)
    return true
  } catch {
    return false
  }
}
