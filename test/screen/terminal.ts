// The dashboard on a fake source behind a terminal (screen-process.ts), with what it tells beside the screen.
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openPty, type Pty } from './pty.ts'

const SCRIPT = fileURLToPath(new URL('./screen-process.ts', import.meta.url))

export type Terminal = Pick<Pty, 'until' | 'text' | 'taken' | 'expectRestored'> & {
  press(keys: string): void
  row(y: number): string
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
  const toldLines = () => (existsSync(told) ? readFileSync(told, 'utf8').split('\n').filter(Boolean) : [])
  const command = 'exec "$0" "$@" 2>"$TOLD"'
  const pty = openPty(
    ['/bin/sh', '-c', command, process.execPath, SCRIPT, ...args],
    {
      columns,
      rows,
      env: {
        ...process.env,
        TERM: 'xterm-256color',
        LANG: 'C.UTF-8',
        TZ: 'UTC',
        TOLD: told,
        TMUX: '',
        NODE_OPTIONS: nodeOptions,
      },
    },
    () => toldLines().join('\n'),
  )
  const { child, terminal, text, until, changedTwice, taken, ended, expectRestored } = pty
  const row = (y: number) => pty.lines()[y] ?? ''

  return {
    press: keys => child.write(keys),
    until,
    text,
    row,
    taken,
    expectRestored,
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
        void ended.then(code => {
          look()
          watcher.close()
          reject(
            new Error(
              `ended with ${code} before it told ${count} lines:\n${text().trimEnd()}\n${toldLines().join('\n')}`,
            ),
          )
        })
      }),
    // Its type leaves it out (@lydell/node-pty 1.1.0).
    hangUp: () => (child as unknown as { destroy(): void }).destroy(),
    aWhile: () => changedTwice(() => /live (\d+) s ago/.exec(row(0))?.[1]),
    async ended() {
      const code = await ended
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
