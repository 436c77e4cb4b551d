// A night of a busy fleet in seconds: the real dashboard on a terminal that nobody looks at, everything opened and closed again and
// again, and what is left of that. Each hour has a fleet of its own, as large as the one before: what grows is the screen's.

import { EventEmitter } from 'node:events'
import { Writable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { openDashboard } from '../../src/tui/dashboard.ts'
import { factsOf, MINUTE, newWorld, queue, RUN, START, type World } from './fleets.ts'
import { virtualClock } from './virtual-clock.ts'

export type Soak = {
  /** Used heap in MB at the start, and after each hour. */
  heapMb: number[]
  frames: number
  keys: number
  bytes: number
  /** What was there after it and not before: listeners by where and name, timers and handles by kind; empty is good. */
  left: string[]
}

const PODS = 6
const JOBS = 60
const LINES = 300
/** Everything that opens, and what closes it; `\x1b` is followed by the silence that makes it a key of its own. */
const TOUR = [
  [
    '2',
    '\r',
    '\x1b',
    '3',
    '4',
    '1',
    '\t',
    '\t',
    '\x1b[Z',
    '\x1b[Z',
    '\r',
    'l',
    'w',
    't',
    '\x1b[5~',
    'f',
    '\x1b',
    '\x1b',
  ],
  ['l', '/', 'm', 'o', 'd', '\r', 'n', 'N', 's', '\x1b', '\x1b', '\x1b', '/', 's', 'h', '\r', '\x1b', '1'],
  ['?', '\x1b[B', '\x1b', ':', 'p', 'o', '\t', '\x1b', 'k', '\x1b', 'c', '\x1b', 's', '\x1b', 'd', '\x1b', 'q', '\x1b'],
  [
    ' ',
    '\x1b[B',
    ' ',
    'k',
    '\x1b',
    ' ',
    '\x1b[A',
    ' ',
    '<',
    '>',
    'R',
    'R',
    '+',
    '-',
    'f',
    'f',
    'y',
    'o',
    'z',
    'z',
    '\x0c',
  ],
  ['\x1b[200~pasted\x1b[201~', '\x1b[6~', 'G', 'g', '2', 'k', '\x1b', 'l', '\x1b', '1'],
].flat()

export async function soak(
  /** `frameMs`: one of the refresh rates, neither the first nor the last: a tour walks there and back. */
  options: { hours: number; frameMs: number; tours: number },
  onHour: (hour: number, heapMb: number) => void = () => {},
): Promise<Soak> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heapMb = async () => {
    await setImmediate()
    collect()
    collect()
    return process.memoryUsage().heapUsed / 1e6
  }
  const clock = virtualClock(START)
  let bytes = 0
  const sink = new Writable({
    write(chunk, _encoding, done) {
      bytes += chunk.length
      done()
    },
  })
  const output = Object.assign(sink, { columns: 120, rows: 40, isTTY: true })
  const input = Object.assign(new EventEmitter(), { setRawMode() {}, resume() {}, pause() {} })
  const emitters = { process, input, output } as Record<string, EventEmitter>
  const before = presentOf(emitters)
  let { world, minute } = busyHour(0)
  let frames = 0
  const dashboard = openDashboard({
    source: {
      // Asked for once a frame and once a key.
      fleet: () => {
        frames++
        return world.fleet
      },
      gauges: () => world.gauges,
      now: clock.now,
      log: subject => factsOf(world).log(subject),
      find: (subject, text) => factsOf(world).find(subject, text),
      mark: text => (text.includes('error') ? { title: 'an error', hint: 'look' } : null),
      preview: () => null,
      engineAlive: () => true,
    },
    report: () => null,
    send: () => {},
    save: async () => 'saved',
    runId: RUN,
    limits: DEFAULT_LIMITS,
    every: clock.every,
    input: input as unknown as NodeJS.ReadStream,
    output: output as unknown as NodeJS.WriteStream,
    ascii: false,
    colours: 256,
    readonly: false,
    refreshMs: options.frameMs,
    mouse: true,
    tmux: false,
    endWhenDone: false,
  })
  const opened = presentOf(emitters)
  const timers = clock.open()
  let keys = 0
  const tour = () => {
    for (const key of TOUR) {
      keys++
      input.emit('data', Buffer.from(key))
      clock.pass(key === '\x1b' ? 100 : 1)
    }
    // A storm of sizes, down to one that is too small for anything.
    for (const [columns, rows] of [
      [40, 10],
      [200, 60],
      [1, 1],
      [120, 40],
    ] as const) {
      Object.assign(output, { columns, rows })
      output.emit('resize')
    }
  }
  tour()
  const heap = [await heapMb()]
  onHour(0, heap[0]!)
  const perMinute = options.tours / (options.hours * 60)
  let due = 0
  for (let hour = 0; hour < options.hours; hour++) {
    if (hour > 0) ({ world, minute } = busyHour(hour))
    for (let n = 0; n < 60; n++) {
      minute(n)
      clock.pass(MINUTE)
      for (due += perMinute; due >= 1; due--) tour()
    }
    heap.push(await heapMb())
    onHour(hour + 1, heap.at(-1)!)
  }
  const left = [
    ...leftOf(opened, presentOf(emitters)).map(what => `after all was closed: ${what}`),
    ...(clock.open() > timers ? [`${clock.open() - timers} timers of panels`] : []),
  ]
  dashboard.close()
  await setImmediate()
  left.push(...leftOf(before, presentOf(emitters)), ...(clock.open() > 0 ? [`${clock.open()} timers`] : []))
  return { heapMb: heap, frames, keys, bytes, left }
}

