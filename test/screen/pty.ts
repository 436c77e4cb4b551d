// A program behind a pty, its output read back by xterm.js without a window: what all tests of a painted terminal stand on.
import assert from 'node:assert/strict'
import { type IPty, spawn } from '@lydell/node-pty'
import headless, { type Terminal } from '@xterm/headless'

export type Pty = {
  child: IPty
  terminal: Terminal
  lines(): string[]
  text(): string
  /** Resolves when what is shown fits; looks again whenever something was written. Rejects when the program ends before. */
  until(fits: RegExp | ((text: string) => boolean)): Promise<string>
  /** Waits until this has changed twice. */
  changedTwice(what: () => unknown): Promise<void>
  /** Everything written since the last call. */
  taken(): string
  /** The exit code, when all it wrote has been read. */
  ended: Promise<number>
  /** That the terminal was given back as it was found. */
  expectRestored(): void
}

/** `more`: what else is known about a program that ended too early. */
export function openPty(
  [file, ...args]: readonly [string, ...string[]],
  options: { columns: number; rows: number; env: Record<string, string | undefined>; cwd?: string },
  more = () => '',
): Pty {
  const { columns, rows, ...where } = options
  const child = spawn(file, args, { cols: columns, rows, name: 'xterm-256color', ...where })
  const terminal = new headless.Terminal({ cols: columns, rows, allowProposedApi: true })
  const waiters = new Set<() => void>()
  let raw = ''
  let takenTo = 0
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
    Array.from({ length: terminal.rows }, (_, y) => {
      const { active } = terminal.buffer
      return active.getLine(active.baseY + y)?.translateToString(true) ?? ''
    })
  const text = () => lines().join('\n')
  const until: Pty['until'] = fits =>
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
        reject(new Error(`ended with ${code} before it showed ${fits}:\n${text().trimEnd()}\n${more()}`))
      })
    })
  return {
    child,
    terminal,
    lines,
    text,
    until,
    async changedTwice(what) {
      for (let times = 0; times < 2; times++) {
        const before = what()
        await until(() => what() !== before)
      }
    },
    taken() {
      const all = raw.slice(takenTo)
      takenTo = raw.length
      return all
    },
    ended,
    expectRestored() {
      assert.equal(terminal.modes.mouseTrackingMode, 'none')
      assert.equal(terminal.buffer.active.type, 'normal')
      assert.equal(terminal.modes.bracketedPasteMode, false)
      // Switched off since it was last switched on: the alternate screen, application keys, synchronised output; the cursor is back.
      for (const [off, on] of ['1049l 1049h', '1l 1h', '2026l 2026h', '25h 25l'].map(pair => pair.split(' ')))
        assert.ok(raw.lastIndexOf(`\x1b[?${off}`) > raw.lastIndexOf(`\x1b[?${on}`), `never said ${off}`)
    },
  }
}
