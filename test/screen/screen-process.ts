// A program of its own for the terminal tests: the dashboard on a fake source, told by its arguments what the fleet looks like.
// Standard error gets one JSON line per command and one for how it was left.

import { keepTerminal } from '../../src/cli/tty.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { type Dashboard, openDashboard } from '../../src/tui/dashboard.ts'
import { busyWorld, factsOf, largeWorld, RUN } from './fleets.ts'

const [kind = 'busy', colours = '256', unicode = 'unicode'] = process.argv.slice(2)
const world = kind === 'large' ? largeWorld(1000) : busyWorld()
if (kind === 'hostile') {
  const job = world.fleet.jobs.get(`${RUN}/job-001`)
  if (job) job.spec = { ...job.spec, jobId: '\x1b[2Jgone\u009b31m{red-bg}\u202etxt\x1b]0;pwn\x07字字' }
  const texts = [
    '\x1b[38;5;201;5mcoloured\x1b[2J \u009b31mtoo {blue-fg}tag{/}',
    `${'x\x1b[31m'.repeat(150_000)}`,
    '\x1bP+q544e\x1b\\\u202egnp.exe\u2066 字字 \x1b[8mnot hidden',
    '\x1b]52;c;cHdu\x07a\rb\u009b2Kc\x1b[?1049l',
  ]
  world.lines.set(
    `${RUN}/job-001`,
    texts.map(text => ({ at: world.now(), text })),
  )
}
const start = Date.now()
const isStill = kind === 'still'
const facts = factsOf(world)
const tell = (what: unknown) => process.stderr.write(`${JSON.stringify(what)}\n`)

// One that works on while the screen is up: says so again and again, whatever the terminal does.
let beats = 0
const beating = setInterval(() => {
  if (kind === 'beating' && ++beats % 5 === 0) tell({ beat: beats })
}, 10)
beating.unref()
if (kind === 'hungry' || kind === 'kept') keepTerminal()

// Before the first paint: the test signals as soon as it sees one.
let dashboard: Dashboard | null = null
for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
] as const)
  process.on(signal, () => {
    // The other way to lose the terminal: nobody told, reading fails.
    if (kind === 'deaf') return
    dashboard?.close()
    process.exit(128 + number)
  })
dashboard = openDashboard({
  source: {
    fleet: () => world.fleet,
    gauges: () => world.gauges,
    now: () => world.now() + (isStill ? 0 : Date.now() - start),
    log(subject) {
      if (kind === 'broken') throw new Error('\x1b[2Jno log\u202e today')
      return facts.log(subject)
    },
    find: facts.find,
    mark: facts.mark,
    preview: facts.preview,
    engineAlive: () => true,
  },
  send(commands) {
    commands.forEach(tell)
    if (kind === 'throwing')
      setImmediate(() => {
        throw new Error('nobody catches this')
      })
    if (kind === 'hungry') for (const held: number[][] = []; ; ) held.push(new Array(100_000).fill(Math.PI))
  },
  save: async () => 'saved as pod.log',
  limits: DEFAULT_LIMITS,
  runId: kind === 'viewer' ? null : RUN,
  every(ms, fn) {
    const timer = setInterval(fn, ms)
    return () => clearInterval(timer)
  },
  input: process.stdin,
  output: process.stdout,
  ascii: unicode === 'ascii',
  colours: colours === '0' ? 0 : colours === '16' ? 16 : 256,
  readonly: kind === 'readonly',
  refreshMs: isStill || kind === 'beating' ? 20 : 250,
  mouse: false,
  tmux: false,
  endWhenDone: false,
  report: () => null,
})
const how = await dashboard.left
tell({ left: how })
process.exit(0)
