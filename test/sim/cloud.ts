// The simulated cloud: pods that are made, boot, break, work and are billed, whatever engine lives or dies meanwhile.
import { Fault, type FaultKind } from '../../src/domain/fault.ts'
import { accrue } from '../../src/domain/units.ts'
import type { Boot, Listing, PodRow, Want } from '../../src/ports.ts'
import { BEGINNING, type Chance, type VirtualClock } from './clock.ts'

/** What may go wrong, as probabilities for each occasion; all 0 = good weather. */
export type Weather = {
  /** A creation answers with a fault although the pod was made. */
  createUnclear: number
  /** A creation fails and makes nothing. */
  createFails: number
  /** A creation is refused: nothing left of this kind. */
  capacity: number
  /** A creation is refused because of the account. */
  operator: number
  /** A listing fails, or is unknown. */
  listFails: number
  /** A destroy fails, or is accepted and forgotten. */
  destroyFails: number
  /** A pod is left out for a moment by a listing that calls itself complete, and by a direct look: replicas that lag. */
  omits: number
  /** A pod never comes up. */
  stillborn: number
  /** A pod vanishes some time after it was made. */
  vanishes: number
  /** A connection is lost some time after it was made. */
  linkLost: number
  /** The executor fails the attempt with a fault of each of these kinds. */
  podFault: number
  transientFault: number
  jobFault: number
  operatorFault: number
  /** A cancelled prompt does not stop. */
  cancelIgnored: number
  publishFails: number
}

export const GOOD_WEATHER: Weather = {
  createUnclear: 0,
  createFails: 0,
  capacity: 0,
  operator: 0,
  listFails: 0,
  destroyFails: 0,
  omits: 0,
  stillborn: 0,
  vanishes: 0,
  linkLost: 0,
  podFault: 0,
  transientFault: 0,
  jobFault: 0,
  operatorFault: 0,
  cancelIgnored: 0,
  publishFails: 0,
}

export type Prompt = {
  id: string
  jobId: string
  doneAt: number
  state: 'running' | 'done' | 'interrupted'
  runs: number
}

export type CloudPod = {
  ref: string
  name: string
  ours: boolean
  perHour: number
  createdAt: number
  listedFrom: number
  runningAt: number
  comfyAt: number
  /** It works until then; null = as long as it is wanted. */
  vanishesAt: number | null
  stopped: boolean
  destroyedAt: number | null
  /** A destroyed pod stays in listings until then. */
  listedUntil: number
  /** Nobody is told of it, although it lives. */
  hidden: { from: number; until: number; alsoFromLooks: boolean } | null
  prompts: Map<string, Prompt>
}

export const PER_HOUR = 400_000
/** Short beside the real 20 s and 90 s, in the same order: a world is over in a virtual minute or two. */
export const SETTLE_MS = 4_000
export const CREATE_MAX_MS = 8_000
export const POLL_MS = 500

export type Cloud = {
  pods: Map<string, CloudPod>
  weather: Weather
  /** Set by scenarios: refuse every creation until then. */
  capacityFrom: number
  /** No listing is complete until then. */
  listingFrom: number
  alive(pod: CloudPod): boolean
  offers(want: Want): Promise<never[] | ReturnType<typeof offer>[]>
  create(name: string, boot: Boot, lookFirst: boolean): Promise<{ ref: string; perHour: number }>
  list(): Promise<Listing>
  look(ref: string): Promise<PodRow | null>
  destroy(ref: string): Promise<void>
  pause(ref: string, stopped: boolean): Promise<void>
  billed(pod: CloudPod): number
}

export function fault(kind: FaultKind, code: string, message = code.replaceAll('_', ' ')): Fault {
  return new Fault({ kind, code, message })
}

function offer() {
  return {
    provider: 'sim',
    gpuType: 'SIM GPU',
    gpuName: 'SIM',
    gpuCount: 1,
    vramGb: 24,
    cloud: 'secure' as const,
    region: null,
    perHour: PER_HOUR,
    stock: 'high' as const,
  }
}

