// The simulated cloud: pods that are made, boot, break, work and are billed, whatever engine lives or dies meanwhile.
import { Fault, type FaultKind } from '../../src/domain/fault.ts'
import type { Offer } from '../../src/domain/pod.ts'
import type { Sign } from '../../src/domain/stuck.ts'
import { accrue } from '../../src/domain/units.ts'
import type { Listing, PodRow } from '../../src/ports.ts'
import { BEGINNING, type Chance, type VirtualClock } from './clock.ts'
import type { Weather } from './weather.ts'

export type Prompt = {
  id: string
  jobId: string
  doneAt: number
  state: 'running' | 'done' | 'interrupted'
  /** From when on nothing of it moves; never for most. */
  hangsAt: number
  /** What a hanging one still reacts to. */
  heeds: 'interrupt' | 'restart' | 'nothing'
  /** How it shows, while it works, that it does. */
  life: readonly Sign[]
}

export type CloudPod = {
  ref: string
  name: string
  ours: boolean
  offer: Offer
  /** The machine below it; `bad` is one. */
  hostId: string
  /** What is really taken for it, running. */
  perHour: number
  createdAt: number
  /** Listings lack it until then; direct looks, too, where `fresh404`. */
  listedFrom: number
  fresh404: boolean
  runningAt: number
  addressAt: number
  comfyAt: number
  hasGpu: boolean
  /** It works until then; null = as long as it is wanted. */
  vanishesAt: number | null
  /** It is stopped from outside then. */
  preemptedAt: number | null
  stopped: boolean
  destroyedAt: number | null
  /** A destroyed pod stays in listings until then. */
  listedUntil: number
  /** Nobody is told of it, although it lives. */
  hidden: { from: number; until: number; alsoFromLooks: boolean } | null
  /** Price an hour from each moment on, for the bill. */
  rates: { from: number; perHour: number }[]
  prompts: Map<string, Prompt>
  /** Memory of the card, in GB, that earlier prompts still hold. */
  heldGb: number
  /** When its agent last saw a renewal; null while its container does not run. */
  seenAt: number | null
  /** It saves and then ends itself, whoever comes. */
  parting: boolean
  /** It was told its own place in the bucket. */
  reached: boolean
}

export const PER_HOUR = 400_000
/** Short beside the real 20 s and 90 s, in the same order: a world is over in a virtual minute or two. */
export const SETTLE_MS = 4_000
export const CREATE_MAX_MS = 8_000
export const POLL_MS = 500
/** Listings lack a new pod for no longer. */
const LAG_MS = 1500

export type Cloud = {
  pods: Map<string, CloudPod>
  weather: Weather
  /** Set by scenarios: refuse every creation until then. */
  capacityFrom: number
  /** No listing is complete until then. */
  listingFrom: number
  /** Set by scenarios: what is offered, best first. */
  market: Offer[]
  /** Told of each pod of ours, however it came to be. */
  born(pod: CloudPod): void
  alive(pod: CloudPod): boolean
  running(pod: CloudPod): boolean
  offers(vramGbMin: number): Promise<Offer[]>
  create(name: string, offer: Offer, lookFirst: boolean): Promise<{ ref: string; perHour: number }>
  list(): Promise<Listing>
  host(ref: string): Promise<string | null>
  look(ref: string): Promise<PodRow | null>
  destroy(ref: string): Promise<void>
  pause(ref: string, stopped: boolean): Promise<void>
  /** Micro-dollars until now. */
  billed(pod: CloudPod): number
}

export function fault(kind: FaultKind, code: string, message = code.replaceAll('_', ' ')): Fault {
  return new Fault({ kind, code, message })
}

export function offerOf(gpuName: string, perHour: number, vramGb = 24): Offer {
  const place = { provider: 'sim', gpuCount: 1, vramGb, cloud: 'secure', region: null, stock: 'high' } as const
  return { ...place, gpuType: `SIM ${gpuName}`, gpuName, perHour }
}

/** A pod in status stopped pays for its disk. */
export const stoppedPerHour = (perHour: number) => Math.ceil(perHour / 10)

