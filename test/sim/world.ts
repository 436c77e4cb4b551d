// One seeded world around the real engine: cloud, pods, files, time, commands and crashes, with every promise of the house watched.
import type { Event, Fact } from '../../src/domain/event.ts'
import { apply, emptyFleet, type Fleet } from '../../src/domain/fleet.ts'
import { isSettled, type JobSpec, liveAttempt } from '../../src/domain/job.ts'
import { DEFAULT_LIMITS, type Limits } from '../../src/domain/limits.ts'
import { mayBill, podCost } from '../../src/domain/pod.ts'
import type { Policy } from '../../src/domain/run.ts'
import { type Engine, startEngine } from '../../src/engine/engine.ts'
import type { Provider } from '../../src/ports.ts'
import { BEGINNING, createChance, createClock } from './clock.ts'
import { CREATE_MAX_MS, createCloud, GOOD_WEATHER, PER_HOUR, POLL_MS, SETTLE_MS, type Weather } from './cloud.ts'
import { createSharedJournal, ProcessDied } from './journal.ts'
import { createCourier, createDialer, createExecutor, type PodWorld } from './pod.ts'

export const RUN = 'run_20261122_000000_51m51m51'
/** No world of these sizes needs a quarter of a virtual hour: one that does has stopped making progress. */
const LIFE_MAX_MS = 900_000

export const SIM_LIMITS: Limits = {
  ...DEFAULT_LIMITS,
  bootMs: 30_000,
  capacityWaitMs: 60_000,
  capacityPauseMs: 5_000,
  linkLostMs: 10_000,
  cancelMs: 5_000,
  backoffMs: 500,
  sampleMs: 60_000,
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
  /** The engine is asked to stop in the middle, about every so many events, and another takes over. */
  handOverEvery?: number
  /** How long nobody watches after a death. */
  downMs?: [low: number, high: number]
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
  /** Micro-dollars on all meters together. */
  spend(): number
  /** What another process writes, `afterMs` from now. */
  later(afterMs: number, command: (fleet: Fleet) => Fact[]): void
  /** What another process writes when `when` first holds, or something done to the world. */
  once(when: (event: Event, fleet: Fleet) => boolean, act: () => Fact[] | undefined): void
  /** Until the engine is idle and nothing was put off, over all crashes. */
  play(): Promise<World>
}

