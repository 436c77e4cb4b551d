// One seeded world around the real engine: cloud, pods, files, time, commands and crashes, with every promise of the house watched.
import type { Event, Fact } from '../../src/domain/event.ts'
import { emptyFleet, type Fleet } from '../../src/domain/fleet.ts'
import { audit } from '../../src/domain/invariants.ts'
import { bareSpec, type JobSpec } from '../../src/domain/job.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/domain/limits.ts'
import { mayBill, podCost } from '../../src/domain/pod.ts'
import type { Policy } from '../../src/domain/run.ts'
import { type Engine, startEngine } from '../../src/engine/engine.ts'
import { isOfJournal } from '../../src/engine/settle.ts'
import type { Clock, Provider } from '../../src/ports.ts'
import { BEGINNING, createChance, createClock } from './clock.ts'
import { CREATE_MAX_MS, createCloud, POLL_MS, SETTLE_MS, stoppedPerHour } from './cloud.ts'
import { createSharedJournal, ProcessDied } from './journal.ts'
import { createGuard, type Saved, watchOver } from './lease.ts'
import { createCourier, createDialer, createExecutor, createSampler, type PodWorld } from './pod.ts'
import { createWallClock, guard, type WallClock } from './process.ts'
import { createPromises, same } from './promises.ts'
import { GOOD_WEATHER, type Weather } from './weather.ts'

export const RUN = 'run_20261122_000000_51m51m51'
/** No world of these sizes needs a quarter of a virtual hour: one that does has stopped making progress. */
const LIFE_MAX_MS = 900_000
const HOURS_MAX_MS = 24 * 3_600_000

export const SIM_LIMITS: Limits = {
  ...DEFAULT_LIMITS,
  bootMs: 30_000,
  capacityWaitMs: 60_000,
  capacityPauseMs: 5_000,
  capacityPauseMaxMs: 20_000,
  linkLostMs: 10_000,
  leaseMs: 30_000,
  farewellMs: 90_000,
  cancelMs: 5_000,
  backoffMs: 500,
  teardownMs: 12_000,
  orderMs: 9_000,
  bootGuessMs: 6_000,
  jobGuessMs: 8_000,
  tryMs: 1_000,
  stuckWarnMs: 15_000,
  stuckActMs: 30_000,
  stuckBusyActMs: 60_000,
  stuckLookMs: 4_000,
  comfyStartMs: 10_000,
  comfyGoneMs: 4_000,
  sampleMs: 5_000,
  journalWaitMs: 20_000,
  journalRetryMs: 2_000,
  listenMs: 1_000,
}

export type WorldOptions = {
  seed: number
  weather?: Partial<Weather>
  jobs?: number
  podsMax?: number
  policy?: Partial<Policy>
  limits?: Partial<Limits>
  /** The engine dies at about every such event; 0 = never. */
  crashEvery?: number
  /** The engine dies at about every so many moments, whatever it does there; 0 = never. */
  dieEvery?: number
  /** The engine is asked to stop in the middle, about every so many events, and another takes over. */
  handOverEvery?: number
  /** How long nobody watches after a death. */
  downMs?: [low: number, high: number]
  /** How many times longer than in other worlds everything takes that is the provider's; hours pass in such a world. */
  slowness?: number
  /** What is on the account at the beginning; no pod may live when it is used up. */
  balance?: number
  /** When a pod's bill is whole; 0 = as soon as it is gone. */
  billLagMs?: number
}

