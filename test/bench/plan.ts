// `node test/bench/plan.ts`: what one event costs to fold, to plan and to read effects off, in a busy fleet of 1,000 jobs and 100 pods.
import { effects } from '../../src/domain/effect.ts'
import type { Fact } from '../../src/domain/event.ts'
import { apply, emptyFleet, type Fleet } from '../../src/domain/fleet.ts'
import { plan } from '../../src/domain/plan.ts'
import type { Policy } from '../../src/domain/run.ts'
import type { World } from '../../src/domain/world.ts'
import { offerOf, PER_HOUR } from '../sim/cloud.ts'
import { policyOf, RUN, SIM_LIMITS, specOf } from '../sim/world.ts'

const [JOBS, PODS, EVENTS] = [1000, 100, 2000]
const WORLD: World = { offers: new Map(), home8: 'simhome8', limits: { ...SIM_LIMITS, capacityWaitMs: 1e12 } }

/** Half of the jobs are done, each pod works on one, the rest waits. */
function busy(policy: Partial<Policy>): { fleet: Fleet; tell(fact: Fact, afterMs?: number): void } {
  const fleet = emptyFleet()
  const tell = (fact: Fact, afterMs = 1) => apply(fleet, { ...fact, seq: fleet.seq + 1, at: fleet.at + afterMs })
  tell({ type: 'run.opened', runId: RUN, policy: policyOf({ podsMax: PODS, ...policy }), follows: [] })
  for (let nth = 0; nth < JOBS; nth++) tell({ type: 'job.queued', runId: RUN, spec: specOf(`job-${nth}`) })
  const offer = offerOf('A', PER_HOUR)
  for (let nth = 0; nth < PODS; nth++) {
    tell({ type: 'pod.requested', podId: `pod-${nth}`, runId: RUN, name: `autopod-${nth}`, offer })
    tell({ type: 'pod.created', podId: `pod-${nth}`, ref: `ref-${nth}`, perHour: PER_HOUR })
    tell({ type: 'pod.ready', podId: `pod-${nth}` })
  }
  const start = (nth: number) => {
    const at = { jobKey: `${RUN}/job-${nth}`, attempt: 1 }
    tell({ type: 'attempt.requested', ...at, podId: `pod-${nth % PODS}`, promptId: `prompt-${nth}` })
    tell({ type: 'attempt.started', ...at })
    return at
  }
  for (let nth = 0; nth < JOBS / 2; nth++) {
    const at = start(nth)
    tell({ type: 'attempt.succeeded', ...at })
    tell({ type: 'job.completed', jobKey: at.jobKey, published: [] })
  }
  for (let nth = JOBS / 2; nth < JOBS / 2 + PODS; nth++) start(nth)
  return { fleet, tell }
}

function measure(name: string, policy: Partial<Policy>): void {
  const { fleet, tell } = busy(policy)
  const took = { fold: 0, plan: 0, effects: 0 }
  const timed = (part: keyof typeof took, work: () => unknown) => {
    const since = performance.now()
    const made = work()
    took[part] += performance.now() - since
    return made
  }
  let facts = 0
  for (let nth = 0; nth < EVENTS; nth++) {
    const podId = `pod-${nth % PODS}`
    timed('fold', () => tell({ type: 'pod.port_held', podId, localPort: 8188 + nth }))
    facts += (timed('plan', () => plan(fleet, fleet.at, WORLD)) as ReturnType<typeof plan>).facts.length
    timed('effects', () => effects(fleet))
  }
  const micros = (part: keyof typeof took) => `${part} ${((took[part] / EVENTS) * 1000).toFixed(1)}`.padEnd(16)
  process.stdout.write(`${name.padEnd(30)}${micros('fold')}${micros('plan')}${micros('effects')}µs an event\n`)
  if (facts > 0) throw new Error(`bug: ${facts} facts were planned in a fleet at rest`)
}

for (let round = 0; round < 2; round++) {
  measure('no caps', {})
  measure('a cap on money', { costMax: 1_000_000_000 })
  measure('caps on money and each hour', { costMax: 1_000_000_000, perHourMax: PER_HOUR * PODS * 2 })
}
