// A program in a real terminal that is read and not looked at: the CPU time it took and the bytes it wrote.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from '@lydell/node-pty'

export const COLUMNS = 200
export const ROWS = 60

export type Watched = {
  /** Milliseconds of CPU time since its start, of all its threads. */
  cpuMs(): number
  bytes(): number
  press(keys: string): void
  /** Resolves with the moment, as `performance.now`, at which something with this text was read. */
  seen(text: string): Promise<number>
  /** The first bytes were written: it is up. */
  started: Promise<void>
  end(): Promise<void>
}

/** `config`: a file for it below its XDG folder. Its home is a new one, so that it finds its defaults. */
export function watch(program: string, args: string[], config?: { path: string; text: string }): Watched {
  const home = mkdtempSync(join(tmpdir(), 'autopod-bench-'))
  const setUp = config
    ? `mkdir -p "$(dirname "$HOME/${config.path}")"; printf '%s' "$CONFIG" >"$HOME/${config.path}";`
    : ''
  const child = spawn('/bin/sh', ['-c', `${setUp} exec "$0" "$@"`, program, ...args], {
    cols: COLUMNS,
    rows: ROWS,
    name: 'xterm-256color',
    env: {
      PATH: process.env.PATH,
      HOME: home,
      XDG_CONFIG_HOME: home,
      CONFIG: config?.text ?? '',
      TERM: 'xterm-256color',
      LANG: 'C.UTF-8',
      TZ: 'UTC',
    },
  })
  let bytes = 0
  let wanted: { text: string; resolve: (at: number) => void } | null = null
  const { promise: started, resolve: start } = Promise.withResolvers<void>()
  child.onData(data => {
    bytes += Buffer.byteLength(data)
    start()
    if (!wanted || !data.includes(wanted.text)) return
    const { resolve } = wanted
    wanted = null
    resolve(performance.now())
  })
  const exit = new Promise<void>(resolve => child.onExit(() => resolve()))
  return {
    cpuMs: () => cpuMsOf(child.pid),
    bytes: () => bytes,
    press: keys => child.write(keys),
    seen: text => new Promise(resolve => (wanted = { text, resolve })),
    started,
    async end() {
      child.kill('SIGKILL')
      await exit
      rmSync(home, { recursive: true, force: true })
    },
  }
}

// proc(5): fields 14 and 15 of stat, in ticks; 100 a second wherever Linux runs today.
const TICK_MS = 10

function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in brackets may hold anything; what follows it is field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}
