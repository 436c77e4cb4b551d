// The simulated provider itself: an account, its pods, volumes and bills, as functions over a state and the time.
// Pure and seeded: chance is a number in the state, time comes in, every function gives back the next state. Who runs
// it (the sandbox behind sockets, or a simulation in virtual time) obeys what it decides and adds nothing.
//
//   create ─▶ RUNNING: placing ─▶ addressed ─▶ sshd ─▶ ready        stop, host, empty balance ─▶ EXITED ─▶ start
//   terminate (from anywhere) ─▶ TERMINATED: kept only while a lagging list still shows it, then forgotten
//
// The meter runs from the create request until stop or terminate. Left out: spot, clusters, serverless, zero-GPU starts.
import { billed, hourly, storageRate, turn } from './bills.ts'
import { cpuKind, machineOf } from './catalog.ts'
import { type Dice, diceFrom, failureAsked, type PromptFailure } from './faults.ts'
import { place } from './placing.ts'
import {
  type Cloud,
  type Mounts,
  type Order,
  type Pod,
  type Refusal,
  refused,
  type Settings,
  type Stage,
  type Trouble,
} from './state.ts'

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'
const newId = (dice: Dice, taken: Record<string, unknown>, length: number): string => {
  for (;;) {
    const id = dice.text(length, alphabet)
    if (!Object.hasOwn(taken, id)) return id
  }
}
const diceOf = (cloud: Cloud) => diceFrom(cloud.dice, cloud.settings.faults)

// Texts as recorded from the live service in August 2026.
const hostFull = 'There are not enough free GPUs on the host machine to start this pod.'
const noMoney = 'Your account balance is too low to rent a pod. Please add funds to your account.'

/** What is left of the account's money at `nowMs`, in micro-dollars; may be a little below zero. */
export function balance(cloud: Cloud, nowMs: number): number {
  let spent = 0
  for (const bill of Object.values(cloud.bills)) spent += billed(bill, nowMs).total
  for (const bill of Object.values(cloud.volumeBills)) spent += billed(bill, nowMs).total
  return cloud.fundsMicro - spent
}
/** Pays in when less than a fifth of the first balance is left, so that play money never ends a sandbox for good. */
export function topUp(cloud: Cloud, nowMs: number): Cloud {
  const missing = cloud.settings.balanceMicro - balance(cloud, nowMs)
  return missing > cloud.settings.balanceMicro * 0.8 ? { ...cloud, fundsMicro: cloud.fundsMicro + missing } : cloud
}
/** What everything running takes now, in micro-dollars an hour. */
export const spend = (cloud: Cloud): number =>
  hourly([...Object.values(cloud.bills), ...Object.values(cloud.volumeBills)])

/** How far a pod's container has come by `nowMs`. A stopped pod is `placing`. */
export function stageOf(pod: Pod, nowMs: number, { addressMs, sshdMs, comfyMs }: Settings): Stage {
  const ageMs = nowMs - pod.startedAtMs
  if (pod.status !== 'RUNNING' || pod.fate === 'never-boots' || ageMs < addressMs) return 'placing'
  if (pod.fate === 'no-sshd' || ageMs < sshdMs) return 'addressed'
  return ageMs < comfyMs ? 'sshd' : 'ready'
}

const persistentGb = (pod: Pod) => pod.mounts.persistent?.size ?? 0
/** Container disk is not charged here (RunPod: $0.10 a GB and month), so that price × time is the whole bill of a plain pod. */
const runningRates = (pod: Pod) => ({
  gpu: pod.gpu ? pod.microPerHour : 0,
  cpu: pod.cpu ? pod.microPerHour : 0,
  disk: storageRate(persistentGb(pod), 100_000),
})
// A volume disk costs twice as much while the pod is stopped (RunPod documentation, 2026-08).
const stoppedRates = (pod: Pod) =>
  persistentGb(pod) ? { gpu: 0, cpu: 0, disk: storageRate(persistentGb(pod), 200_000) } : null

function troublesOf(dice: Dice, readyMs: number, fate: Pod['fate']): Trouble[] {
  const troubles: Trouble[] = []
  const after = (what: Trouble['what'], withinMs: number) =>
    troubles.push({ what, atMs: Math.round(readyMs + dice.roll() * withinMs) })
  if (dice.happens('ssh-cut')) after('ssh-cut', 10_000)
  if (dice.happens('comfy-crash')) after('comfy-crash', 15_000)
  if (dice.happens('preempt')) after('exit', 30_000)
  if (fate === 'dies-early') troubles.push({ what: 'exit', atMs: readyMs })
  return troubles
}
const portsOf = (dice: Dice, ports: string[]): Record<string, number> =>
  Object.fromEntries(
    ports
      .filter(port => port.endsWith('/tcp'))
      .map(port => [port.slice(0, -4), 20_000 + Math.floor(dice.roll() * 12_000)]),
  )