export type World = PodWorld & {
  events: readonly Event[]
  /** The journal folded by the world itself. */
  fleet: Fleet
  /** What the engine knew when it was stopped. */
  known: Fleet | null
  /** What went wrong, in words with the time; empty in a good world. */
  wrongs: string[]
  crashes: number
  handOvers: number
  limits: Limits
  /** The time that processes read. */
  wall: WallClock
  /** How often it was set back. */
  setBacks: number
  /** How long the machine was asleep, in all. */
  sleptMs: number
  /** Micro-dollars that somebody added to the account. */
  paidIn: number
  /** Micro-dollars on all meters together. */
  spend(): number
  /** What pods left in the bucket when they ended themselves. */
  saved: Map<string, Saved>
  /** Names of pods that have a lease in the bucket. */
  leases: Set<string>
  /** Since when an engine lives; null = none does. */
  ownerSince: number | null
  /** The machine slept, or the bucket was away, until then. */
  troubledUntil: number
  /** The engine's disk is full until then. */
  fullUntil: number
  /** How often an engine found it full, and how often one gave up about it. */
  refusals: number
  gaveUp: number
  /** What another process writes, `afterMs` from now. */
  later(afterMs: number, command: (fleet: Fleet) => Fact[]): void
  /** What another process writes when `when` first holds, or something done to the world. */
  once(when: (event: Event, fleet: Fleet) => boolean, act: () => Fact[] | undefined): void
  /** The machine is asleep for `ms`, `afterMs` from now; or its clock is set by `ms`. */
  suspendAt(afterMs: number, ms: number): void
  setClockAt(afterMs: number, ms: number): void
  /** Until the engine is idle and nothing was put off, over all crashes. */
  play(): Promise<World>
}

export function specOf(jobId: string): JobSpec {
  return bareSpec({
    jobId,
    digest: jobId,
    source: `/jobs/${jobId}.json`,
    executor: 'comfy',
    template: 'sim',
    outputs: [{ name: 'picture', nodeId: '9', target: '/outputs/' }],
  })
}

export function policyOf(policy: Partial<Policy> = {}): Policy {
  return {
    provider: 'sim',
    podsMax: 3,
    gpuTypes: [],
    gpuCount: 1,
    regions: [],
    cloud: null,
    costMax: null,
    perHourMax: null,
    timeoutMs: null,
    retries: 2,
    reuse: true,
    keep: false,
    ...policy,
  }
}

