// The program behind a real terminal: a pty, its output read back by xterm.js without a window.
import { spawn } from '@lydell/node-pty'
import headless from '@xterm/headless'
import { expect } from 'vitest'
import type { World } from './world.ts'

export type Terminal = {
  press(keys: string): void
  /** Resolves when what is shown fits; looks again whenever something was written. */
  until(fits: RegExp | ((text: string) => boolean)): Promise<string>
  text(): string
  /** The first row with this text. */
  row(part: string): string
  /** Waits until the first clock on the screen (of the run, or of a job) moved on twice: longer than a dialog is deaf. */
  aWhile(): Promise<void>
  kill(signal: NodeJS.Signals): void
  /** The exit code, when all it wrote has been read. */
  ended: Promise<number>
  /** That the terminal was given back as it was found. */
  expectRestored(): void
}

export function openTerminal(world: World, args: string[], columns: number, rows: number): Terminal {
  const child = spawn(world.program[0], [...world.program.slice(1), ...args, '--provider', 'sandbox'], {
    cwd: world.folder,
    cols: columns,
    rows,
    name: 'xterm-256color',
    env: world.env,
  })
  const terminal = new headless.Terminal({ cols: columns, rows, allowProposedApi: true })
  const waiters = new Set<() => void>()
  let raw = ''
  child.onData(data => {
    raw += data
    terminal.write(data, () => {
      for (const waiter of [...waiters]) waiter()
    })
  })
  const ended = new Promise<number>(resolve =>
    child.onExit(({ exitCode }) => terminal.write('', () => resolve(exitCode))),
  )
  const lines = () =>
    Array.from({ length: rows }, (_, y) => {
      const { active } = terminal.buffer
      return active.getLine(active.baseY + y)?.translateToString(true) ?? ''
    })
  const text = () => lines().join('\n')
  const until: Terminal['until'] = fits =>
    new Promise((resolve, reject) => {
      const look = () => {
        const now = text()
        if (typeof fits === 'function' ? !fits(now) : !fits.test(now)) return
        waiters.delete(look)
        resolve(now)
      }
      waiters.add(look)
      look()
      void ended.then(code => {
        look()
        reject(new Error(`ended with ${code} before it showed ${fits}:\n${text()}`))
      })
    })
  const clock = () => / (\d+:\d\d) /.exec(text())?.[1]
  return {
    press: keys => child.write(keys),
    kill: signal => process.kill(child.pid, signal),
    until,
    text,
    row: part => lines().find(line => line.includes(part)) ?? '',
    async aWhile() {
      for (let times = 0; times < 2; times++) {
        const before = clock()
        await until(() => clock() !== before)
      }
    },
    ended,
    expectRestored() {
      expect(terminal.modes.mouseTrackingMode).toBe('none')
      expect(terminal.buffer.active.type).toBe('normal')
      expect(terminal.modes.bracketedPasteMode).toBe(false)
      expect(raw.lastIndexOf('\x1b[?25h')).toBeGreaterThan(raw.lastIndexOf('\x1b[?25l'))
      expect(raw.lastIndexOf('\x1b[?1049l')).toBeGreaterThan(raw.lastIndexOf('\x1b[?1049h'))
    },
  }
}
