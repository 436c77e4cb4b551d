// A pod's way up: placed, address, SSH, GPU, ComfyUI; each stage with a plain reason when it does not come.
import type { Fact } from '../domain/event.ts'
import type { FaultData } from '../domain/fault.ts'
import { liveAttempt } from '../domain/job.ts'
import { jobOf, podOf } from '../domain/lookup.ts'
import { type Address, type Pod, STAGES, type Stage } from '../domain/pod.ts'
import { formatClock, type Millis } from '../domain/units.ts'
import type { Machine, PodRow, Tunnel } from '../ports.ts'
import { type Context, providerNamed } from './context.ts'
import type { Lease } from './lease.ts'
import { backOff, type Settled, settle, within } from './settle.ts'

/** Plain words for a pod that does not come up, by the stage it waits for. */
const WAITS: Record<Stage, string> = {
  placed: 'the provider has not placed it on a machine',
  address: 'it has no public address yet',
  ssh: 'its SSH server does not answer',
  gpu: 'nvidia-smi does not show its GPU',
  comfy: 'ComfyUI does not answer',
}

/** Slow disks and cold drivers take some seconds for the first call. */
const GPU_TIMEOUT_MS = 15_000
/** A listing that takes longer than this many polls is missing, not slow: quiet times have one every four. */
const BLIND_POLLS = 6

const GONE_AGAIN: FaultData = {
  kind: 'pod',
  code: 'comfy_gone',
  message: 'ComfyUI did not come back after it was started anew',
  hint: 'Its process ends at the start; autopod logs POD may say why. Another pod is tried.',
}

export type Up = { ok: true; machine: Machine } | { ok: false; fault: FaultData }

/** Through the stages until ComfyUI answers, or `deadline`; null when no longer wanted. */
export async function climb(
  context: Context,
  podId: string,
  tunnel: Tunnel,
  lease: Lease,
  deadline: Millis,
  signal: AbortSignal,
): Promise<Up | null> {
  const provider = providerNamed(context, podOf(context.journal.fleet, podId).provider)
  const { comfyGoneMs, comfyStartMs } = context.limits
  let until = deadline
  let isRestarted = false
  let stage: Stage = 'placed'
  let last: FaultData | null = null
  const wait = (next: Stage) => {
    stage = next
    context.gauges.pod(podId, { note: WAITS[next] })
  }
  wait('placed')
  for (let tries = 0; !signal.aborted; tries++) {
    if (context.clock.now() >= until) return { ok: false, fault: tooLate(context, podId, stage, last) }
    const askedAt = context.clock.now()
    const address = await addressOf(context, podId, tries, wait, signal)
    // While nobody could say where the pod is, its time stood still.
    until += Math.max(0, context.clock.now() - askedAt - provider.pollMs * BLIND_POLLS)
    if (!address) continue
    reached(context, podId, 'address')
    wait('ssh')
    const connected = await connect(context, podId, address, tunnel, signal)
    if (!connected.ok) {
      last = connected.fault
      // sshd may answer before the image has put the key in place: only a changed host key is final at once.
      if (last.code === 'host_key_changed') return { ok: false, fault: last }
      await backOff(context.clock, Math.min(tries, 2), null, signal)
      continue
    }
    const machine = connected.value
    const refuse = (fault: FaultData): Up => {
      machine.close()
      return { ok: false, fault }
    }
    const ending = await lease.attach(machine)
    if (ending) return refuse(ending)
    wait('gpu')
    const missing = await missingGpus(context, podId, machine)
    if (missing) return refuse(missing)
    reached(context, podId, 'gpu')
    wait('comfy')
    // Of a pod that still boots, ComfyUI may take its time.
    const goneMs = podOf(context.journal.fleet, podId).status === 'ready' ? comfyGoneMs : Number.POSITIVE_INFINITY
    const answered = await answers(context, machine, until, goneMs, signal)
    if (answered === true) {
      ready(context, podId)
      return { ok: true, machine }
    }
    if (answered === 'gone') {
      const restarted = isRestarted ? GONE_AGAIN : await restart(context, podId, machine, signal)
      isRestarted = true
      if (restarted) return refuse({ ...restarted, kind: 'pod' })
      until = Math.max(until, context.clock.now() + comfyStartMs)
    } else last = answered
    machine.close()
    await backOff(context.clock, Math.min(tries, 2), null, signal)
  }
  return null
}

/** Why it is given up at `stage`. Every pod would refuse the key: then the person is asked, not the next host. */
function tooLate({ journal }: Context, podId: string, stage: Stage, last: FaultData | null): FaultData {
  if (last?.kind === 'operator')
    journal.record(fleet => [{ type: 'operator.needed', provider: podOf(fleet, podId).provider, fault: last }])
  return {
    kind: 'pod',
    code: `stuck_at_${stage}`,
    message: `${podId} did not come up: ${WAITS[stage]}${last ? ` (${last.message})` : ''}`,
    hint: 'Another pod is tried; autopod logs shows what this one said.',
  }
}

async function connect(
  context: Context,
  podId: string,
  address: Address,
  tunnel: Tunnel,
  signal: AbortSignal,
): Promise<Settled<Machine>> {
  const pinned = podOf(context.journal.fleet, podId).hostKey
  const connected = await settle(() => context.dialer.connect(address, { pinned, tunnel, signal }))
  if (!connected.ok) return connected
  const { hostKey } = connected.value
  record(context, podId, pod => (pod.hostKey ? [] : [{ type: 'pod.host_key_pinned', podId, hostKey }]))
  reached(context, podId, 'ssh')
  return connected
}

