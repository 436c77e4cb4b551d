// A seed makes a whole story: which faults there are and how often, what is asked for, who steps in, when engines die and what the
// clock does. Most worlds have some of each; which of them are off is the seed's choice, too.
import type { Fact } from '../../src/domain/event.ts'
import type { Fleet } from '../../src/domain/fleet.ts'
import { isSettled } from '../../src/domain/job.ts'
import { mayBill } from '../../src/domain/pod.ts'
import type { Policy } from '../../src/domain/run.ts'
import { liveStall } from '../../src/domain/stuck.ts'
import { BEGINNING, type Chance, createChance } from './clock.ts'
import { offerOf, PER_HOUR } from './cloud.ts'
import { GOOD_WEATHER, type Weather } from './weather.ts'
import { createWorld, policyOf, RUN, specOf, type World, type WorldOptions } from './world.ts'

/** A second launch into the same home. */
const RUN_2 = 'run_20261122_000100_52m52m52'

/** The worst of each; worlds have something between nothing and this. */
const WORST: Weather = {
  createUnclear: 0.5,
  createHangs: 0.3,
  createFails: 0.4,
  capacity: 0.4,
  operator: 0.1,
  offersFail: 0.3,
  priceMoves: 1,
  listFails: 0.3,
  listLags: 0.4,
  lookFails: 0.4,
  fresh404: 1,
  destroyFails: 0.7,
  pauseFails: 0.6,
  omits: 0.8,
  stillborn: 0.3,
  badHost: 0.8,
  gpuless: 0.3,
  vanishes: 0.4,
  preempted: 0.5,
  linkLost: 0.8,
  connectFails: 0.3,
  keyChanges: 0.3,
  portTaken: 0.3,
  podFault: 0.3,
  transientFault: 0.4,
  jobFault: 0.3,
  hungry: 0.6,
  leaks: 0.8,
  poison: 0.5,
  operatorFault: 0.1,
  forgets: 0.3,
  hangs: 0.3,
  deaf: 1,
  crashes: 0.3,
  slow: 0.5,
  blind: 0.6,
  silent: 0.5,
  cancelIgnored: 1,
  publishFails: 0.5,
  renewFails: 1,
  bucketLeaseFails: 1,
}

const LIES = ['listLags', 'lookFails', 'destroyFails', 'pauseFails', 'omits'] as const

/** The world of `seed`, ready to be played. */
export function createScenario(seed: number): World {
  // Apart from the world's own chance, so that a new fault here does not change what happens in worlds without it.
  const chance = createChance(Math.imul(seed, 0x9e3779b1) ^ 0x5eed)
  const weather = weatherOf(chance)
  const options = optionsOf(chance)
  // A limit below every offer; drawn apart, as weather is.
  if (createChance(seed ^ 0x40e1).happens(0.02)) options.policy = { ...options.policy, perHourMax: PER_HOUR / 2 }
  const world = createWorld({ seed, ...options, weather })
  if (createChance(seed ^ 0x09e7).happens(0.03)) world.strandedJob = 'job-2'
  if (createChance(seed ^ 0xc4a6).happens(0.02)) world.changedJob = 'job-1'
  world.cloud.market = [offerOf('A', PER_HOUR)]
  if (chance.happens(0.4)) world.cloud.market.push(offerOf('B', PER_HOUR * 1.5, chance.pick([24, 48])))
  if (chance.happens(0.3)) world.jobMs = [5000, 25_000]
  if (chance.happens(0.1)) world.refusedTarget = 'job-1'
  if (chance.happens(0.1)) outage(world, chance)
  fullDisk(world, createChance(Math.imul(seed, 0x85ebca6b) ^ 0xd15c))
  secondRun(world, chance)
  const people = chance.happens(0.6) ? chance.between(1, 6) : 0
  for (let nth = 0; nth < people; nth++) world.later(chance.between(0, 60_000), fleet => command(fleet, world.chance))
  if (chance.happens(0.4)) watchful(world, chance)
  if (chance.happens(0.15)) world.suspendAt(chance.between(0, 30_000), chance.between(1000, 60_000))
  else if (chance.happens(0.1)) world.setClockAt(chance.between(0, 30_000), -chance.between(1000, 3_600_000))
  return world
}

