// The promises of the house that need the world to compare with: bills, files, ports, and pods that live. Those of the journal alone
// are in src/domain/invariants.ts.
import type { Event } from '../../src/domain/event.ts'
import { apply, emptyFleet, type Fleet } from '../../src/domain/fleet.ts'
import { isSettled, liveAttempt } from '../../src/domain/job.ts'
import { mayBill, type Pod, podCost } from '../../src/domain/pod.ts'
import type { Run } from '../../src/domain/run.ts'
import { accrue } from '../../src/domain/units.ts'
import type { CloudPod } from './cloud.ts'
import { isSaved } from './lease.ts'
import { FILES } from './pod.ts'
import type { World } from './world.ts'

/** Dear enough for the time it takes to notice a limit and to prove a pod gone. */
const OVERSPEND_MAX = 50_000

/** An engine that died in between heeds it after it is back. */
const HEED_MS = 2_000

export type Promises = {
  /** After `event` was folded into the world's fleet. */
  check(event: Event): void
  /** A name is about to be rented, or a prompt submitted: the journal must know. */
  renting(name: string): void
  submitting(task: { runId: string; jobId: string; promptId: string; freeFirst: boolean }): void
  atRest(): void
}

export function createPromises(world: World): Promises {
  const { fleet, cloud, forbid, wall } = world
  const ports = new Map<string, number>()
  /** What a person asked for, as it was said, not as the fleet took it. */
  const cancelled = new Set<string>()
  const drained = new Set<string>()
  /** A person may start more pods than the run would, and after its end. */
  const startedByHand = new Set<string>()
  /** Hosts that broke a pod, with the moment; pods whose host was told, with the moment. */
  const failedHosts = new Map<string, number>()
  const placedAt = new Map<string, number>()
  /** When silence could be counted from at the earliest: an engine began to look, a link came back, a person asked to wait. */
  const countsFrom = new Map<string, number>()
  const posted = new Set<string>()
  const realOf = (pod: Pod): CloudPod | null => {
    if (pod.ref) return cloud.pods.get(pod.ref) ?? null
    for (const real of cloud.pods.values()) if (real.name === pod.name && cloud.alive(real)) return real
    return null
  }

  const isTwin = (real: CloudPod) => [...cloud.pods.values()].some(other => other !== real && other.name === real.name)

  function check(event: Event): void {
    if (startedByHand.size === 0) for (const run of fleet.runs.values()) withinLimit(run)
    switch (event.type) {
      case 'job.cancel_requested':
        if (fleet.jobs.get(event.jobKey)?.status === 'waiting') cancelled.add(event.jobKey)
        return
      case 'job.retry_requested':
        cancelled.delete(event.jobKey)
        return
      case 'pod.drain_requested':
        drained.add(event.podId)
        return
      case 'job.failed':
        // What a poison job did is not held against its hosts.
        if (event.fault.code === 'poison') failedHosts.clear()
        priced(event)
        return
      case 'pod.start_requested':
        startedByHand.add(event.podId)
        return
      case 'pod.gone':
      case 'pod.refused': {
        const pod = fleet.pods.get(event.podId) as Pod
        const real = realOf(pod)
        if (real && cloud.alive(real)) forbid(`${pod.id} is ${pod.status} and lives as ${real.ref}`)
        return
      }
      case 'pod.placed':
        placedAt.set(event.podId, world.clock.now())
        return
      case 'pod.ready':
        landed(fleet.pods.get(event.podId) as Pod)
        return
      case 'pod.broken': {
        const pod = fleet.pods.get(event.podId) as Pod
        const isBlamed =
          ['gpu_missing', 'cuda_error'].includes(event.fault.code) && !fleet.providers.get('sim')?.operator
        if (pod.hostId && isBlamed && !failedHosts.has(pod.hostId)) failedHosts.set(pod.hostId, world.clock.now())
        const real = realOf(pod)
        if (event.fault.code === 'pod_vanished' && real && cloud.alive(real))
          forbid(`${pod.id} is believed gone and lives as ${real.ref}`)
        return
      }
      case 'pod.stopped': {
        const real = realOf(fleet.pods.get(event.podId) as Pod)
        if (real && cloud.running(real)) forbid(`${event.podId} is stopped and runs as ${real.ref}`)
        return
      }
      case 'pod.port_held': {
        if (cloud.weather.portTaken > 0) return
        const before = ports.get(event.podId)
        if (before !== undefined && before !== event.localPort)
          forbid(`${event.podId} moved from port ${before} to ${event.localPort}`)
        for (const other of fleet.pods.values())
          if (
            other.id !== event.podId &&
            other.localPort === event.localPort &&
            other.status === 'ready' &&
            !other.broken
          )
            forbid(`port ${event.localPort} leads to ${event.podId} and ${other.id}`)
        ports.set(event.podId, event.localPort)
        return
      }
      case 'pod.requested':
        affordable(event.runId, event.at)
        return
      case 'attempt.requested':
        tried(event)
        affordable(fleet.jobs.get(event.jobKey)?.runId ?? '', event.at)
        return
      case 'engine.started':
        countsFrom.set('engine', world.clock.now())
        return
      case 'pod.link_restored':
        countsFrom.set(event.podId, world.clock.now())
        return
      case 'attempt.wait_requested':
        countsFrom.set(`${event.jobKey} ${event.attempt}`, world.clock.now())
        return
      case 'attempt.stuck_step':
        acted(event)
        return
      case 'attempt.failed':
      case 'attempt.cancelled':
        patient(event.jobKey, event.attempt)
        return
      case 'artifact.stored':
        if (world.shelf.get(event.artifact.key) !== event.artifact.sha256)
          forbid(`${event.artifact.key} is in the journal and not in the bucket`)
        return
      case 'job.completed':
        completed(event)
        return
    }
  }

  /** Known for a while to lie on a host that had failed, and not one of many in a row: it should have gone back. */
  function landed(pod: Pod): void {
    const since = Math.max(placedAt.get(pod.id) ?? Infinity, failedHosts.get(pod.hostId ?? '') ?? Infinity)
    let avoided = 0
    for (const other of fleet.pods.values()) {
      if (other === pod) break
      if (other.runId === pod.runId) avoided = other.hostAvoided ? avoided + 1 : other.readyAt === null ? avoided : 0
    }
    const isTaken = avoided >= world.limits.hostAvoidTries
    if (world.clock.now() - since > HEED_MS && !isTaken && !startedByHand.has(pod.id))
      forbid(`${pod.id} is used on ${pod.hostId}, which failed`)
  }

  /** Want of capacity is not what ends a job that no offer was cheap enough for, nor the other way round. */
  function priced({ jobKey, fault }: Extract<Event, { type: 'job.failed' }>): void {
    const run = fleet.runs.get(fleet.jobs.get(jobKey)?.runId ?? '')
    const max = run?.policy.perHourMax ?? Infinity
    const above = fleet.jobs.get(jobKey)?.vramGbAbove ?? 0
    const isPoor = cloud.market.every(({ perHour, vramGb }) => perHour > max || vramGb <= above)
    if (fault.code === 'no_capacity' && isPoor && cloud.weather.offersFail === 0)
      forbid(`${jobKey} waited for capacity, and every offer is above its limit`)
    if (fault.code !== 'hourly_limit') return
    if (!isPoor && cloud.weather.priceMoves === 0) forbid(`${jobKey} failed for the hourly limit, which an offer keeps`)
    for (const pod of fleet.pods.values())
      if (pod.runId === run?.id && mayBill(pod) && pod.status !== 'stopped')
        forbid(`${jobKey} failed for the hourly limit while ${pod.id} may still take it`)
  }

  /** Pods that live at the provider, whatever is known of them. */
  function withinLimit(run: Run): void {
    const prefix = `autopod-simhome8-${run.id.slice(-8)}-`
    const isOn = (real: CloudPod) => real.ours && !real.stopped && cloud.alive(real) && real.name.startsWith(prefix)
    let most = 0
    for (const real of cloud.pods.values()) if (isOn(real)) most++
    if (most <= run.policy.podsMax) return
    // One name made twice by the provider is nobody's order; it is ended as soon as it is seen.
    const living = new Set<string>()
    // Seed 270 of the budget worlds: it may land when the first of that name is gone and its place was given away.
    const over = new Map<string, string | null>()
    for (const { name, ref, status } of fleet.pods.values()) if (status === 'gone') over.set(name, ref)
    const isTwin = ({ name, ref }: CloudPod) => over.has(name) && over.get(name) !== ref
    for (const real of cloud.pods.values()) if (isOn(real) && !isTwin(real)) living.add(real.name)
    if (living.size > run.policy.podsMax)
      forbid(`${living.size} pods live at the provider, ${run.policy.podsMax} are allowed`)
  }

  /** Whatever is begun, the cap pays for what is under way as well: each job as short as any was, each pod ended in half the usual time. */
  function affordable(runId: string, at: number): void {
    const run = fleet.runs.get(runId)
    if (!run || run.policy.costMax === null) return
    let need = 0
    for (const pod of fleet.pods.values()) {
      if (pod.runId !== runId) continue
      need += podCost(pod, at)
      const { perHour } = pod.meters.at(-1) ?? pod.offer
      const job = pod.jobKey ? fleet.jobs.get(pod.jobKey) : undefined
      const attempt = job && liveAttempt(job)
      const shortest = job ? Math.min(...(fleet.took.get(`job|${job.spec.template}`) ?? [0])) : 0
      const restMs = attempt ? Math.max(0, shortest - (at - attempt.requestedAt)) : 0
      if (mayBill(pod)) need += accrue(perHour, restMs + (pod.status === 'releasing' ? 0 : world.limits.teardownMs / 2))
    }
    if (need > run.policy.costMax)
      forbid(`${run.policy.costMax} are allowed, ${need} will be needed, and more is begun`)
  }

  function tried({ jobKey, podId, at }: Extract<Event, { type: 'attempt.requested' }>): void {
    if (cancelled.has(jobKey)) forbid(`${jobKey} starts although it was cancelled while it waited`)
    if (drained.has(podId)) forbid(`${podId} takes ${jobKey} although it drains`)
    const job = fleet.jobs.get(jobKey)
    if (!job) return
    if (job.attempts.at(-2)?.status === 'succeeded' && world.changedJob !== job.spec.jobId)
      forbid(`${jobKey} is done again although its outputs are stored`)
    if (job.dueAt > at) forbid(`${jobKey} starts ${job.dueAt - at} ms before it is due`)
    for (const before of job.attempts)
      if (before.requestedAt >= job.openedAt && before.fault?.kind === 'pod' && before.fault.code !== 'pod_killed')
        if (isSaved(world, before)) forbid(`${jobKey} is done again although its outputs were saved`)
    const lost = job.attempts.filter(
      ({ requestedAt, fault }) => requestedAt >= job.openedAt && fault?.kind === 'transient',
    )
    if (lost.length >= world.limits.transientTries) forbid(`${jobKey} is tried again after ${lost.length} lost tries`)
  }

  /** Only what hangs is acted upon, and not while a person wants to wait. */
  function acted({ jobKey, attempt: number, step }: Extract<Event, { type: 'attempt.stuck_step' }>): void {
    const attempt = fleet.jobs.get(jobKey)?.attempts[number - 1]
    if (!attempt || step === 'free') return
    const now = world.clock.now()
    const prompt = world.prompts.get(attempt.promptId)
    // What shows itself on the GPU alone, where nobody sees the GPU, cannot be told from what hangs.
    const isUnseen = cloud.weather.blind > 0 && prompt?.life.every(sign => sign === 'gpu')
    if (!prompt || (!isUnseen && now - prompt.hangsAt < world.limits.stuckActMs / 2))
      forbid(`${jobKey} is at work, and it comes to ${step}`)
    const isFirst = attempt.stalls.at(-1)?.steps.length === 1
    const askedAt = countsFrom.get(`${jobKey} ${number}`)
    if (isFirst && askedAt !== undefined && now - askedAt < world.limits.stuckActMs - 1000)
      forbid(`${jobKey} is to be waited for, and it comes to ${step}`)
  }

  /** A prompt that hangs is not left to itself. */
  function patient(jobKey: string, number: number): void {
    const attempt = fleet.jobs.get(jobKey)?.attempts[number - 1]
    const prompt = attempt && world.prompts.get(attempt.promptId)
    // Over a lost link nobody can look or help; how long that may last is the link's own limit.
    if (!prompt || fleet.pods.get(attempt.podId)?.linkLostAt) return
    const { stuckActMs, stuckBusyActMs, stuckLookMs, cancelMs, comfyStartMs, linkLostMs } = world.limits
    const actMs = cloud.weather.blind > 0 ? stuckBusyActMs : stuckActMs
    const marks = ['engine', attempt.podId, `${jobKey} ${number}`].map(key => countsFrom.get(key) ?? 0)
    const hungMs = world.clock.now() - Math.max(prompt.hangsAt, ...marks) - world.sleptMs
    const steps = cancelMs * 2 + comfyStartMs * 2
    const slack = linkLostMs + stuckLookMs * 4 + 5000
    if (hungMs > actMs + steps + slack) forbid(`${jobKey} hung for ${hungMs} ms`)
  }

  function completed({ jobKey, published }: Extract<Event, { type: 'job.completed' }>): void {
    if (fleet.jobs.get(jobKey)?.attempts.at(-1)?.artifacts.length !== FILES)
      forbid(`${jobKey} is completed without its ${FILES} files`)
    for (const { path, sha256 } of published)
      if (world.targets.get(path ?? '') !== sha256) forbid(`${jobKey}: ${path} is not at its target`)
  }

  /** Processes read the time at least once a second; what a clock that is set back hides is no longer than that, once for each time. */
  function slackOf(perHour: number): number {
    return (
      Math.ceil((perHour / 3600) * world.setBacks * 1.5) +
      (wall.backMs() > 0 && world.crashes + world.handOvers > 0 ? Math.ceil((perHour / 3_600_000) * wall.backMs()) : 0)
    )
  }

  function atRest(): void {
    for (const job of fleet.jobs.values()) if (!isSettled(job)) forbid(`${job.key} is ${job.status} at the end`)
    for (const run of fleet.runs.values()) {
      if (run.status === 'running') forbid(`${run.id} is still open at the end`)
      let spent = 0
      let pods = 0
      for (const pod of fleet.pods.values())
        if (pod.runId === run.id) {
          spent += podCost(pod, pod.goneAt ?? run.closedAt ?? fleet.at)
          pods++
        }
      const { costMax } = run.policy
      if (costMax !== null && spent > costMax + pods * OVERSPEND_MAX)
        forbid(`${spent} is spent, ${costMax} are allowed`)
    }
    const known = new Map([...fleet.pods.values()].map(pod => [pod.ref, pod]))
    for (const real of cloud.pods.values()) {
      if (!real.ours) {
        if (!cloud.alive(real)) forbid('a foreign pod is gone')
        continue
      }
      const pod = known.get(real.ref)
      // Somebody wants it: stopped by hand, or kept at the end of its run.
      const isWanted = pod && (fleet.runs.get(pod.runId)?.policy.keep || startedByHand.has(pod.id))
      const isKept = pod?.status === 'stopped' || (pod?.status === 'ready' && isWanted)
      if (cloud.alive(real) && !isKept) forbid(`${real.name} (${real.ref}) is still billed at the end`)
      // What went by itself before anybody could look was never seen by anyone.
      // Made twice, unreached, and gone by its own lease before anybody could look: only the provider's bill tells.
      const isMute = real.parting && (isTwin(real) || world.saved.get(real.name)?.podId !== real.ref)
      if (!pod && real.destroyedAt !== null && !isMute) forbid(`${real.name} (${real.ref}) lived and is in no account`)
      if (!pod) continue
      // Its price went with it: only its own last words told that it had lived.
      if (real.parting && (pod.createdAt ?? 0) > (real.destroyedAt ?? 0)) continue
      // The meter of a pod that is kept goes on, whatever the clock was set to.
      const accounted = podCost(pod, world.clock.now())
      // Each stretch of the bill is rounded up on its own.
      const billed = cloud.billed(real) - real.rates.length - slackOf(real.perHour)
      if (accounted < billed) forbid(`${pod.id} is accounted at ${accounted} and was billed ${cloud.billed(real)}`)
    }
    const again = emptyFleet()
    for (const event of JSON.parse(JSON.stringify(world.events))) apply(again, event)
    if (!same(again, fleet)) forbid('the journal folded again gives another fleet')
  }

  return {
    check,
    renting(name) {
      for (const pod of fleet.pods.values()) if (pod.name === name) return
      forbid(`${name} is rented before the journal knows of it`)
    },
    submitting({ runId, jobId, promptId, freeFirst }) {
      const job = fleet.jobs.get(`${runId}/${jobId}`)
      const live = job && liveAttempt(job)
      if (live?.promptId !== promptId) forbid(`${jobId} is submitted as ${promptId}, which the journal lacks`)
      if (live && live.freeFirst !== freeFirst) forbid(`${jobId} is submitted into memory that was to be freed`)
      if (posted.has(promptId) && live?.status === 'started')
        forbid(`${jobId} is submitted as ${promptId} a second time`)
      posted.add(promptId)
    },
    atRest,
  }
}

/** The same is known; a provider of which nothing is said is as good as none. */
export function same(one: Fleet, other: Fleet): boolean {
  return equal(said(one), said(other))
}

function said(fleet: Fleet): Fleet {
  const providers = [...fleet.providers].filter(([, state]) => Object.values(state).some(value => value !== null))
  return { ...fleet, providers: new Map(providers) }
}

/** Equal in all their parts, Maps also in their order. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Map || b instanceof Map) return a instanceof Map && b instanceof Map && equal([...a], [...b])
  if (Array.isArray(a) || Array.isArray(b))
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, at) => equal(one, b[at]))
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(key => equal(a[key as keyof typeof a], b[key as keyof typeof b]))
}