/** `slowness`: how many times longer everything takes that is the provider's; 5 is about what RunPod needs. */
export function createCloud(chance: Chance, clock: VirtualClock, weather: Weather, slowness = 1): Cloud {
  const settleMs = SETTLE_MS * slowness
  const createMaxMs = CREATE_MAX_MS * slowness
  const between = (low: number, high: number) => chance.between(low, high) * slowness
  const pods = new Map<string, CloudPod>()
  const latency = () => clock.sleep(chance.between(20, 400))
  const alive = (pod: CloudPod) => pod.destroyedAt === null && (pod.vanishesAt === null || clock.now() < pod.vanishesAt)
  const preempt = (pod: CloudPod) => {
    if (pod.preemptedAt === null || clock.now() < pod.preemptedAt || !alive(pod)) return
    setStopped(pod, true, pod.preemptedAt)
    pod.preemptedAt = null
  }
  const running = (pod: CloudPod) => {
    preempt(pod)
    return alive(pod) && !pod.stopped && clock.now() >= pod.runningAt
  }
  const setStopped = (pod: CloudPod, stopped: boolean, at: number) => {
    pod.stopped = stopped
    pod.rates.push({ from: at, perHour: stopped ? stoppedPerHour(pod.perHour) : pod.perHour })
    // ComfyUI's queue is in memory.
    if (stopped) pod.prompts.clear()
    else Object.assign(pod, { runningAt: at + 500, addressAt: at + 700, comfyAt: at + 1500 })
  }
  const isHidden = ({ hidden }: CloudPod, looked: boolean) =>
    hidden !== null && clock.now() >= hidden.from && clock.now() < hidden.until && (!looked || hidden.alsoFromLooks)
  const isTold = (pod: CloudPod, looked: boolean) =>
    !isHidden(pod, looked) && (clock.now() >= pod.listedFrom || (looked && !pod.fresh404))
  const listed = (pod: CloudPod) =>
    isTold(pod, false) &&
    (alive(pod) || clock.now() < Math.max(pod.listedUntil, pod.vanishesAt ?? Number.NEGATIVE_INFINITY))
  const rowOf = (pod: CloudPod): PodRow => {
    const isUp = running(pod)
    return {
      ref: pod.ref,
      name: pod.name,
      status: !alive(pod) ? 'terminated' : pod.stopped ? 'stopped' : isUp ? 'running' : 'starting',
      gpuType: pod.offer.gpuType,
      gpuCount: 1,
      perHour: pod.perHour,
      address: isUp && clock.now() >= pod.addressAt ? { host: pod.ref, port: 22, user: 'root' } : null,
      createdAt: pod.createdAt,
    }
  }
  /** Shorter than the settling time for both ways of asking, or longer for listings alone: either is survived by the rule of the house. */
  const hide = (pod: CloudPod, from: number, alsoFromLooks: boolean) => {
    // A listing tells of a moment up to 400 ms after it was asked for.
    const ms = alsoFromLooks ? chance.between(500, settleMs - 500) : chance.between(settleMs, settleMs * 3)
    pod.hidden = { from, until: from + ms, alsoFromLooks }
  }
  const make = (name: string, offer: Offer, ours: boolean): CloudPod => {
    const at = clock.now()
    const isBad = ours && chance.happens(weather.badHost)
    const flaw =
      ours && chance.happens(weather.stillborn) ? chance.pick(['running', 'address', 'comfy'] as const) : null
    const never = (what: typeof flaw, otherwise: number) => (flaw === what ? Number.POSITIVE_INFINITY : otherwise)
    const runningAt = never('running', at + between(300, 3000))
    const goesAt = ours && chance.happens(weather.vanishes) ? at + between(1000, 40_000) : null
    const isPreempted = goesAt !== null && chance.happens(weather.preempted)
    const perHour = chance.happens(weather.priceMoves)
      ? Math.ceil(offer.perHour * (0.7 + chance.next()))
      : offer.perHour
    const pod: CloudPod = {
      ref: `ref-${pods.size + 1}`,
      name,
      ours,
      offer,
      hostId: isBad ? 'bad' : `host-${chance.between(1, 4)}`,
      perHour,
      createdAt: at,
      listedFrom: at + (ours ? between(0, LAG_MS) : 0),
      fresh404: chance.happens(weather.fresh404),
      runningAt,
      addressAt: never('address', runningAt + between(0, 500)),
      comfyAt: never('comfy', runningAt + between(500, 4000)),
      hasGpu: !chance.happens(weather.gpuless) && !(isBad && chance.happens(0.5)),
      vanishesAt: isPreempted ? null : goesAt,
      preemptedAt: isPreempted ? goesAt : null,
      stopped: false,
      destroyedAt: null,
      listedUntil: 0,
      hidden: null,
      rates: [{ from: at, perHour }],
      prompts: new Map(),
      heldGb: 0,
      seenAt: null,
      parting: false,
      reached: false,
    }
    if (ours && chance.happens(weather.omits)) hide(pod, at + between(10_000, 25_000), true)
    pods.set(pod.ref, pod)
    if (ours) cloud.born(pod)
    return pod
  }
  const named = (name: string) => {
    for (const pod of pods.values()) if (pod.name === name && alive(pod) && isTold(pod, false)) return pod
    return null
  }
  /** Asked, not answered in time, looked up by its name, not found; perhaps it is made later all the same. */
  const lost = async (name: string, offer: Offer): Promise<never> => {
    const landsMs = chance.happens(0.7) ? chance.between(1000, createMaxMs - 1000) : null
    if (landsMs !== null) void clock.sleep(landsMs).then(() => make(name, offer, true))
    await clock.sleep(between(500, 4000))
    throw fault('transient', 'answer_timed_out')
  }
  const cloud: Cloud = {
    pods,
    weather,
    capacityFrom: BEGINNING,
    listingFrom: BEGINNING,
    market: [offerOf('A', PER_HOUR)],
    born() {},
    alive,
    running,
    async offers(vramGbMin) {
      await latency()
      if (!chance.happens(weather.offersFail))
        return cloud.market.filter(({ vramGb }) => vramGb >= vramGbMin).map(offer => ({ ...offer }))
      if (chance.happens(0.5)) throw fault('transient', 'provider_busy')
      return []
    },
    async create(name, offer, lookFirst) {
      await latency()
      if (chance.happens(weather.operator)) throw fault('operator', 'key_refused')
      if (lookFirst) {
        // A look-up goes on for as long as a listing may lag behind.
        const known = named(name) ?? (await clock.sleep(LAG_MS).then(() => named(name)))
        if (known) return { ref: known.ref, perHour: known.perHour }
      }
      if (clock.now() < cloud.capacityFrom || chance.happens(weather.capacity)) throw fault('capacity', 'sold_out')
      if (chance.happens(weather.createFails)) throw fault('transient', 'provider_busy')
      if (chance.happens(weather.createHangs)) return lost(name, offer)
      // The provider works on it for a while, whether or not who asked still lives.
      await clock.sleep(chance.between(100, 2500))
      const pod = make(name, offer, true)
      if (chance.happens(weather.createUnclear)) throw fault('transient', 'answer_lost')
      await latency()
      return { ref: pod.ref, perHour: pod.perHour }
    },
    async list() {
      await latency()
      if (clock.now() < cloud.listingFrom) return { known: false, why: 'the listing is away' }
      if (chance.happens(weather.listFails)) {
        if (chance.happens(0.3)) throw fault('transient', 'provider_busy')
        return {
          known: false,
          why: chance.pick(['a short page', 'an empty body', 'malformed', 'the second page is away']),
        }
      }
      const answer: Listing = { known: true, pods: [...pods.values()].filter(listed).map(rowOf) }
      if (chance.happens(weather.listLags)) await clock.sleep(chance.between(500, 3000))
      await latency()
      return answer
    },
    async host(ref) {
      await latency()
      if (chance.happens(weather.lookFails)) throw fault('transient', 'provider_busy')
      return cloud.pods.get(ref)?.hostId ?? null
    },
    async look(ref) {
      await latency()
      if (chance.happens(weather.lookFails)) throw fault('transient', 'provider_busy')
      const pod = pods.get(ref)
      return pod && alive(pod) && isTold(pod, true) ? rowOf(pod) : null
    },
    async destroy(ref) {
      await latency()
      const pod = pods.get(ref)
      if (!pod) return
      if (!pod.ours) throw new Error(`bug: a foreign pod is destroyed: ${pod.name}`)
      const fails = chance.happens(weather.destroyFails) ? chance.pick(['refused', 'forgotten', 'unanswered']) : null
      if (fails === 'refused') throw fault('transient', 'provider_busy')
      if (fails === 'forgotten') {
        if (chance.happens(weather.omits)) hide(pod, clock.now(), chance.happens(0.5))
        return
      }
      if (alive(pod)) {
        preempt(pod)
        pod.destroyedAt = clock.now()
        pod.listedUntil = clock.now() + between(0, 2000)
      }
      if (fails === 'unanswered') throw fault('transient', 'answer_lost')
      await latency()
    },
    async pause(ref, stopped) {
      await latency()
      const pod = pods.get(ref)
      if (!pod || !alive(pod)) throw fault('pod', 'pod_gone')
      if (!pod.ours) throw new Error(`bug: a foreign pod is stopped: ${pod.name}`)
      const fails = chance.happens(weather.pauseFails) ? chance.pick(['refused', 'forgotten']) : null
      if (fails === 'refused') throw fault('transient', 'provider_busy')
      if (fails === 'forgotten') return
      preempt(pod)
      if (pod.stopped !== stopped) setStopped(pod, stopped, clock.now())
    },
    billed(pod) {
      preempt(pod)
      const end = Math.min(pod.destroyedAt ?? clock.now(), pod.vanishesAt ?? clock.now(), clock.now())
      let sum = 0
      for (const [index, { from, perHour }] of pod.rates.entries())
        sum += accrue(perHour, Math.min(pod.rates[index + 1]?.from ?? end, end) - from)
      return sum
    },
  }
  make('somebody-else', offerOf('A', PER_HOUR), false)
  return cloud
}