/** null: not known yet, look again. A link that broke comes back where it was, as a rule; the listing is asked when it does not. */
async function addressOf(
  context: Context,
  podId: string,
  tries: number,
  wait: (stage: Stage) => void,
  signal: AbortSignal,
): Promise<Address | null> {
  const pod = podOf(context.journal.fleet, podId)
  if (tries === 0 && pod.readyAt && pod.address) return pod.address
  const row = await rowOf(context, pod, signal)
  if (!row) return null
  if (row.status === 'stopped') await settle(() => providerNamed(context, pod.provider).start(row.ref))
  if (row.status === 'starting') return null
  reached(context, podId, 'placed')
  const { address } = row
  if (!address) {
    wait('address')
    return null
  }
  record(context, podId, now =>
    JSON.stringify(now.address) === JSON.stringify(address) ? [] : [{ type: 'pod.addressed', podId, address }],
  )
  return address
}

/** The pod's row in a fresh listing; null when no longer wanted. A pod that is not listed is the watch's business. */
async function rowOf(context: Context, pod: Pod, signal: AbortSignal): Promise<PodRow | null> {
  for (;;) {
    const listing = await context.sightings.next(pod.provider, signal)
    if (!listing) return null
    const row = listing.rows.get(pod.ref as string)
    if (row) return row
  }
}

/** A fault when fewer GPUs are listed than are paid for; null when all are there, or when the tool cannot say. */
async function missingGpus(context: Context, podId: string, machine: Machine): Promise<FaultData | null> {
  const wanted = podOf(context.journal.fleet, podId).offer.gpuCount
  const listed = await settle(() => machine.exec('nvidia-smi -L', { timeoutMs: GPU_TIMEOUT_MS }))
  // A slow or missing tool is no proof of a bad host.
  if (!listed.ok || listed.value.code === 127) return null
  const seen = listed.value.stdout.split('\n').filter(line => line.startsWith('GPU ')).length
  if (seen >= wanted) return null
  return {
    kind: 'pod',
    code: 'gpu_missing',
    message: `${podId} shows ${seen} of ${wanted} GPUs`,
    hint: 'The host is bad; another pod is tried.',
  }
}

/** true when the executor's service answers before `deadline`; gone: nothing listened on its port for `goneMs`; else the reason, if any. */
export async function answers(
  context: Context,
  machine: Machine,
  deadline: Millis,
  goneMs: number,
  signal: AbortSignal,
): Promise<true | 'gone' | FaultData | null> {
  const { clock, executor } = context
  let absentAt: Millis | null = null
  const look = (isAbsent: boolean) => {
    absentAt = isAbsent ? (absentAt ?? clock.now()) : null
    if (absentAt !== null && clock.now() - absentAt >= goneMs) late.abort('gone')
  }
  const late = new AbortController()
  const over = new AbortController()
  void clock
    .sleep(Math.max(1, deadline - clock.now()), AbortSignal.any([signal, over.signal]))
    .then(() => late.abort('late'))
  const asked = settle(() => executor.ready(machine, late.signal, look)).catch((error: unknown) => {
    if (late.signal.aborted) return null
    throw error
  })
  const result = await Promise.race([asked, machine.closed.then(() => null)])
  over.abort('over')
  if (late.signal.reason === 'gone') return 'gone'
  return result?.ok ? true : (result?.fault ?? null)
}

/** Once for each way up: what was under way on it is lost with its queue and begins anew. A fault where it cannot be done. */
async function restart(
  context: Context,
  podId: string,
  machine: Machine,
  signal: AbortSignal,
): Promise<FaultData | null> {
  const reason = `nothing listened on ComfyUI's port for ${formatClock(context.limits.comfyGoneMs)}, although the pod answers`
  record(context, podId, pod => [
    { type: 'pod.restart_requested', podId, reason },
    ...lostWith(context, pod, { kind: 'transient', code: 'comfy_restarted', message: `ComfyUI of ${podId} had ended` }),
  ])
  const { clock, limits, executor } = context
  const done = await within(clock, limits.comfyStartMs, signal, bounded => executor.restart(machine, bounded))
  return done?.ok || signal.aborted ? null : (done?.fault ?? GONE_AGAIN)
}

function lostWith({ journal }: Context, pod: Pod, fault: FaultData): Fact[] {
  const job = pod.jobKey ? jobOf(journal.fleet, pod.jobKey) : null
  const attempt = job && liveAttempt(job)
  if (!attempt) return []
  const at = { jobKey: job.key, attempt: attempt.number }
  return [job.cancelRequested ? { type: 'attempt.cancelled', ...at } : { type: 'attempt.failed', ...at, fault }]
}

function ready(context: Context, podId: string): void {
  reached(context, podId, 'comfy')
  record(context, podId, pod => {
    if (pod.status === 'booting') return [{ type: 'pod.ready', podId }]
    return pod.linkLostAt ? [{ type: 'pod.link_restored', podId }] : []
  })
  context.gauges.pod(podId, { note: null })
}

/** Stages only go forward: a second way up, after a lost link, tells nothing new. */
function reached(context: Context, podId: string, stage: Stage): void {
  const rank = (at: Stage | null) => (at ? STAGES.indexOf(at) : -1)
  record(context, podId, pod =>
    pod.status === 'booting' && rank(stage) > rank(pod.stage) ? [{ type: 'pod.stage_reached', podId, stage }] : [],
  )
}

/** Only of a pod that is still wanted: a command may have ended it a moment ago. */
export function record(context: Context, podId: string, decide: (pod: Pod) => Fact[]): void {
  context.journal.record(fleet => {
    const pod = podOf(fleet, podId)
    return pod.status === 'booting' || pod.status === 'ready' ? decide(pod) : []
  })
}

export function breakPod(context: Context, podId: string, fault: FaultData): void {
  record(context, podId, pod => (pod.broken ? [] : [{ type: 'pod.broken', podId, fault }]))
}