export function createCloud(chance: Chance, clock: VirtualClock, weather: Weather): Cloud {
  const pods = new Map<string, CloudPod>()
  const latency = () => clock.sleep(chance.between(20, 400))
  const alive = (pod: CloudPod) => pod.destroyedAt === null && (pod.vanishesAt === null || clock.now() < pod.vanishesAt)
  const listed = (pod: CloudPod) =>
    clock.now() >= pod.listedFrom &&
    !isHidden(pod, false) &&
    (alive(pod) || clock.now() < Math.max(pod.listedUntil, pod.vanishesAt ?? Number.NEGATIVE_INFINITY))
  const rowOf = (pod: CloudPod): PodRow => {
    const running = alive(pod) && clock.now() >= pod.runningAt
    return {
      ref: pod.ref,
      name: pod.name,
      status: !alive(pod) ? 'terminated' : pod.stopped ? 'stopped' : running ? 'running' : 'starting',
      gpuType: 'SIM GPU',
      gpuCount: 1,
      perHour: pod.perHour,
      address: running && !pod.stopped ? { host: pod.ref, port: 22, user: 'root' } : null,
      createdAt: pod.createdAt,
    }
  }
  /** Shorter than the settling time for both ways of asking, or longer for listings alone: either is survived by the rule of the house. */
  const hide = (pod: CloudPod, from: number, alsoFromLooks: boolean) => {
    const ms = alsoFromLooks ? chance.between(500, SETTLE_MS - POLL_MS * 4) : chance.between(SETTLE_MS, SETTLE_MS * 3)
    pod.hidden = { from, until: from + ms, alsoFromLooks }
  }
  const isHidden = ({ hidden }: CloudPod, looked: boolean) =>
    hidden !== null && clock.now() >= hidden.from && clock.now() < hidden.until && (!looked || hidden.alsoFromLooks)
  const make = (name: string, ours: boolean): CloudPod => {
    const at = clock.now()
    const stillborn = ours && chance.happens(weather.stillborn)
    const runningAt = at + chance.between(300, 3000)
    const pod: CloudPod = {
      ref: `ref-${pods.size + 1}`,
      name,
      ours,
      perHour: PER_HOUR,
      createdAt: at,
      listedFrom: at + (ours ? chance.between(0, 1500) : 0),
      runningAt,
      comfyAt: stillborn ? Number.POSITIVE_INFINITY : runningAt + chance.between(500, 4000),
      vanishesAt: ours && chance.happens(weather.vanishes) ? at + chance.between(1000, 40_000) : null,
      stopped: false,
      destroyedAt: null,
      listedUntil: 0,
      hidden: null,
      prompts: new Map(),
    }
    if (ours && chance.happens(weather.omits)) hide(pod, at + chance.between(2000, 20_000), true)
    pods.set(pod.ref, pod)
    return pod
  }
  make('somebody-else', false)
  const named = (name: string) => [...pods.values()].find(pod => pod.name === name && alive(pod))
  const cloud: Cloud = {
    pods,
    weather,
    capacityFrom: BEGINNING,
    listingFrom: BEGINNING,
    alive,
    async offers() {
      await latency()
      return [offer()]
    },
    async create(name, _boot, lookFirst) {
      await latency()
      if (chance.happens(weather.operator)) throw fault('operator', 'key_refused')
      if (lookFirst) {
        const known = named(name)
        if (known) return { ref: known.ref, perHour: known.perHour }
      }
      if (clock.now() < cloud.capacityFrom || chance.happens(weather.capacity)) throw fault('capacity', 'sold_out')
      if (chance.happens(weather.createFails)) throw fault('transient', 'provider_busy')
      // The provider works on it for a while, whether or not who asked still lives.
      await clock.sleep(chance.between(100, 2500))
      const pod = make(name, true)
      if (chance.happens(weather.createUnclear)) throw fault('transient', 'answer_lost')
      await latency()
      return { ref: pod.ref, perHour: pod.perHour }
    },
    async list() {
      await latency()
      if (clock.now() < cloud.listingFrom) return { known: false, why: 'the listing is away' }
      if (chance.happens(weather.listFails)) {
        if (chance.happens(0.5)) throw fault('transient', 'provider_busy')
        return { known: false, why: 'a short page' }
      }
      const answer: Listing = { known: true, pods: [...pods.values()].filter(listed).map(rowOf) }
      await latency()
      return answer
    },
    async look(ref) {
      await latency()
      const pod = pods.get(ref)
      return pod && alive(pod) && !isHidden(pod, true) ? rowOf(pod) : null
    },
    async destroy(ref) {
      await latency()
      const pod = pods.get(ref)
      if (!pod) return
      if (!pod.ours) throw new Error(`bug: a foreign pod is destroyed: ${pod.name}`)
      if (chance.happens(weather.destroyFails)) {
        if (chance.happens(0.5)) throw fault('transient', 'provider_busy')
        if (chance.happens(weather.omits)) hide(pod, clock.now(), chance.happens(0.5))
        return
      }
      if (alive(pod)) {
        pod.destroyedAt = clock.now()
        pod.listedUntil = clock.now() + chance.between(0, 2000)
      }
      await latency()
    },
    async pause(ref, stopped) {
      await latency()
      const pod = pods.get(ref)
      if (!pod || !alive(pod)) throw fault('pod', 'pod_gone')
      pod.stopped = stopped
      // ComfyUI's queue is in memory.
      if (stopped) pod.prompts.clear()
      if (!stopped) Object.assign(pod, { runningAt: clock.now() + 500, comfyAt: clock.now() + 1500 })
    },
    billed(pod) {
      const ends = [pod.destroyedAt, pod.vanishesAt, clock.now()].filter(at => at !== null)
      return accrue(pod.perHour, Math.min(...ends) - pod.createdAt)
    },
  }
  return cloud
}
