// The dashboard with 1,000 jobs, all changing, beside htop and btop on terminals of the same size at the same time.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Bench, compared, limited, type Row } from './row.ts'
import { COLUMNS, ROWS, type Watched, watch } from './watched.ts'

/** Since the start. */
type Window = { fromMs: number; ms: number }
// A first look, while V8 still translates what runs often; and what it is left at, all night.
const FIRST: Window = { fromMs: 5000, ms: 20_000 }
const LATER: Window = { fromMs: 60_000, ms: 60_000 }
const WARM_UP_MS = 5000
const KEYS = 200
const KEY_GAP_MS = 23

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url))

type Use = { cpu: number; bytes: number }

export const tui: Bench = {
  async run(say) {
    say(`${COLUMNS} × ${ROWS}, 1,000 jobs, load ${load()}`)
    const rows: Row[] = []
    const beside = async (hz: number, windows: Window[]) => {
      const present = processes()
      const seconds = windows.reduce((most, { fromMs, ms }) => Math.max(most, fromMs + ms), 0) / 1000
      say(`CPU at ${hz} Hz beside peers that show ${present} processes: ${seconds} s …`)
      const uses = await sideBySide(hz, windows)
      for (const [index, [ours, htop, btop, top]] of uses.entries()) {
        const isFirst = windows[index] === FIRST
        const what = `at ${hz} Hz, peers with ${present}${isFirst ? ', first 25 s' : ''}`
        const least = hz === 1 && !isFirst ? 2 : null
        rows.push(compared(`CPU ${what}`, ours!.cpu, '%', 'htop', htop?.cpu ?? null, least))
        rows.push(compared(`CPU ${what}`, ours!.cpu, '%', 'btop', btop?.cpu ?? null, null))
        rows.push(compared(`written ${what}`, ours!.bytes, 'B/s', 'htop', htop?.bytes ?? null, null))
        rows.push(compared(`written ${what}`, ours!.bytes, 'B/s', 'btop', btop?.bytes ?? null, null))
        if (top) rows.push(compared(`CPU of autopod top ${what}`, top.cpu, '%', 'htop', htop?.cpu ?? null, null))
      }
    }
    await beside(1, [FIRST, LATER])
    await beside(10, [FIRST])
    // And with as many rows for everybody; those of the others hardly change.
    const wake = await sleepers(1000 - processes())
    try {
      await beside(1, [LATER])
    } finally {
      wake()
    }
    say(`${KEYS} keys at 10 Hz, in turn with ${KEYS} to a program that only echoes …`)
    const { ours, echoes } = await keyTimes()
    for (const [name, share, most] of [['p50', 0.5, null] as const, ['p95', 0.95, 10] as const]) {
      const [time, echo] = [at(ours, share), at(echoes, share)]
      // What the machine itself takes just now, for whoever reads the figure.
      const beside = { peer: echo, peer_name: 'echo', ratio: echo / time }
      rows.push({ ...limited(`key to screen, ${name}, load ${load().split(' ')[0]}`, time, 'ms', most), ...beside })
    }
    say('100,000 frames: a minute or two …')
    const frames = await framesMade()
    rows.push(limited('CPU time a frame, median', frames.frameMs, 'ms', 0.5))
    rows.push(limited('CPU time a frame, least', frames.frameMsLow, 'ms', null))
    const { listtable, contrib } = await widgets()
    rows.push(compared('CPU time a frame, median', frames.frameMs, 'ms', 'blessed.listtable', listtable, null))
    rows.push(compared('CPU time a frame, median', frames.frameMs, 'ms', 'contrib.table', contrib, null))
    rows.push(limited('an unchanged frame', frames.unchangedBytes, 'B', 0))
    rows.push(limited('a frame', frames.frameBytes, 'B', null))
    rows.push(limited(`heap after ${frames.frames.toLocaleString('en')} frames`, frames.heapMb, 'MB', 1))
    say(`load at the end ${load()}`)
    return rows
  },
}

/**
 * Ours, htop, btop and the whole program on a home over the same windows: what else the machine does hits them alike. null = not installed,
 * or (the program) not at this pace.
 */