/** `lost`: the answer does not say what happened; `made` may be a pod all the same, and it is billed. */
export type Creation =
  | { kind: 'created'; pod: Pod }
  | { kind: 'lost'; how: 'error' | 'silence'; made: Pod | null }
  | Refusal

/** Rents a pod. Refuses for lack of money or capacity with the live service's texts. */
export function create(cloud: Cloud, nowMs: number, order: Order): [Cloud, Creation] {
  const dice = diceOf(cloud)
  const outcome = (creation: Creation): [Cloud, Creation] => [{ ...cloud, dice: dice.state() }, creation]
  if (dice.happens('create-500-none')) return outcome({ kind: 'lost', how: 'error', made: null })
  const placed = place(cloud, dice, order)
  if (placed.kind === 'refused') return outcome(placed)
  // RunPod asks for an hour's price in the balance (documentation, 2026-08).
  if (balance(cloud, nowMs) < placed.micro) return outcome(refused(402, noMoney))
  if (spend(cloud) + placed.micro > cloud.settings.spendLimitMicro)
    return outcome(refused(400, 'Renting this pod would put you over your current spending limit ($80.00/hr).'))

  const { dataCenterIds: _, gpu, cpu, ...rest } = order
  const id = newId(dice, cloud.bills, 14)
  const lag = (name: 'list-lag' | 'get-404-fresh') =>
    nowMs + (dice.happens(name) ? Math.floor(dice.roll() * cloud.settings.lagMaxMs) : 0)
  const pod: Pod = {
    ...rest,
    id,
    hostId: `${id}-${dice.text(8, '0123456789abcdef')}`,
    key: `rpa_${dice.text(40, alphabet.toUpperCase())}`,
    gpu: gpu && { id: gpu.id, count: gpu.count ?? 1 },
    cpu: cpu && { ...cpu, memory: Math.round(cpu.vcpuCount * (cpuKind(cpu.id)?.ramGb ?? 2)) },
    status: 'RUNNING',
    // Never the first: that is the bad one, where there is one. Of the id, so that no die is thrown for it.
    machineId: machineOf(order.gpu?.id, 1 + (Number.parseInt(id, 36) % 3)),
    dataCenterId: placed.dataCenterId,
    cudaVersion: placed.cudaVersion,
    microPerHour: placed.micro,
    createdAtMs: nowMs,
    startedAtMs: nowMs,
    container: 1,
    disks: 1,
    locked: false,
    fate: placed.fate,
    troubles: troublesOf(dice, nowMs + cloud.settings.comfyMs, placed.fate),
    publicPorts: portsOf(dice, order.ports),
    readableFromMs: lag('get-404-fresh'),
    listedFromMs: lag('list-lag'),
    listedUntilMs: null,
  }
  if (dice.happens('bad-host')) Object.assign(pod, { machineId: machineOf(pod.gpu?.id, 0), fate: 'no-sshd' })
  const bill = turn({ id, name: pod.name, meters: [] }, nowMs, runningRates(pod))
  const creation: Creation = dice.happens('create-500')
    ? { kind: 'lost', how: 'error', made: pod }
    : dice.happens('create-timeout')
      ? { kind: 'lost', how: 'silence', made: pod }
      : { kind: 'created', pod }
  const pods = { ...cloud.pods, [id]: pod }
  return [{ ...cloud, dice: dice.state(), pods, bills: { ...cloud.bills, [id]: bill } }, creation]
}

/** What a read of one pod shows: the pod, or null for 404. */
export function read(cloud: Cloud, nowMs: number, id: string): Pod | null {
  const pod = Object.hasOwn(cloud.pods, id) ? cloud.pods[id] : undefined
  return pod && pod.status !== 'TERMINATED' && nowMs >= pod.readableFromMs ? pod : null
}

/** What a listing shows, newest first; `malformed` asks for an answer that does not fit the published type. */
export function list(cloud: Cloud, nowMs: number): [Cloud, { kind: 'pods'; pods: Pod[] } | { kind: 'malformed' }] {
  const dice = diceOf(cloud)
  const malformed = dice.happens('list-malformed')
  const empty = dice.happens('list-empty')
  const next = { ...cloud, dice: dice.state() }
  if (malformed) return [next, { kind: 'malformed' }]
  const shown = (pod: Pod) => nowMs >= pod.listedFromMs && (pod.listedUntilMs === null || nowMs < pod.listedUntilMs)
  const pods = Object.values(cloud.pods).filter(pod => !empty && shown(pod))
  return [next, { kind: 'pods', pods: pods.sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? -1 : 1)) }]
}

