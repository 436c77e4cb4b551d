// One pod's link for as long as it is wanted: its port, its lease, its way up, samples, and again after every loss.
import { podOf } from '../domain/lookup.ts'
import type { Pod } from '../domain/pod.ts'
import type { Machine, Tunnel } from '../ports.ts'
import { breakPod, climb, record } from './climb.ts'
import { type Context, providerNamed } from './context.ts'
import { learnHost } from './host.ts'
import { keepLease, type Lease } from './lease.ts'
import { sample } from './sample.ts'
import { aborted, backOff, settle } from './settle.ts'

export async function tend(context: Context, podId: string, signal: AbortSignal): Promise<void> {
  const pod = podOf(context.journal.fleet, podId)
  const tunnel = await holdPort(context, pod)
  if (!tunnel) return
  const over = new AbortController()
  const until = AbortSignal.any([signal, over.signal])
  const { lease, kept } = keepLease(context, podId, until)
  const linked = async () => {
    try {
      await link(context, pod, tunnel, lease, signal)
    } finally {
      over.abort('over')
      // An engine that stops frees the port for the next one; a pod that goes frees it for the next pod.
      await context.slots.drop(podId)
    }
  }
  await Promise.all([linked(), kept, learnHost(context, podId, until), followLogs(context, pod, until)])
}

/** Connects, holds the connection, and connects again, until the pod is no longer wanted or given up. */
async function link(context: Context, pod: Pod, tunnel: Tunnel, lease: Lease, signal: AbortSignal): Promise<void> {
  const podId = pod.id
  // A boot is timed from its order; that of an adopted pod, or one that is started again, from now.
  const { linkLostMs, bootMs } = context.limits
  const now = context.clock.now()
  const isFresh = pod.readyAt === null && pod.requestedAt >= context.startedAt
  let deadline = pod.status === 'ready' ? now + linkLostMs : (isFresh ? pod.requestedAt : now) + bootMs
  while (!signal.aborted) {
    const up = await climb(context, podId, tunnel, lease, deadline, signal)
    if (!up) return
    if (!up.ok) return breakPod(context, podId, up.fault)
    const machine = up.machine
    context.slots.link(podId, machine)
    const reason = await hold(context, podId, machine, signal)
    context.slots.link(podId, null)
    machine.close()
    if (signal.aborted) return
    context.gauges.pod(podId, { note: `link lost: ${reason}; connecting again` })
    record(context, podId, pod =>
      pod.linkLostAt
        ? []
        : [{ type: 'pod.link_lost', podId, fault: { kind: 'pod', code: 'connection_lost', message: reason } }],
    )
    deadline = context.clock.now() + linkLostMs
  }
}

/** Until the connection ends or the pod is no longer wanted: samples go to the gauges. The reason comes back. */
async function hold(context: Context, podId: string, machine: Machine, signal: AbortSignal): Promise<string> {
  const over = new AbortController()
  const sampling = sample(context, podId, machine, AbortSignal.any([signal, over.signal]))
  // It samples until it is told to stop; what it throws before is a bug, and is heard here.
  const ended = await Promise.race([machine.closed, aborted(signal), sampling])
  over.abort('over')
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
    const { trace } = context
    const onLine = (line: string, cursor: string | null) => trace.pod(pod.id, line, cursor)
    await settle(() => provider.logs(pod.ref as string, trace.cursor(pod.id), onLine, signal))
    await backOff(context.clock, tries, null, signal)
  }
}
