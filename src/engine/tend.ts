// One pod from created to ready, and its link for as long as it is wanted: stages, tunnel, samples, reconnects.

import type { Fact } from '../domain/event.ts'
import type { FaultData } from '../domain/fault.ts'
import { podOf } from '../domain/lookup.ts'
import type { Pod, Stage } from '../domain/pod.ts'
import type { Machine, PodRow, Tunnel } from '../ports.ts'
import { type Context, providerNamed } from './context.ts'
import { sample } from './sample.ts'
import { aborted, backOff, settle } from './settle.ts'

/** Plain words for a pod that does not come up, by the stage it was waiting for. */
const WAITS: Record<Stage, string> = {
  placed: 'the provider has not placed it on a machine',
  address: 'it has no public address yet',
  ssh: 'its SSH server does not answer',
  gpu: 'nvidia-smi does not show its GPU',
  comfy: 'ComfyUI does not answer',
}

export async function tend(context: Context, podId: string, signal: AbortSignal): Promise<void> {
  const pod = podOf(context.journal.fleet, podId)
  const tunnel = await holdPort(context, pod)
  if (!tunnel) return
  const logs = new AbortController()
  const following = followLogs(context, pod, AbortSignal.any([signal, logs.signal]))
  try {
    // The clock of a boot starts with the request, or with this engine for a pod that it adopts.
    let deadline = pod.readyAt
      ? Math.max(context.clock.now(), context.startedAt) + context.limits.linkLostMs
      : pod.requestedAt + context.limits.bootMs
    while (!signal.aborted) {
      const up = await climb(context, podId, tunnel, deadline, signal)
      if (!up) return
      if (!up.ok) return breakPod(context, podId, up.fault)
      const machine = up.machine
      context.slots.link(podId, machine)
      const reason = await hold(context, podId, machine, signal)
      context.slots.link(podId, null)
      machine.close()
      if (signal.aborted) return
      note(context, podId, `link lost: ${reason}; connecting again`)
      record(context, podId, pod =>
        pod.linkLostAt
          ? []
          : [{ type: 'pod.link_lost', podId, fault: { kind: 'pod', code: 'connection_lost', message: reason } }],
      )
      deadline = context.clock.now() + context.limits.linkLostMs
    }
  } finally {
    logs.abort()
    await following
    // An engine that stops frees the port for the next one; a pod that goes frees it for the next pod.
    await context.slots.drop(podId)
  }
}

type Up = { ok: true; machine: Machine } | { ok: false; fault: FaultData } | null

/** Through the stages until ComfyUI answers; null when no longer wanted. */
async function climb(
  context: Context,
  podId: string,
  tunnel: Tunnel,
  deadline: number,
  signal: AbortSignal,
): Promise<Up> {
  const { clock, executor } = context
  let stage: Stage = 'placed'
  let last: FaultData | null = null
  let tries = 0
  const reach = (next: Stage, done: Stage) => {
    stage = next
    note(context, podId, `waiting: ${WAITS[next]}`)
    record(context, podId, pod =>
      pod.status === 'booting' && pod.stage !== done ? [{ type: 'pod.stage_reached', podId, stage: done }] : [],
    )
  }
  note(context, podId, `waiting: ${WAITS.placed}`)
  while (!signal.aborted) {
    if (clock.now() >= deadline) {
      const why = last ? `: ${last.message}` : ''
      return {
        ok: false,
        fault: {
          kind: 'pod',
          code: `stuck_at_${stage}`,
          message: `${podId} did not come up: ${WAITS[stage]}${why}`,
          hint: 'Another pod is tried; logs POD shows what it said.',
        },
      }
    }
    const row = await whereabouts(context, podId, signal)
    if (!row) return null
    if (row.status === 'stopped')
      await settle(() => providerNamed(context, podOf(context.journal.fleet, podId).provider).start(row.ref))
    if (row.status === 'starting') continue
    if (!row.address) {
      reach('address', 'placed')
      continue
    }
    const { address } = row
    record(context, podId, pod =>
      JSON.stringify(pod.address) === JSON.stringify(address) ? [] : [{ type: 'pod.addressed', podId, address }],
    )
    reach('ssh', 'address')
    const pinned = podOf(context.journal.fleet, podId).hostKey
    const connected = await settle(() => context.dialer.connect(address, { pinned, tunnel, signal }))
    if (!connected.ok) {
      last = connected.fault
      if (last.kind === 'operator' || last.code === 'host_key_changed') {
        const fault: FaultData = last.kind === 'operator' ? { ...last, kind: 'pod' } : last
        // sshd may answer before the image has put the key in place: a refused key is final only when time is up.
        if (last.code !== 'key_refused' || clock.now() + 5000 >= deadline) return { ok: false, fault }
      }
      await backOff(clock, Math.min(tries++, 2), null, signal)
      continue
    }
    const machine = connected.value
    record(context, podId, pod =>
      pod.hostKey ? [] : [{ type: 'pod.host_key_pinned', podId, hostKey: machine.hostKey }],
    )
    reach('gpu', 'ssh')
    const seen = await gpus(machine)
    const wanted = podOf(context.journal.fleet, podId).offer.gpuCount
    if (seen !== null && seen < wanted) {
      machine.close()
      return {
        ok: false,
        fault: {
          kind: 'pod',
          code: 'gpu_missing',
          message: `${podId} shows ${seen} of ${wanted} GPUs`,
          hint: 'The host is bad; another pod is tried.',
        },
      }
    }
    reach('comfy', 'gpu')
    const late = new AbortController()
    const over = new AbortController()
    void clock
      .sleep(Math.max(1, deadline - clock.now()), AbortSignal.any([signal, over.signal]))
      .then(() => late.abort())
    const gone = machine.closed.then(() => 'closed' as const)
    const answers = await Promise.race([
      settle(() => executor.ready(machine, late.signal)).catch(() => 'aborted' as const),
      gone,
    ])
    if (answers !== 'closed' && answers !== 'aborted' && answers.ok) {
      record(context, podId, pod => {
        const facts: Fact[] = []
        if (pod.status === 'booting')
          facts.push({ type: 'pod.stage_reached', podId, stage: 'comfy' }, { type: 'pod.ready', podId })
        else if (pod.linkLostAt) facts.push({ type: 'pod.link_restored', podId })
        return facts
      })
      note(context, podId, null)
      return { ok: true, machine }
    }
    machine.close()
    if (typeof answers === 'object' && !answers.ok) last = answers.fault
    await backOff(clock, Math.min(tries++, 2), null, signal)
  }
  return null
}

