// One listing for all pods of a provider: who is there, who is not, and since when that is not known.
import { balanceSteps } from '../domain/account.ts'
import type { Fleet } from '../domain/fleet.ts'
import type { Pod } from '../domain/pod.ts'
import type { PodRow } from '../ports.ts'
import { type Context, providerNamed } from './context.ts'
import { settle } from './settle.ts'
import { endStrays } from './strays.ts'

/** One bad answer is weather; from the second on, the screen says since when nothing is known. */
const LOST_AFTER = 2
/** While nothing is known: often enough to notice that it is over, seldom enough for a limit that was hit. */
const UNKNOWN_MS = 5000

export async function watch(context: Context, name: string, signal: AbortSignal): Promise<void> {
  const { journal, clock, sightings } = context
  const provider = providerNamed(context, name)
  const missing = new Map<string, number>()
  let misses = 0
  let seenAt = 0
  let balanceAt = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    const askedAt = clock.now()
    const asked = await settle(() => provider.list())
    if (signal.aborted) return
    if (asked.ok && asked.value.known) {
      misses = 0
      // Seed 39089: before and after the machine slept, a pod was left out for a moment; nobody had looked in between.
      if (askedAt - seenAt > provider.settleMs * 2) missing.clear()
      seenAt = askedAt
      const rows = new Map(asked.value.pods.map(row => [row.ref, row]))
      journal.record(fleet => (isKnown(fleet, name) ? [] : [{ type: 'listing.found', provider: name }]))
      endStrays(context, rows)
      await judgeAbsent(context, name, rows, askedAt, missing)
      sightings.tell(name, { rows, askedAt })
    } else {
      // Seed 5391: left out by the first listing after its birth and by the next one that was complete, it lived in between.
      missing.clear()
      if (++misses >= LOST_AFTER) {
        const why = asked.ok ? (asked.value.known ? '' : asked.value.why) : asked.fault.message
        const fault = { kind: 'transient', code: 'listing_unknown', message: why } as const
        journal.record(fleet => (isKnown(fleet, name) ? [{ type: 'listing.lost', provider: name, fault }] : []))
      }
    }
    if (clock.now() - balanceAt >= context.limits.balanceEveryMs) {
      balanceAt = clock.now()
      const balance = await settle(() => provider.balance())
      const micro = balance.ok ? balance.value : null
      if (micro !== null) {
        context.gauges.balance(micro)
        journal.record(fleet => balanceSteps(fleet, name, micro, clock.now(), context.limits))
      }
    }
    await clock.sleep(misses === 0 ? provider.pollMs : Math.max(provider.pollMs, UNKNOWN_MS), signal)
    const busy = [...journal.fleet.pods.values()].some(pod => pod.provider === name && inMotion(pod))
    if (!busy && !signal.aborted) {
      const over = new AbortController()
      const quiet = clock.sleep(provider.pollMs * 3, AbortSignal.any([signal, over.signal]))
      await Promise.race([quiet, sightings.wanted(name)])
      over.abort('over')
    }
  }
}

/** Pods that should be there and are not: believed only after two complete listings a settling time apart and a direct 404. */
async function judgeAbsent(
  context: Context,
  name: string,
  rows: Map<string, PodRow>,
  askedAt: number,
  missing: Map<string, number>,
) {
  const { journal } = context
  const provider = providerNamed(context, name)
  for (const pod of [...journal.fleet.pods.values()]) {
    if (pod.provider !== name || !pod.ref || !['booting', 'ready', 'stopped'].includes(pod.status) || pod.broken)
      continue
    const row = rows.get(pod.ref)
    if (row?.status === 'stopped' && pod.status === 'ready') {
      record(context, pod, 'pod_stopped_outside', `${pod.id} was stopped from outside`)
      continue
    }
    if (row) {
      missing.delete(pod.id)
      continue
    }
    const since = missing.get(pod.id) ?? askedAt
    missing.set(pod.id, since)
    if (askedAt - since < provider.settleMs) continue
    const looked = await settle(() => provider.look(pod.ref as string))
    if (looked.ok && looked.value === null) record(context, pod, 'pod_vanished', `${pod.id} is no longer at ${name}`)
  }
}

function record({ journal }: Context, pod: Pod, code: string, message: string) {
  journal.record(fleet =>
    fleet.pods.get(pod.id)?.broken
      ? []
      : [{ type: 'pod.broken', podId: pod.id, fault: { kind: 'pod', code, message } }],
  )
}

function isKnown(fleet: Fleet, provider: string): boolean {
  return (fleet.providers.get(provider)?.listingLostAt ?? null) === null
}

function inMotion(pod: Pod): boolean {
  return (
    pod.status === 'requested' || pod.status === 'booting' || pod.status === 'stopping' || pod.status === 'releasing'
  )
}