const withPod = (cloud: Cloud, pod: Pod): Cloud => ({ ...cloud, pods: { ...cloud.pods, [pod.id]: pod } })
const withMeter = (cloud: Cloud, id: string, atMs: number, next: Parameters<typeof turn>[2]): Cloud => {
  const bill = cloud.bills[id]
  return bill ? { ...cloud, bills: { ...cloud.bills, [id]: turn(bill, atMs, next) } } : cloud
}

function exit(cloud: Cloud, pod: Pod, atMs: number): Cloud {
  const exited: Pod = { ...pod, status: 'EXITED', troubles: [], disks: pod.disks + 1 }
  return withMeter(withPod(cloud, exited), pod.id, atMs, stoppedRates(pod))
}

/** Ends a pod; a lagging list goes on showing it for a while. Its bill stays. */
function end(cloud: Cloud, pod: Pod, atMs: number): Cloud {
  const dice = diceOf(cloud)
  const lagMs = dice.happens('list-lag') ? Math.floor(dice.roll() * cloud.settings.lagMaxMs) : 0
  const ended: Pod = { ...pod, status: 'TERMINATED', troubles: [], listedUntilMs: atMs + lagMs }
  return forget(withMeter(withPod({ ...cloud, dice: dice.state() }, ended), pod.id, atMs, null), atMs)
}
function forget(cloud: Cloud, nowMs: number): Cloud {
  const kept = Object.entries(cloud.pods).filter(([, pod]) => pod.listedUntilMs === null || nowMs < pod.listedUntilMs)
  return kept.length === Object.keys(cloud.pods).length ? cloud : { ...cloud, pods: Object.fromEntries(kept) }
}

export type Action = 'start' | 'stop' | 'restart' | 'terminate'
/** The actions a pod allows now, as the published `actions` field lists them. */
export const actionsOf = (pod: Pod): Action[] =>
  pod.status === 'RUNNING' ? ['stop', 'restart', 'terminate'] : pod.status === 'EXITED' ? ['start', 'terminate'] : []

/** Starts, stops, restarts or terminates. `done` with a null pod after terminate, which a faulty cloud may only claim. */
export function act(
  cloud: Cloud,
  nowMs: number,
  id: string,
  action: Action,
): [Cloud, { kind: 'done'; pod: Pod | null } | Refusal] {
  const pod = read(cloud, Number.POSITIVE_INFINITY, id)
  if (!pod) return [cloud, refused(404, 'pod not found')]
  if (!actionsOf(pod).includes(action)) return [cloud, refused(409, `cannot ${action} a pod that is ${pod.status}`)]
  if (pod.locked && action !== 'start' && action !== 'terminate')
    return [cloud, refused(409, `cannot ${action} a pod that is locked`)]
  const dice = diceOf(cloud)
  const done = (next: Cloud): [Cloud, { kind: 'done'; pod: Pod | null }] => [
    next,
    { kind: 'done', pod: next.pods[id] ?? null },
  ]
  switch (action) {
    case 'terminate': {
      const lies = dice.happens('terminate-lies')
      const rolled = { ...cloud, dice: dice.state() }
      return [lies ? rolled : end(rolled, pod, nowMs), { kind: 'done', pod: null }]
    }
    case 'stop':
      return done(exit(cloud, pod, nowMs))
    case 'restart':
      return done(restarted(cloud, pod, nowMs, false))
    case 'start': {
      if (balance(cloud, nowMs) < pod.microPerHour) return [cloud, refused(402, noMoney)]
      if (dice.happens('capacity')) return [{ ...cloud, dice: dice.state() }, refused(400, hostFull)]
      const started = restarted({ ...cloud, dice: dice.state() }, { ...pod, status: 'RUNNING' }, nowMs, false)
      return done(withMeter(started, id, nowMs, runningRates(pod)))
    }
  }
}

function restarted(cloud: Cloud, pod: Pod, nowMs: number, anew: boolean): Cloud {
  const dice = diceOf(cloud)
  const next: Pod = {
    ...pod,
    startedAtMs: nowMs,
    container: pod.container + 1,
    disks: pod.disks + (anew ? 1 : 0),
    troubles: troublesOf(dice, nowMs + cloud.settings.comfyMs, pod.fate),
    publicPorts: portsOf(dice, pod.ports),
  }
  return withPod({ ...cloud, dice: dice.state() }, next)
}

export type Change = Partial<
  Pick<
    Pod,
    'name' | 'image' | 'args' | 'disk' | 'env' | 'ports' | 'registry' | 'locked' | 'globalNetworking' | 'mounts'
  >