export function specOf(jobId: string): JobSpec {
  return {
    jobId,
    digest: jobId,
    source: `/jobs/${jobId}.json`,
    executor: 'comfy',
    template: 'sim',
    graph: {},
    inputs: [],
    outputs: [{ name: 'picture', nodeId: '9', target: '/outputs/' }],
    models: [],
    gpuTypes: [],
    gpuCount: 1,
    vramGbMin: 0,
    costMax: null,
    timeoutMs: null,
  }
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
  const { seed, jobs = 6, podsMax = 3, crashEvery = 0, handOverEvery = 0, downMs } = options
  const chance = createChance(seed)
  const clock = createClock(chance)
  const cloud = createCloud(chance, clock, { ...GOOD_WEATHER, ...options.weather })
  const journal = createSharedJournal()
  const viewer = journal.open(() => null)
  const fleet = emptyFleet()
  const watchers: { when: (event: Event, fleet: Fleet) => boolean; act: () => Fact[] | undefined }[] = []
  let putOff = 0
  const forbid = (what: string) => world.wrongs.push(`${((clock.now() - BEGINNING) / 1000).toFixed(1)} s: ${what}`)
  const world: World = {
    chance,
    clock,
    cloud,
    shelf: new Map(),
    forbid,
    keyRefused: false,
    refusedTarget: null,
    bucketRefuses: false,
    jobMs: [1000, 8000],
    events: journal.events,
    fleet,
    known: null,
    wrongs: [],
    crashes: 0,
    handOvers: 0,
    spend: () => [...fleet.pods.values()].reduce((sum, pod) => sum + podCost(pod, clock.now()), 0),
    later(afterMs, command) {
      putOff++
      void clock.sleep(afterMs).then(() => {
        putOff--
        viewer.append(() => command(fleet), clock.now())
      })
    },
    once: (when, act) => void watchers.push({ when, act }),
    play: () => play(),
  }
  journal.watch(event => {
    try {
      apply(fleet, event)
      check(event)
    } catch (error) {
      forbid(error instanceof Error ? error.message : String(error))
    }
    for (const watcher of watchers.filter(({ when }) => when(event, fleet))) {
      watchers.splice(watchers.indexOf(watcher), 1)
      putOff++
      // Another process: it writes after this commit, never inside it.
      void clock.sleep(0).then(() => {
        putOff--
        const facts = watcher.act()
        if (facts) viewer.append(() => facts, clock.now())
      })
    }
  })
  viewer.append(
    () => [
      { type: 'run.opened', runId: RUN, policy: policyOf({ podsMax, ...options.policy }), follows: [] },
      ...Array.from(
        { length: jobs },
        (_, n): Fact => ({ type: 'job.queued', runId: RUN, spec: specOf(`job-${n + 1}`) }),
      ),
    ],
    clock.now(),
  )
  return world

  /** The promises that hold at every event, not only at the end. */
  function check(event: Event): void {
    const billing = [...fleet.pods.values()].filter(pod => mayBill(pod) && pod.status !== 'stopped')
    if (billing.length > podsMax) forbid(`${billing.length} pods are on the meter, ${podsMax} are allowed`)
    const living = [...cloud.pods.values()].filter(pod => pod.ours && cloud.alive(pod) && !pod.stopped)
    if (living.length > podsMax) forbid(`${living.length} pods live at the provider, ${podsMax} are allowed`)
    const open = [...fleet.jobs.values()].filter(job => !isSettled(job)).length
    const onOrder = [...fleet.pods.values()].filter(pod => pod.status === 'requested').length
    if (event.type === 'pod.requested' && onOrder > open) forbid(`${onOrder} orders for ${open} open jobs`)
    const busy = new Set<string>()
    for (const job of fleet.jobs.values()) {
      const attempt = liveAttempt(job)
      if (!attempt) continue
      if (busy.has(attempt.podId)) forbid(`two live attempts on ${attempt.podId}`)
      busy.add(attempt.podId)
      if (job.attempts.filter(other => other.endedAt === null).length > 1) forbid(`two live attempts of ${job.key}`)
      if (event.type === 'attempt.requested' && event.jobKey === job.key && job.cancelRequested)
        forbid(`${job.key} starts although it is cancelled`)
    }
    if (event.type === 'artifact.stored' && world.shelf.get(event.artifact.key) !== event.artifact.sha256)
      forbid(`${event.artifact.key} is in the journal and not in the bucket`)
    if (event.type === 'job.completed' && fleet.jobs.get(event.jobKey)?.attempts.at(-1)?.artifacts.length !== 2)
      forbid(`${event.jobKey} is completed without its two files`)
    if (event.type === 'pod.gone' || event.type === 'pod.refused') {
      const pod = fleet.pods.get(event.podId)
      for (const real of cloud.pods.values())
        if (pod && real.name === pod.name && cloud.alive(real))
          forbid(`${pod.id} is ${pod.status} and lives as ${real.ref}`)
    }
  }

  async function play(): Promise<World> {
    for (;;) {
      const life = await live()
      if (life === 'done') break
      if (life === 'died') world.crashes++
      else world.handOvers++
      // Nobody watches for a while; what was under way at the provider goes on.
      await elapse(downMs ? chance.between(...downMs) : chance.happens(0.5) ? 0 : chance.between(100, 20_000))
    }
    atRest()
    return world
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
    let dead = false
    const last =
      handOverEvery > 0 && world.handOvers < 6
        ? journal.events.length + chance.between(1, 2 * handOverEvery)
        : Number.POSITIVE_INFINITY
    let left = crashEvery > 0 && world.crashes < 6 ? chance.between(1, 2 * crashEvery) : Number.POSITIVE_INFINITY
    const store = journal.open(facts => {
      left -= facts.length
      if (facts.length === 0 || left > 0) return null
      dead = true
      return chance.happens(0.5) ? 'before' : 'after'
    })
    const guarded = <T extends object>(port: T): T => guard(port, () => dead)
    const tunnels = new Set<number>()
    const own: PodWorld = Object.create(world, { clock: { value: guarded(clock) } })
    const engine = startEngine({
      store,
      clock: own.clock,
      providers: new Map([['sim', guarded(provider())]]),
      dialer: guarded(createDialer(own, tunnels)),
      executor: guarded(createExecutor(own)),
      courier: guarded(createCourier(own)),
      trace: { pod() {}, engine() {}, preview() {} },
      boot: () => ({ image: 'sim', diskGb: 1, env: {}, volume: null }),
      limits: { ...SIM_LIMITS, ...options.limits },
      home8: 'simhome8',
      version: '0',
      pid: world.crashes + 1,
      firstPort: 8188,
      replaceable: () => true,
    })
    let idle = false
    let endless = false
    // A command may come after the engine said that it is idle: it takes that up, too.
    const over = () => idle && putOff === 0 && [...fleet.runs.values()].every(run => run.status !== 'running')
    engine.idle.then(
      () => {
        idle = true
      },
      error => {
        if (!dead || !(error instanceof ProcessDied)) forbid(`the engine threw ${String(error?.stack ?? error)}`)
        dead = true
      },
    )
    while (!dead && !over() && journal.events.length < last) {
      const stepped = await clock.step()
      if (!stepped && !dead && !idle) forbid('nobody sleeps and nothing is done: a deadlock')
      if (clock.now() - BEGINNING > LIFE_MAX_MS || world.wrongs.length > 20) {
        forbid('the world does not end')
        endless = true
        break
      }
    }
    if (dead) return 'died'
    const early = !over() && !endless
    await bringDown(engine)
    if (dead) return 'died'
    if (tunnels.size > 0) forbid(`${tunnels.size} tunnels are still open`)
    world.known = engine.fleet
    // Another process may have written after its last word.
    if (engine.fleet.seq === fleet.seq && !same(said(engine.fleet), said(fleet)))
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
        await clock.step()
        if (steps > 20_000) return void forbid('the engine does not stop')
      }
    }
  }

  function provider(): Provider {
    return {
      name: 'sim',
      pollMs: POLL_MS,
      settleMs: SETTLE_MS,
      createMaxMs: CREATE_MAX_MS,
      gpus: async () => [],
      offers: want => cloud.offers(want),
      create: (name, _offer, boot, lookFirst) => cloud.create(name, boot, lookFirst),
      list: () => cloud.list(),
      look: ref => cloud.look(ref),
      stop: ref => cloud.pause(ref, true),
      start: ref => cloud.pause(ref, false),
      destroy: ref => cloud.destroy(ref),
      billLagMs: 0,
      billed: async () => null,
      balance: async () => null,
      logs: (_ref, _onLine, signal) =>
        new Promise(resolve => {
          if (signal.aborted) resolve()
          else signal.addEventListener('abort', () => resolve(), { once: true })
        }),
      stoppedPerHour: () => PER_HOUR / 10,
    }
  }

  /** What holds when all is done. */
  function atRest(): void {
    for (const job of fleet.jobs.values()) if (!isSettled(job)) forbid(`${job.key} is ${job.status} at the end`)
    for (const run of fleet.runs.values()) if (run.status === 'running') forbid(`${run.id} is still open at the end`)
    for (const real of cloud.pods.values()) {
      if (!real.ours && !cloud.alive(real)) forbid('a foreign pod is gone')
      if (real.ours && cloud.alive(real)) forbid(`${real.name} (${real.ref}) is still billed at the end`)
      const known = [...fleet.pods.values()].find(pod => pod.ref === real.ref)
      // What went by itself before anybody could look was never seen by anyone.
      if (real.ours && !known && real.destroyedAt !== null)
        forbid(`${real.name} (${real.ref}) lived and is in no account`)
      if (known && podCost(known, clock.now()) < cloud.billed(real))
        forbid(`${known.id} is accounted at ${podCost(known, clock.now())} and was billed ${cloud.billed(real)}`)
    }
    const again = emptyFleet()
    for (const event of journal.events) apply(again, JSON.parse(JSON.stringify(event)))
    if (!same(said(again), said(fleet))) forbid('the journal folded again gives another fleet')
  }
}

/** A provider of which nothing is said is as good as none. */
function said(fleet: Fleet): Fleet {
  const providers = [...fleet.providers].filter(([, state]) => Object.values(state).some(value => value !== null))
  return { ...fleet, providers: new Map(providers) }
}

/** Equal in all their parts, Maps also in their order. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Map || b instanceof Map) return a instanceof Map && b instanceof Map && same([...a], [...b])
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(key => same(a[key as keyof typeof a], b[key as keyof typeof b]))
}

/** A port in a process that may die: nothing it is asked for ever comes back to a dead process. */
function guard<T extends object>(port: T, dead: () => boolean): T {
  return new Proxy(port, {
    get(target, name) {
      const member = Reflect.get(target, name)
      if (typeof member !== 'function' || name === 'now' || name === 'uuid') return member
      return (...args: unknown[]) => {
        if (dead()) return new Promise(() => {})
        const answer: unknown = member.apply(target, args)
        if (!(answer instanceof Promise)) return answer
        return new Promise((resolve, reject) => {
          answer.then(
            value => dead() || resolve(value),
            error => dead() || reject(error),
          )
        })
      }
    },
  })
}