async function sideBySide(hz: number, windows: Window[]): Promise<(Use | null)[][]> {
  const home = hz === 1 ? await homeAtWork(hz) : null
  const ours = watch(process.execPath, [script('./dashboard-process.ts'), String(hz)])
  // Both as they come, but for their pace: tenths of a second, milliseconds.
  const htop = installed('htop') ? watch('htop', ['-d', String(10 / hz)]) : null
  const btop = installed('btop')
    ? watch('btop', ['--utf-force'], { config: { path: 'btop/btop.conf', text: `update_ms = ${1000 / hz}\n` } })
    : null
  const top = home && watch(process.execPath, [script('../../src/main.ts'), 'top'], { env: { AUTOPOD_HOME: home.dir } })
  const all = [ours, htop, btop, top]
  try {
    await Promise.all(all.map(one => one?.started))
    const start = performance.now()
    // From four frames a second to one.
    top?.press('--')
    const uses: (Use | null)[][] = []
    for (const { fromMs, ms } of windows) {
      await sleep(start + fromMs - performance.now())
      const from = performance.now()
      const before = all.map(used)
      await sleep(ms)
      const seconds = (performance.now() - from) / 1000
      uses.push(all.map((one, index) => spentSince(one, before[index] ?? null, seconds)))
    }
    return uses
  } finally {
    await Promise.all(all.map(one => one?.end()))
    home?.end()
  }
}

function spentSince(one: Watched | null, then: Use | null, seconds: number): Use | null {
  const now = used(one)
  return now && then && { cpu: (now.cpu - then.cpu) / seconds / 10, bytes: (now.bytes - then.bytes) / seconds }
}

/** A home whose 1,000 jobs are told of in its database, by a process that is not measured. */
async function homeAtWork(hz: number): Promise<{ dir: string; end(): void }> {
  const dir = mkdtempSync(join(tmpdir(), 'autopod-bench-'))
  const args = [script('./home-process.ts'), dir, String(hz)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(([code]) => Promise.reject(code))])
  return {
    dir,
    end() {
      child.kill('SIGKILL')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** CPU in milliseconds so far. */
function used(one: Watched | null): Use | null {
  return one && { cpu: one.cpuMs(), bytes: one.bytes() }
}

/**
 * From the key to the moment the row it selects is read from the terminal, ascending; and, in turn with it, from a letter to the moment
 * it is read back from a program that does nothing else.
 */
async function keyTimes(): Promise<{ ours: number[]; echoes: number[] }> {
  const screen = watch(process.execPath, [script('./dashboard-process.ts'), '10'])
  // The terminal's own echo is off: it is the program that answers.
  const echo = watch('/bin/sh', ['-c', 'stty raw -echo; echo up; exec cat'])
  try {
    await Promise.all([screen.seen('›'), echo.started])
    await sleep(WARM_UP_MS)
    const timed = async (one: Watched, keys: string, text: string) => {
      const seen = one.seen(text)
      const from = performance.now()
      one.press(keys)
      const ms = (await seen) - from
      await sleep(KEY_GAP_MS)
      return ms
    }
    const ours: number[] = []
    const echoes: number[] = []
    for (let n = 0; n < KEYS; n++) {
      ours.push(await timed(screen, n % 2 === 0 ? '\x1b[B' : '\x1b[A', '›'))
      echoes.push(await timed(echo, 'x', 'x'))
    }
    return { ours: ours.toSorted((a, b) => a - b), echoes: echoes.toSorted((a, b) => a - b) }
  } finally {
    await Promise.all([screen.end(), echo.end()])
  }
}

type Frames = {
  frameMs: number
  frameMsLow: number
  frameBytes: number
  unchangedBytes: number
  heapMb: number
  frames: number
}

async function framesMade(): Promise<Frames> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script('./frames-process.ts')])
  return JSON.parse(stdout) as Frames
}

async function widgets(): Promise<{ listtable: number; contrib: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, [script('./widgets-process.ts')])
  // Before it the widgets' farewell to a terminal that is none.
  return JSON.parse(stdout.slice(stdout.lastIndexOf('\n', stdout.length - 2)))
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
}

function processes(): number {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).length
}

/** So many processes that do nothing, until the answer is called. */
async function sleepers(count: number): Promise<() => void> {
  const script = 'for n in $(seq "$1"); do sleep 600 & done; echo up; wait'
  const child = spawn('/bin/sh', ['-c', script, 'sh', String(Math.max(0, count))], {
    stdio: ['ignore', 'pipe', 'ignore'],
    // A group of its own, to be ended as one.
    detached: true,
  })
  await once(child.stdout, 'data')
  return () => process.kill(-child.pid!, 'SIGKILL')
}

function installed(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some(folder => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function load(): string {
  return loadavg()
    .map(value => value.toFixed(1))
    .join(' ')
}