/** The pod's row in a fresh listing; null when no longer wanted. A pod that is not listed is the watch's business. */
async function whereabouts(context: Context, podId: string, signal: AbortSignal): Promise<PodRow | null> {
  const pod = podOf(context.journal.fleet, podId)
  for (;;) {
    const listing = await context.sightings.next(pod.provider, signal)
    if (!listing) return null
    const row = listing.rows.get(pod.ref as string)
    if (row) return row
  }
}

/** How many GPUs `nvidia-smi -L` lists; null when that cannot be said (a slow or missing tool is no proof of a bad host). */
async function gpus(machine: Machine): Promise<number | null> {
  const listed = await settle(() => machine.exec('nvidia-smi -L', { timeoutMs: 15_000 }))
  if (!listed.ok || listed.value.code === 127) return null
  return listed.value.stdout.split('\n').filter(line => line.startsWith('GPU ')).length
}

/** Until the connection ends or the pod is no longer wanted: samples go to the gauges. The reason comes back. */
async function hold(context: Context, podId: string, machine: Machine, signal: AbortSignal): Promise<string> {
  const over = new AbortController()
  const sampling = sample(context, podId, machine, AbortSignal.any([signal, over.signal]))
  const ended = await Promise.race([machine.closed, aborted(signal)])
  over.abort()
  machine.close()
  await sampling
  return ended?.message ?? 'closed'
}

async function holdPort(context: Context, pod: Pod): Promise<Tunnel | null> {
  const held = await settle(() => context.dialer.hold(context.slots.preferredPort(pod.id), context.executor.port))
  if (!held.ok) {
    breakPod(context, pod.id, held.fault)
    return null
  }
  const tunnel = held.value
  context.slots.hold(pod.id, tunnel)
  record(context, pod.id, now =>
    now.localPort === tunnel.localPort ? [] : [{ type: 'pod.port_held', podId: pod.id, localPort: tunnel.localPort }],
  )
  return tunnel
}

/** The provider's own lines on the pod, boot messages first; a provider without them is quietly left alone. */
async function followLogs(context: Context, pod: Pod, signal: AbortSignal): Promise<void> {
  const provider = providerNamed(context, pod.provider)
  for (let tries = 0; !signal.aborted; tries++) {
    await settle(() => provider.logs(pod.ref as string, line => context.trace.pod(pod.id, line), signal))
    await backOff(context.clock, tries, null, signal)
  }
}

function breakPod(context: Context, podId: string, fault: FaultData): void {
  record(context, podId, pod => (pod.broken ? [] : [{ type: 'pod.broken', podId, fault }]))
}

function note(context: Context, podId: string, text: string | null): void {
  context.gauges.pod(podId, { note: text })
}

function record(context: Context, podId: string, decide: (pod: Pod) => Fact[]): void {
  context.journal.record(fleet => {
    const pod = podOf(fleet, podId)
    return pod.status === 'booting' || pod.status === 'ready' ? decide(pod) : []
  })
}