>
const containerFields = ['image', 'args', 'disk', 'env', 'ports', 'registry'] as const

/** Changes a pod; any container field makes the container anew, with an empty container disk. Kind and volume of mounts are fixed. */
export function change(
  cloud: Cloud,
  nowMs: number,
  id: string,
  changes: Change,
): [Cloud, { kind: 'done'; pod: Pod } | Refusal] {
  const pod = read(cloud, Number.POSITIVE_INFINITY, id)
  if (!pod) return [cloud, refused(404, 'pod not found')]
  const { mounts } = changes
  const same = (a: Mounts, b: Mounts) =>
    Boolean(a.persistent) === Boolean(b.persistent) && a.network?.[0]?.volumeId === b.network?.[0]?.volumeId
  if (mounts && !same(mounts, pod.mounts))
    return [cloud, refused(400, 'the kind and the volume of mounts cannot change')]
  const changed: Pod = { ...pod, ...changes }
  const anew = containerFields.some(field => changes[field] !== undefined)
  const running = pod.status === 'RUNNING'
  let next = withPod(cloud, changed)
  if (anew && running) next = restarted(cloud, changed, nowMs, true)
  if (mounts) next = withMeter(next, id, nowMs, running ? runningRates(changed) : stoppedRates(changed))
  return [next, { kind: 'done', pod: next.pods[id] ?? changed }]
}

/** Records the real ports of a pod's container, if that container is still the current one. */
export function readdress(cloud: Cloud, id: string, container: number, publicPorts: Record<string, number>): Cloud {
  const pod = cloud.pods[id]
  return pod?.container === container ? withPod(cloud, { ...pod, publicPorts }) : cloud
}

/** Starts every running pod's container again, as after a power cut of the whole cloud: folders stay, ports are new. */
export function resume(cloud: Cloud, nowMs: number): Cloud {
  const running = Object.values(cloud.pods).filter(pod => pod.status === 'RUNNING')
  return running.reduce((next, pod) => restarted(next, pod, nowMs, false), cloud)
}

/** The next moment at which something happens by itself, or null. `advance` at that moment makes it happen. */
export function due(cloud: Cloud, nowMs: number): number | null {
  const times = Object.values(cloud.pods).flatMap(pod => [
    ...pod.troubles.filter(trouble => trouble.what === 'exit').map(trouble => trouble.atMs),
    ...(pod.listedUntilMs === null ? [] : [pod.listedUntilMs]),
  ])
  const rate = spend(cloud)
  // Once the money is gone, only what still costs nothing more to keep is left: nothing is due.
  const running = Object.values(cloud.pods).some(pod => pod.status === 'RUNNING')
  if (rate > 0 && running) times.push(nowMs + Math.max(0, Math.ceil((balance(cloud, nowMs) * 3_600_000) / rate)))
  return times.length ? Math.min(...times) : null
}

/** Lets happen what is due by `nowMs`: hosts that end pods, an empty balance, lists that catch up. */
export function advance(cloud: Cloud, nowMs: number): Cloud {
  let next = forget(cloud, nowMs)
  for (const pod of Object.values(next.pods)) {
    const over = pod.troubles.find(trouble => trouble.what === 'exit' && trouble.atMs <= nowMs)
    if (over) next = exit(next, pod, over.atMs)
  }
  const running = Object.values(next.pods).filter(pod => pod.status === 'RUNNING')
  if (!running.length || balance(next, nowMs) > 0) return next
  // At $0 pods with a network volume are stopped, others terminated (RunPod documentation, 2026-08).
  for (const pod of running) next = pod.mounts.network ? exit(next, pod, nowMs) : end(next, pod, nowMs)
  return next
}

/** Whether a prompt with this tag fails now, by a job name such as `oom-2` in it, which counts over the whole cloud, or by chance. */
export function promptFate(cloud: Cloud, tag: string): [Cloud, PromptFailure | null] {
  const asked = failureAsked(tag)
  if (!asked) {
    const dice = diceOf(cloud)
    const how = dice.happens('hang') ? (dice.roll() < 0.5 ? 'stall' : 'hang') : null
    return [{ ...cloud, dice: dice.state() }, how]
  }
  const before = cloud.failed[asked.name] ?? 0
  if (before >= asked.times) return [cloud, null]
  return [{ ...cloud, failed: { ...cloud.failed, [asked.name]: before + 1 } }, asked.how]
}

/** Whether the service itself fails this request before anything is done: an HTTP status, or null. */
export function hiccup(cloud: Cloud): [Cloud, 429 | 502 | null] {
  const dice = diceOf(cloud)
  const status = dice.happens('429') ? 429 : dice.happens('5xx') ? 502 : null
  return [{ ...cloud, dice: dice.state() }, status]
}