function weatherOf(chance: Chance): Weather {
  const weather = { ...GOOD_WEATHER }
  // Alone, a fault shows what it breaks; together, they hide and feed each other.
  const share = chance.pick([0, 0.1, 0.25, 0.5])
  for (const name of Object.keys(WORST) as (keyof Weather)[]) {
    const isOn = chance.happens(share)
    const much = chance.next()
    if (isOn) weather[name] = WORST[name] * much
  }
  // A provider that says what is not so: each lie alone is caught by another look, it is their meeting that costs.
  if (chance.happens(0.15)) for (const name of LIES) weather[name] = WORST[name] * (0.5 + chance.next() / 2)
  if (chance.happens(0.1)) weather.createHangs = 0.5 + chance.next() / 2
  return weather
}

function optionsOf(chance: Chance): Omit<WorldOptions, 'seed'> {
  const dies = chance.pick(['never', 'at writes', 'anywhere', 'hands over', 'at writes and anywhere'] as const)
  const policy: Partial<Policy> = {
    reuse: !chance.happens(0.2),
    keep: chance.happens(0.05),
    retries: chance.between(0, 4),
    costMax: chance.happens(0.15) ? chance.between(1000, 20_000) : null,
    perHourMax: chance.happens(0.15) ? PER_HOUR * chance.between(1, 4) : null,
    // Nothing else ends a ComfyUI that hangs.
    timeoutMs: chance.happens(0.1) ? chance.between(5000, 120_000) : 300_000,
  }
  return {
    jobs: chance.between(1, 7),
    podsMax: chance.between(1, 4),
    policy,
    // Often right after an order: what is in flight then is the dearest thing to lose.
    crashEvery: dies.includes('writes') ? chance.between(2, chance.pick([6, 40])) : 0,
    dieEvery: dies.includes('anywhere') ? chance.between(10, 400) : 0,
    handOverEvery: dies === 'hands over' ? chance.between(3, 40) : 0,
    ...(chance.happens(0.3) && { downMs: [0, 1000] as [number, number] }),
    // Nobody is there for longer than pods wait.
    ...(chance.happens(0.25) && { downMs: [5000, 60_000] as [number, number], limits: { leaseMs: 12_000 } }),
    billLagMs: chance.happens(0.5) ? 0 : 1,
  }
}

/** No listing, no capacity or no bucket for a while. */
function outage(world: World, chance: Chance): void {
  const ms = chance.between(5000, 60_000)
  const what = chance.pick(['listing', 'capacity', 'bucket', 'sshd'])
  void world.clock.sleep(chance.between(0, 20_000)).then(() => {
    if (what === 'listing') world.cloud.listingFrom = world.clock.now() + ms
    else if (what === 'capacity') world.cloud.capacityFrom = world.clock.now() + ms
    else {
      const isBucket = what === 'bucket'
      const set = (refuses: boolean) =>
        Object.assign(world, isBucket ? { bucketRefuses: refuses } : { keyRefused: refuses })
      set(true)
      void world.clock.sleep(ms).then(() => {
        set(false)
        if (isBucket) world.troubledUntil = world.clock.now()
      })
    }
  })
}

/** The engine's disk is full, once or again and again, for a moment or for longer than it waits. Its own chance: older worlds stay as they were. */
function fullDisk(world: World, chance: Chance): void {
  if (!chance.happens(0.12)) return
  const longest = chance.pick([2000, 15_000, 60_000])
  const times = chance.between(1, 4)
  for (let nth = 0; nth < times; nth++)
    void world.clock.sleep(chance.between(0, 40_000)).then(() => {
      world.fullUntil = world.clock.now() + chance.between(100, longest)
    })
}

