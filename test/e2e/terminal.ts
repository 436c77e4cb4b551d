// The real program of a world behind a terminal.
import { openPty, type Pty } from '../screen/pty.ts'
import type { World } from './world.ts'

export type Terminal = Pick<Pty, 'until' | 'text' | 'ended' | 'expectRestored'> & {
  press(keys: string): void
  /** The first row with this text. */
  row(part: string): string
  /** Waits until the first clock on the screen (of the run, or of a job) moved on twice: longer than a dialog is deaf. */
  aWhile(): Promise<void>
  kill(signal: NodeJS.Signals): void
}

export function openTerminal(world: World, args: string[], columns: number, rows: number): Terminal {
  const [file, ...program] = world.program
  const pty = openPty([file, ...program, ...args, '--provider', 'sandbox'], {
    cwd: world.folder,
    columns,
    rows,
    env: world.env,
  })
  const { child, lines, text, until, changedTwice, ended, expectRestored } = pty
  return {
    press: keys => child.write(keys),
    kill: signal => process.kill(child.pid, signal),
    until,
    text,
    row: part => lines().find(line => line.includes(part)) ?? '',
    aWhile: () => changedTwice(() => / (\d+:\d\d) /.exec(text())?.[1]),
    ended,
    expectRestored,
  }
}
