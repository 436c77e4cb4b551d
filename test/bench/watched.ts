// A program in a real terminal that is read and not looked at: the CPU time it took and the bytes it wrote.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
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

export type Setting = {
  /** A file for it below its XDG folder. */
  config?: { path: string; text: string }
  env?: Record<string, string>
}

/** Its home is a new one, so that it finds its defaults. */
export function watch(program: string, args: string[], { config, env }: Setting = {}): Watched {
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
      ...env,
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

/**
 * What the scheduler gave its threads (Documentation/scheduler/sched-stats.rst, 2026: nanoseconds on a CPU come first). Fields 14 and 15 of
 * stat count ticks of 10 ms, which is half a second's work here. A thread that ends takes its time along; none of these do.
 */
function cpuMsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`
  const spent = readdirSync(tasks).map(task => Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]))
  return spent.reduce((sum, ns) => sum + ns / 1e6, 0)
}
