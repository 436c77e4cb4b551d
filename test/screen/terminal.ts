// A real terminal for tests: the program behind a pty, its output read back by xterm.js without a window.
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawn } from '@lydell/node-pty'
import headless from '@xterm/headless'

const SCRIPT = fileURLToPath(new URL('./screen-process.ts', import.meta.url))

export type Terminal = {
  press(keys: string): void
  /** Resolves when the text on the terminal fits; looks again whenever something was written. */
  until(pattern: RegExp | ((text: string) => boolean)): Promise<string>
  text(): string
  row(y: number): string
  /** Everything written since the last call. */
  taken(): string
  resize(columns: number, rows: number): void
  signal(name: string): void
  /** Takes nothing more from the program, as a stopped terminal does; then again. */
  stop(): void
  go(): void
  /** What the program has told on standard error up to now. */
  told(): string[]
  /** Resolves when it has told this many lines. */
  toldLines(count: number): Promise<void>
  /** Takes the terminal away from the program, as a closed window does. */
  hangUp(): void
  /** Waits until the clock in the header has moved on twice: more than a second, whatever the machine is doing. */
  aWhile(): Promise<void>
  /** Resolves at the end of the program with what it told on standard error. */
  ended(): Promise<{ code: number; told: unknown[] }>
  isAlternate(): boolean
  isPasteBracketed(): boolean
  close(): void
}

/** `nodeOptions`: as in NODE_OPTIONS. */
export function openTerminal(args: string[], columns = 100, rows = 30, nodeOptions = ''): Terminal {
  const folder = mkdtempSync(join(tmpdir(), 'autopod-screen-'))
  const told = join(folder, 'told')
  const command = 'exec "$0" "$@" 2>"$TOLD"'
  const child = spawn('/bin/sh', ['-c', command, process.execPath, SCRIPT, ...args], {
    cols: columns,
    rows,
    name: 'xterm-256color',
    env: {
      ...process.env,
      TERM: 'xterm-256color',
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      TOLD: told,
      TMUX: '',
      NODE_OPTIONS: nodeOptions,
    },
  })
  const terminal = new headless.Terminal({ cols: columns, rows, allowProposedApi: true })
  const waiters = new Set<() => void>()
  let raw = ''
  child.onData(data => {
    raw += data
    terminal.write(data, () => {
      for (const waiter of waiters) waiter()
    })
  })
  /** The exit code, when all that was written has been looked at. */
  const read = new Promise<number>(resolve =>
    child.onExit(({ exitCode }) => terminal.write('', () => resolve(exitCode))),
  )

  const row = (y: number) =>
    terminal.buffer.active.getLine(terminal.buffer.active.baseY + y)?.translateToString(true) ?? ''
  const text = () => Array.from({ length: terminal.rows }, (_, y) => row(y)).join('\n')
  const until: Terminal['until'] = pattern =>
    new Promise((resolve, reject) => {
      const look = () => {
        const now = text()
        if (typeof pattern === 'function' ? !pattern(now) : !pattern.test(now)) return
        waiters.delete(look)
        resolve(now)
      }
      waiters.add(look)
      look()
      void read.then(code => reject(new Error(`ended with ${code} before it showed ${pattern}:\n${ending()}`)))
    })
  const ending = () => `${text().trimEnd()}\n${toldLines().join('\n')}`
  const toldLines = () => (existsSync(told) ? readFileSync(told, 'utf8').split('\n').filter(Boolean) : [])
  const clock = () => /live (\d+) s ago/.exec(row(0))?.[1]

  return {
    press: keys => child.write(keys),
    until,
    text,
    row,
    taken() {
      const all = raw
      raw = ''
      return all
    },
    resize(newColumns, newRows) {
      terminal.resize(newColumns, newRows)
      child.resize(newColumns, newRows)
    },
    signal: name => child.kill(name),
    stop: () => child.pause(),
    go: () => child.resume(),
    told: toldLines,
    toldLines: count =>
      new Promise((resolve, reject) => {
        const watcher = watch(folder)
        const look = () => {
          if (toldLines().length < count) return
          watcher.close()
          resolve()
        }
        watcher.on('change', look)
        look()
        void read.then(code => {
          look()
          watcher.close()
          reject(new Error(`ended with ${code} before it told ${count} lines:\n${ending()}`))
        })
      }),
    // Its type leaves it out (@lydell/node-pty 1.1.0).
    hangUp: () => (child as unknown as { destroy(): void }).destroy(),
    async aWhile() {
      for (let times = 0; times < 2; times++) {
        const before = clock()
        await until(() => clock() !== before)
      }
    },
    async ended() {
      const code = await read
      return { code, told: toldLines().map(line => (line.startsWith('{') ? JSON.parse(line) : line)) }
    },
    isAlternate: () => terminal.buffer.active.type === 'alternate',
    isPasteBracketed: () => terminal.modes.bracketedPasteMode,
    close() {
      try {
        child.kill('SIGKILL')
      } catch {
        // It has ended by itself.
      }
      terminal.dispose()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