export function createWorld(options: WorldOptions): World {
  const { seed, jobs = 6, podsMax = 3, slowness = 1 } = options
  const chance = createChance(seed)
  const clock = createClock(chance)
  const cloud = createCloud(chance, clock, { ...GOOD_WEATHER, ...options.weather }, slowness)
  const journal = createSharedJournal()
  const viewer = journal.open(() => null)
  const fleet = emptyFleet()
  const wall = createWallClock(clock)
  const watchers: { when: (event: Event, fleet: Fleet) => boolean; act: () => Fact[] | undefined }[] = []
  let putOff = 0
  const forbid = (what: string) => world.wrongs.push(`${((clock.now() - BEGINNING) / 1000).toFixed(1)} s: ${what}`)
  /** Another process writes, never inside somebody else's commit. */
  const say = (afterMs: number, command: () => Fact[] | undefined) => {
    putOff++
    void clock.sleep(afterMs).then(() => {
      putOff--
      const facts = command()
      if (facts) viewer.append(() => facts, wall.now())
    })
  }
  const world: World = {
    chance,
    clock,
    cloud,
    shelf: new Map(),
    prompts: new Map(),
    natures: new Map(),
    targets: new Map(),
    forbid,
    keyRefused: false,
    refusedTarget: null,
    changedJob: null,
    strandedJob: null,
    bucketRefuses: false,
    jobMs: [1000, 8000],
    // Whoever looks into a world of hours each half second does not see its end.
    lookMs: slowness > 1 ? 10_000 : 500,
    events: journal.events,
    fleet,
    known: null,
    wrongs: [],
    crashes: 0,
    handOvers: 0,
    limits: { ...SIM_LIMITS, ...options.limits },
    wall,
    setBacks: 0,
    sleptMs: 0,
    paidIn: 0,
    submitted: task => promises.submitting(task),
    spend: () => [...fleet.pods.values()].reduce((sum, pod) => sum + podCost(pod, wall.now()), 0),
    later: (afterMs, command) => say(afterMs, () => command(fleet)),
    once: (when, act) => void watchers.push({ when, act }),
    saved: new Map(),
    leases: new Set(),
    ownerSince: null,
    troubledUntil: 0,
    fullUntil: 0,
    refusals: 0,
    gaveUp: 0,
    suspendAt: (afterMs, ms) =>
      void clock.sleep(afterMs).then(() => {
        world.sleptMs += ms
        clock.skip(ms)
        world.troubledUntil = clock.now()
      }),
    setClockAt: (afterMs, ms) =>
      void clock.sleep(afterMs).then(() => {
        if (ms < 0) world.setBacks++
        wall.set(ms)
      }),
    play,
  }
  cloud.born = pod => void watchOver(world, pod)
  const promises = createPromises(world)
  journal.watch(event => {
    for (const breach of audit(fleet, event)) forbid(breach)
    promises.check(event)
    for (const watcher of watchers.filter(({ when }) => when(event, fleet))) {
      watchers.splice(watchers.indexOf(watcher), 1)
      say(0, watcher.act)
    }
  })
  journal.watchGauges((jobKey, before, now) => {
    if (now.attempt === before.attempt && (now.fraction ?? 0) < (before.fraction ?? 0))
      forbid(`${jobKey} is shown at ${now.fraction} after ${before.fraction}`)
  })
  const policy = policyOf({ podsMax, ...options.policy })
  const queued = (_: unknown, n: number): Fact => ({ type: 'job.queued', runId: RUN, spec: specOf(`job-${n + 1}`) })
  const opened: Fact = { type: 'run.opened', runId: RUN, policy, follows: [] }
  viewer.append(() => [opened, ...Array.from({ length: jobs }, queued)], wall.now())
  return world

  async function play(): Promise<World> {
    const { downMs } = options
    for (;;) {
      const life = await live()
      world.ownerSince = null
      if (life === 'done') break
      if (life === 'died') world.crashes++
      else world.handOvers++
      // Nobody watches for a while; what was under way at the provider goes on.
      await elapse(downMs ? chance.between(...downMs) : chance.happens(0.5) ? 0 : chance.between(100, 20_000))
    }
    promises.atRest()
    return world
  }

  function isFull(): boolean {
    if (clock.now() >= world.fullUntil) return false
    world.refusals++
    return true
  }

  async function elapse(ms: number): Promise<void> {
    let over = false
    void clock.sleep(ms).then(() => {
      over = true
    })
    while (!over) await clock.step()
  }

  /** One life of an engine. */
  async function live(): Promise<'done' | 'died' | 'handed over'> {
    const { crashEvery = 0, dieEvery = 0, handOverEvery = 0 } = options
    let dead = false
    /** About so many from now on, while the world has not seen many of them. */
    const soon = (every: number, seen: number) =>
      every > 0 && seen < 6 ? chance.between(1, 2 * every) : Number.POSITIVE_INFINITY
    const last = journal.events.length + soon(handOverEvery, world.handOvers)
    let moments = soon(dieEvery, world.crashes)
    let left = soon(crashEvery, world.crashes)
    const store = journal.open(facts => {
      left -= facts.length
      if (facts.length === 0 || left > 0) return null
      dead = true
      // Seed 116663: noticed only a step later, which may be half a minute.
      world.ownerSince = null
      return chance.happens(0.5) ? 'before' : 'after'
    }, isFull)
    const guarded = <T extends object>(port: T): T => guard(port, () => dead)
    const tunnels = new Set<number>()
    const own: World = Object.create(world, { clock: { value: guarded(clock) } })
    world.ownerSince = clock.now()
    const engine = startEngine({
      store,
      clock: guarded<Clock>(wall),
      providers: new Map([['sim', guarded(provider())]]),
      dialer: guarded(createDialer(own, tunnels)),
      executor: guarded(createExecutor(own)),
      courier: guarded(createCourier(own)),
      sampler: createSampler(own),
      trace: { pod() {}, cursor: () => null, engine() {}, preview() {} },
      boot: async () => ({ image: 'sim', diskGb: 1, env: {}, args: null, volume: null }),
      guard: guarded(createGuard(own)),
      limits: world.limits,
      home8: 'simhome8',
      version: '0',
      pid: world.crashes + 1,
      firstPort: 8188,
    })
    let idle = false
    let endless = false
    // A command may come after the engine said that it is idle: it takes that up, too.
    const over = () => idle && putOff === 0 && !isOwing(fleet)
    void engine.idle.then(
      () => {
        idle = true
      },
      () => {},
    )
    engine.failed.catch(error => {
      const hasGivenUp = isOfJournal(error) && clock.now() < world.fullUntil
      if (!dead && hasGivenUp) world.gaveUp++
      else if (!dead || !(error instanceof ProcessDied)) forbid(`the engine threw ${String(error?.stack ?? error)}`)
      store.kill()
      dead = true
    })
    while (!dead && !over() && journal.events.length < last) {
      if (--moments <= 0) {
        store.kill()
        dead = true
        break
      }
      const stepped = await clock.step()
      if (!stepped && !dead && !idle) forbid('nobody sleeps and nothing is done: a deadlock')
      if (clock.now() - BEGINNING > (slowness > 1 ? HOURS_MAX_MS : LIFE_MAX_MS) || world.wrongs.length > 20) {
        forbid('the world does not end')
        endless = true
        break
      }
    }
    if (endless) return 'done'
    if (dead) return 'died'
    const early = !over()
    world.ownerSince = null
    await bringDown(engine)
    if (dead) return 'died'
    if (tunnels.size > 0) forbid(`${tunnels.size} tunnels are still open`)
    world.known = engine.fleet
    // Another process may have written after its last word.
    if (engine.fleet.seq === fleet.seq && !same(engine.fleet, fleet))
      forbid('the engine knows another fleet than the journal tells')
    return early ? 'handed over' : 'done'

    async function bringDown(ending: Engine): Promise<void> {
      let down = false
      void ending.stop().then(
        () => {
          down = true
        },
        error => {
          down = true
          if (!dead) forbid(`the engine's stop threw ${String(error)}`)
        },
      )
      for (let steps = 0; !down && !dead; steps++) {
        await clock.step(() => down)
        if (steps > 20_000) return void forbid('the engine does not stop')
      }
    }
  }

  function balance(): number | null {
    if (options.balance === undefined) return null
    let left = options.balance + world.paidIn
    for (const pod of cloud.pods.values()) if (pod.ours) left -= cloud.billed(pod)
    return left
  }

  function provider(): Provider {
    return {
      name: 'sim',
      pollMs: POLL_MS * slowness,
      settleMs: SETTLE_MS * slowness,
      createMaxMs: CREATE_MAX_MS * slowness,
      billLagMs: options.billLagMs ?? 1,
      billed: async ref => {
        const pod = cloud.pods.get(ref)
        return pod && !cloud.alive(pod) ? cloud.billed(pod) : null
      },
      gpus: async () => [],
      offers: want => cloud.offers(want.vramGbMin),
      create(name, offer, _boot, lookFirst) {
        promises.renting(name)
        return cloud.create(name, offer, lookFirst)
      },
      list() {
        if ((balance() ?? 1) <= 0 && [...cloud.pods.values()].some(pod => pod.ours && cloud.alive(pod)))
          forbid('the account is empty, and the provider stops what lives')
        return cloud.list()
      },
      host: ref => cloud.host(ref),
      look: ref => cloud.look(ref),
      stop: ref => cloud.pause(ref, true),
      start: ref => cloud.pause(ref, false),
      destroy: ref => cloud.destroy(ref),
      balance: async () => balance(),
      logs: (_ref, _cursor, _onLine, signal) =>
        new Promise(resolve => {
          if (signal.aborted) resolve()
          else signal.addEventListener('abort', () => resolve(), { once: true })
        }),
      stoppedPerHour: offer => stoppedPerHour(offer.perHour),
    }
  }
}

/** A run is open, or a pod is on its way somewhere. */
function isOwing(fleet: Fleet): boolean {
  for (const run of fleet.runs.values()) if (run.status === 'running') return true
  for (const pod of fleet.pods.values())
    if (mayBill(pod) && pod.status !== 'ready' && pod.status !== 'stopped') return true
  return false
}