/** A fleet of six pods whose jobs come and go minute by minute; its hour begins `hour` hours after the start. */
function busyHour(hour: number): { world: World; minute(n: number): void } {
  const world = newWorld()
  const names = Array.from({ length: JOBS }, (_, n) => `shot-${hour}-${String(n).padStart(3, '0')}`)
  const pods = Array.from({ length: PODS }, (_, n) => `pod-${hour}-${n}`)
  const from = START + hour * 60 * MINUTE
  world.pass(from - START)
  queue(world, names)
  for (const [n, pod] of pods.entries()) world.podReady(pod, 8188 + n)
  const settle = (n: number) => {
    const jobKey = `${RUN}/${names[n]}`
    const fault = {
      kind: 'job' as const,
      code: 'memory_exhausted',
      message: 'out of memory',
      hint: 'Take a larger GPU.',
    }
    if (n % 7 === 3)
      world.add({ type: 'attempt.failed', jobKey, attempt: 1, fault }, { type: 'job.failed', jobKey, fault })
    else world.add({ type: 'attempt.succeeded', jobKey, attempt: 1 }, { type: 'job.completed', jobKey, published: [] })
  }
  return {
    world,
    minute(n) {
      if (n >= PODS) settle(n - PODS)
      world.startJob(names[n]!, pods[n % PODS]!)
      const at = from + n * MINUTE
      for (let line = 0; line < 20; line++) {
        const text = `\x1b[32m[INFO]\x1b[0m ${hour}:${n} model ${line} ${line === 7 ? 'CUDA error' : 'loaded'}`
        for (const key of [`${RUN}/${names[n]}`, `${RUN}/${names[0]}`])
          world.lines.set(key, [...(world.lines.get(key) ?? []).slice(1 - LINES), { at, text }])
      }
      for (let job = Math.max(0, n - PODS + 1); job <= n; job++) {
        world.jobGauge(names[job]!, { at, fraction: (n - job) / PODS, nodeId: '3', nodeTitle: 'KSampler' })
        world.podGauge(pods[job % PODS]!, { at, gpuUtil: (n * 7 + job) % 100, vramUsedMiB: n * 100, history: [n, job] })
      }
    },
  }
}

/** How many listeners by emitter and name, and how many handles by kind. */
function presentOf(emitters: Record<string, EventEmitter>): Map<string, number> {
  const present = new Map<string, number>()
  for (const [where, emitter] of Object.entries(emitters))
    for (const name of emitter.eventNames()) present.set(`${where} on ${String(name)}`, emitter.listenerCount(name))
  for (const kind of process.getActiveResourcesInfo()) present.set(kind, (present.get(kind) ?? 0) + 1)
  return present
}

/** A stream may break after the screen is closed: those two stay. */
const STAYS = ['input on error', 'output on error']

function leftOf(before: Map<string, number>, after: Map<string, number>): string[] {
  return [...after].flatMap(([what, count]) => {
    const more = count - (before.get(what) ?? 0)
    return more > 0 && !(STAYS.includes(what) && more === 1) ? [`${more} × ${what}`] : []
  })
}
