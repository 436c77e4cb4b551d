// The dashboard with 1,000 jobs, all changing, beside htop and btop on terminals of the same size at the same time.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, readdirSync } from 'node:fs'
import { loadavg } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Bench, compared, limited, type Row } from './row.ts'
import { COLUMNS, ROWS, type Watched, watch } from './watched.ts'

const WARM_UP_MS = 5000
const WINDOW_MS = 20_000
const KEYS = 200
const KEY_GAP_MS = 23

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url))

type Use = { cpu: number; bytes: number }

export const tui: Bench = {
  async run(say) {
    say(`${COLUMNS} × ${ROWS}, 1,000 jobs, load ${load()}`)
    const rows: Row[] = []
    const beside = async (hz: number, least: number | null) => {
      const present = processes()
      const what = `at ${hz} Hz, peers with ${present}`
      say(`CPU at ${hz} Hz beside peers that show ${present} processes: ${(WARM_UP_MS + WINDOW_MS) / 1000} s …`)
      const [ours, htop, btop] = await sideBySide(hz)
      rows.push(compared(`CPU ${what}`, ours!.cpu, '%', 'htop', htop?.cpu ?? null, least))
      rows.push(compared(`CPU ${what}`, ours!.cpu, '%', 'btop', btop?.cpu ?? null, null))
      rows.push(compared(`written ${what}`, ours!.bytes, 'B/s', 'htop', htop?.bytes ?? null, null))
      rows.push(compared(`written ${what}`, ours!.bytes, 'B/s', 'btop', btop?.bytes ?? null, null))
    }
    await beside(1, 2)
    await beside(10, null)
    // And with as many rows for everybody; those of the others hardly change.
    const wake = await sleepers(1000 - processes())
    try {
      await beside(1, 2)
    } finally {
      wake()
    }
    say(`${KEYS} keys at 10 Hz …`)
    const times = await keyTimes()
    rows.push(limited('key to screen, p50', at(times, 0.5), 'ms', null))
    rows.push(limited('key to screen, p95', at(times, 0.95), 'ms', 10))
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

/** All three over one window: what else the machine does hits them alike. null = not installed. */
async function sideBySide(hz: number): Promise<(Use | null)[]> {
  const ours = watch(process.execPath, [script('./dashboard-process.ts'), String(hz)])
  // Both as they come, but for their pace: tenths of a second, milliseconds.
  const htop = installed('htop') ? watch('htop', ['-d', String(10 / hz)]) : null
  const btop = installed('btop')
    ? watch('btop', ['--utf-force'], { path: 'btop/btop.conf', text: `update_ms = ${1000 / hz}\n` })
    : null
  const all = [ours, htop, btop]
  try {
    await Promise.all(all.map(one => one?.started))
    await sleep(WARM_UP_MS)
    const from = performance.now()
    const before = all.map(used)
    await sleep(WINDOW_MS)
    const seconds = (performance.now() - from) / 1000
    return all.map((one, index) => {
      const now = used(one)
      const then = before[index]
      if (!now || !then) return null
      return { cpu: (now.cpu - then.cpu) / seconds / 10, bytes: (now.bytes - then.bytes) / seconds }
    })
  } finally {
    await Promise.all(all.map(one => one?.end()))
  }
}

/** CPU in milliseconds so far. */
function used(one: Watched | null): Use | null {
  return one && { cpu: one.cpuMs(), bytes: one.bytes() }
}

/** From the key to the moment the row it selects is read from the terminal, ascending. */
async function keyTimes(): Promise<number[]> {
  const screen = watch(process.execPath, [script('./dashboard-process.ts'), '10'])
  try {
    await screen.seen('›')
    await sleep(WARM_UP_MS)
    const times: number[] = []
    for (let n = 0; n < KEYS; n++) {
      const seen = screen.seen('›')
      const from = performance.now()
      screen.press(n % 2 === 0 ? '\x1b[B' : '\x1b[A')
      times.push((await seen) - from)
      await sleep(KEY_GAP_MS)
    }
    return times.toSorted((a, b) => a - b)
  } finally {
    await screen.end()
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
