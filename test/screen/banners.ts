// What can stand across the screen: one world a banner.
import type { Fact } from '../../src/domain/event.ts'
import type { RunStatus } from '../../src/domain/run.ts'
import type { Facts } from '../../src/tui/model.ts'
import { busyWorld, POLICY, RUN, SECOND, stuckWorld, type World } from './fleets.ts'
import type { Scene } from './golden.ts'
import { LINK, overWorld, troubledWorld } from './scenes.ts'

const runId = RUN
const fault = (code: string, message: string, hint?: string) => ({
  kind: 'operator' as const,
  code,
  message,
  ...(hint ? { hint } : {}),
})

function after(...facts: Fact[]): Scene {
  const world = busyWorld()
  world.add(...facts)
  return { world }
}

function closed(status: Exclude<RunStatus, 'running'>): Scene {
  return after({ type: 'run.closed', runId, status })
}

function lost(...podIds: string[]): Scene {
  const world = busyWorld()
  for (const podId of podIds) world.add({ type: 'pod.link_lost', podId, fault: LINK })
  world.pass(75 * SECOND)
  return { world }
}

function listingLost(): Scene {
  const scene = after({ type: 'listing.lost', provider: 'runpod', fault: fault('http', 'RunPod answers 502') })
  scene.world.pass(95 * SECOND)
  return scene
}

const viewing = (world: World, facts: Partial<Facts>): Scene => ({ world, facts: { engineAlive: false, ...facts } })
const fallen = (level: 'low' | 'short' | 'out') =>
  after({ type: 'balance.fallen', provider: 'runpod', level, micro: 900_000, runwayMs: 1_653_000 })

/** As `stuckWorld`, and the second job shows no life either. */
function twoStuck(): World {
  const world = stuckWorld()
  const since = world.now() - 400 * SECOND
  const jobKey = `${RUN}/job-002`
  world.add({ type: 'attempt.stuck_warned', jobKey, attempt: 1, since, silent: ['message', 'gpu', 'log'], reason: '' })
  return world
}

export const BANNERS: Record<string, () => Scene> = {
  disk: () => ({
    world: busyWorld(),
    facts: {
      homeTrouble:
        'the disk of /home/kim/.autopod is full: logs and previews are left out, and soon nothing can be decided',
    },
  }),
  operator: () =>
    after({
      type: 'operator.needed',
      provider: 'runpod',
      fault: fault('key', 'RunPod refuses the key', 'Make a new one.'),
    }),
  'balance low': () => fallen('low'),
  'balance short': () => fallen('short'),
  'balance out': () => fallen('out'),
  'not proven gone, and unknown': () => ({ world: troubledWorld() }),
  unknown: () => lost('pod-0002'),
  'two unknown': () => lost('pod-0001', 'pod-0002'),
  unguarded: () => after({ type: 'pod.unguarded', podId: 'pod-0002', fault: fault('x', 'its disk is full') }),
  stuck: () => ({ world: stuckWorld() }),
  'two stuck': () => ({ world: twoStuck() }),
  'stuck, another row': () => ({ world: stuckWorld(), keys: ['down'] }),
  'stuck, read only': () => ({ world: stuckWorld(), facts: { readonly: true } }),
  'listing lost': listingLost,
  'budget 80': () => after({ type: 'run.budget_step', runId, percent: 80, spent: 8_000_000 }),
  'budget 90': () => after({ type: 'run.budget_step', runId, percent: 90, spent: 9_000_000 }),
  'limit of cost': () => after({ type: 'run.limit_reached', runId, limit: 'cost' }),
  'limit of time': () => after({ type: 'run.limit_reached', runId, limit: 'time' }),
  draining: () => after({ type: 'run.drain_requested', runId }),
  terminating: () => after({ type: 'run.cancel_requested', runId }),
  'no engine, pods': () => viewing(busyWorld(), { runId: null }),
  'no engine, no pods': () => viewing(overWorld(), { runId: null }),
  completed: () => ({ world: overWorld() }),
  'completed, unattended': () => ({ world: overWorld(), facts: { endWhenDone: true } }),
  'completed, pods kept': () => {
    const scene = closed('completed')
    scene.world.fleet.runs.get(RUN)!.policy = { ...POLICY, keep: true }
    return scene
  },
  failed: () => closed('failed'),
  cancelled: () => closed('cancelled'),
  'budget reached': () => closed('budget_reached'),
  'needs a person': () => closed('needs_operator'),
  'all at once': () => {
    const world = troubledWorld()
    world.add({ type: 'operator.needed', provider: 'runpod', fault: fault('key', 'RunPod refuses the key') })
    world.add({ type: 'run.budget_step', runId, percent: 90, spent: 9_000_000 }, { type: 'run.drain_requested', runId })
    return { world }
  },
}
