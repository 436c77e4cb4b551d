// A home at work, for those who look on: 1,000 jobs on as many pods, and an engine's word on all of them once a second:
// `home-process.ts DIR HZ`. Says `up` when it is there.
import type { Fact } from '../../src/domain/event.ts'
import { openStore } from '../../src/edge/store.ts'
import { openJournal } from '../../src/engine/journal.ts'
import { changingWorld } from '../screen/changing.ts'
import { A40, POLICY, RUN, spec } from '../screen/fleets.ts'

const [dir, hz] = [process.argv[2]!, Number(process.argv[3])]
const JOBS = 1000
const store = openStore(dir)
let now = Date.now() - 100_000
const journal = openJournal(store, { now: () => now } as never)
const record = (...facts: Fact[]) => journal.record(() => facts)
const numbers = Array.from({ length: JOBS }, (_, index) => String(index).padStart(4, '0'))

if (!store.lease()) throw new Error('the home has an engine')
record({ type: 'engine.started', engineId: 'e1', pid: process.pid, version: '0.1.0' })
record({ type: 'run.opened', runId: RUN, policy: POLICY, follows: [] })
record(...numbers.map(number => ({ type: 'job.queued' as const, runId: RUN, spec: spec(`job-${number}`) })))
record(
  ...numbers.flatMap((number, index): Fact[] => {
    const podId = `pod-${number}`
    return [
      { type: 'pod.requested', podId, runId: RUN, name: `autopod-a-b-${podId}`, offer: A40 },
      { type: 'pod.created', podId, ref: `ref-${podId}`, perHour: A40.perHour },
      { type: 'pod.port_held', podId, localPort: 8188 + index },
      { type: 'pod.addressed', podId, address: { host: '203.0.113.7', port: 22022, user: 'root' } },
      { type: 'pod.ready', podId },
    ]
  }),
)
now += 4000
record(
  ...numbers.flatMap((number): Fact[] => {
    const at = { jobKey: `${RUN}/job-${number}`, attempt: 1 }
    return [
      { type: 'attempt.requested', ...at, podId: `pod-${number}`, promptId: `prompt-${number}` },
      { type: 'attempt.started', ...at },
    ]
  }),
)
// The figures of a world that is not recorded; its jobs and pods are those of the journal.
const { world, step } = changingWorld(JOBS)
const tell = () => {
  step(1000 / hz)
  const at = Date.now()
  for (const gauge of world.gauges.jobs.values()) gauge.at = at
  for (const gauge of world.gauges.pods.values()) gauge.at = at
  store.writeGauges({ jobs: [...world.gauges.jobs], pods: [...world.gauges.pods], balance: null })
}
tell()
setInterval(tell, 1000 / hz)
process.stdout.write('up\n')
