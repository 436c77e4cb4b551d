// The terminal of a command on a simulated pod: util-linux `script` holds it, because node has none to give.
//
// Where there is no `script` (macOS has another one), the command runs on pipes: it works, without a prompt's comforts.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

export type Pty = { term: string; rows: number; cols: number }

const SCRIPT = '/usr/bin/script'

/** The program and its arguments that run `command`, in a terminal if one is wanted and can be had. */
export function commandLine(command: string, pty: Pty | null): [string, string[]] {
  if (pty === null || process.platform !== 'linux' || !existsSync(SCRIPT)) return ['/bin/sh', ['-c', command]]
  const sized = `stty rows ${pty.rows} cols ${pty.cols} 2>/dev/null; ${command}`
  return [SCRIPT, ['-q', '-e', '-f', '-c', sized, '/dev/null']]
}

/** Tells the terminal that `script` with this pid holds its new size; does nothing when there is none. */
export async function resizeTerminal(pid: number, rows: number, cols: number): Promise<void> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const child = children.trim().split(' ')[0]
  if (child === undefined || child === '') return
  // stty sets the size by ioctl, and the kernel then sends SIGWINCH to whoever runs in front.
  const size = ['rows', String(rows), 'cols', String(cols)]
  await new Promise<void>(resolve => {
    execFile('stty', ['-F', `/proc/${child}/fd/0`, ...size], () => resolve())
  })
}