/** Another launch, with its own limits, that also follows a job of the first. */
function secondRun(world: World, chance: Chance): void {
  if (!chance.happens(0.15)) return
  const podsMax = chance.between(1, 3)
  const follows = chance.happens(0.5) ? [`${RUN}/job-1`] : []
  const policy = policyOf({ podsMax, timeoutMs: 300_000, reuse: chance.happens(0.5) })
  const jobs = chance.between(1, 3)
  world.later(chance.between(0, 20_000), () => [
    { type: 'run.opened', runId: RUN_2, policy, follows },
    ...Array.from(
      { length: jobs },
      (_, n): Fact => ({ type: 'job.queued', runId: RUN_2, spec: specOf(`other-${n + 1}`) }),
    ),
  ])
}

/** What a person may do at any moment, from any process. */
function command(fleet: Fleet, chance: Chance): Fact[] {
  const pods = [...fleet.pods.values()].filter(mayBill)
  const jobs = [...fleet.jobs.values()]
  const run = fleet.runs.get(RUN)
  const podId = pods.length > 0 ? chance.pick(pods).id : null
  const jobKey = chance.pick(jobs).key
  switch (
    chance.pick([
      'kill',
      'kill',
      'drain',
      'stop',
      'start',
      'cancel',
      'cancel',
      'retry',
      'wait',
      'drain run',
      'cancel run',
    ])
  ) {
    case 'kill':
      return podId ? [{ type: 'pod.release_requested', podId, cause: 'killed by you' }] : []
    case 'drain':
      return podId ? [{ type: 'pod.drain_requested', podId }] : []
    case 'stop':
      return podId ? [{ type: 'pod.stop_requested', podId }] : []
    case 'start':
      return pods.filter(pod => pod.status === 'stopped').map(pod => ({ type: 'pod.start_requested', podId: pod.id }))
    case 'cancel':
      return [{ type: 'job.cancel_requested', jobKey }]
    case 'retry':
      return jobs.filter(isSettled).map(job => ({ type: 'job.retry_requested', jobKey: job.key }))
    case 'wait':
      return jobs.flatMap(({ key, attempts }) => {
        const live = attempts.at(-1)
        return live && liveStall(live) ? [{ type: 'attempt.wait_requested', jobKey: key, attempt: live.number }] : []
      })
    case 'drain run':
      return run?.status === 'running' ? [{ type: 'run.drain_requested', runId: RUN }] : []
    default:
      return run?.status === 'running' ? [{ type: 'run.cancel_requested', runId: RUN }] : []
  }
}

/** Somebody who acts at a moment that matters: a word against what was just begun. */
function watchful(world: World, chance: Chance): void {
  const at = chance.pick([
    'attempt.requested',
    'attempt.started',
    'attempt.stuck_warned',
    'pod.requested',
    'pod.created',
    'pod.ready',
    'pod.stopped',
  ] as const)
  world.once(
    event => event.type === at,
    () => {
      const event = world.events.findLast(({ type }) => type === at)
      if (event?.type === 'attempt.stuck_warned')
        return [{ type: 'attempt.wait_requested', jobKey: event.jobKey, attempt: event.attempt }]
      if (event && 'jobKey' in event) return [{ type: 'job.cancel_requested', jobKey: event.jobKey }]
      if (!event || !('podId' in event)) return
      const { podId } = event
      if (at === 'pod.stopped') return [{ type: 'pod.start_requested', podId }]
      const verb = chance.pick(['kill', 'stop and start'])
      if (verb === 'kill') return [{ type: 'pod.release_requested', podId, cause: 'killed by you' }]
      // Stopped, started and stopped again: what was seen before must not be taken for what is now.
      world.once(
        later => later.type === 'pod.stopped' && later.podId === podId,
        () => {
          world.later(chance.between(0, 3000), () => [{ type: 'pod.stop_requested', podId }])
          return [{ type: 'pod.start_requested', podId }]
        },
      )
      return [{ type: 'pod.stop_requested', podId }]
    },
  )
}

/** The journal as lines, for people. */
export function story(world: World): string {
  return world.events
    .map(({ seq, at, type, ...rest }) => {
      const short = {
        ...rest,
        offer: undefined,
        policy: undefined,
        spec: undefined,
        artifact: undefined,
        published: undefined,
      }
      return `${String(seq).padStart(4)} ${((at - BEGINNING) / 1000).toFixed(1).padStart(7)} ${type} ${JSON.stringify(short).slice(0, 160)}`
    })
    .join('\n')
}
