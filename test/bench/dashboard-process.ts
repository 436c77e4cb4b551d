// The dashboard on 1,000 jobs of which every figure changes between two frames, in a process of its own: `dashboard-process.ts HZ`.
import { openDashboard } from '../../src/tui/dashboard.ts'
import { changingWorld } from '../screen/changing.ts'
import { factsOf, RUN } from '../screen/fleets.ts'

const periodMs = 1000 / Number(process.argv[2])
const { world, step } = changingWorld(1000)
const facts = factsOf(world)
setInterval(() => step(periodMs), periodMs)
openDashboard({
  source: { ...facts, fleet: () => world.fleet, gauges: () => world.gauges, now: world.now, engineAlive: () => true },
  report: () => null,
  send: () => {},
  save: async () => '',
  runId: RUN,
  limits: facts.limits,
  every(ms, fn) {
    const timer = setInterval(fn, ms)
    return () => clearInterval(timer)
  },
  input: process.stdin,
  output: process.stdout,
  ascii: false,
  colours: 256,
  readonly: false,
  refreshMs: periodMs,
  mouse: false,
  tmux: false,
  endWhenDone: false,
})
