// Ending and pausing pods: retried for ever with backoff, and believed only when the provider proves it.
import type { Fact } from '../domain/event.ts'
import { podOf } from '../domain/lookup.ts'
import { type Context, providerNamed } from './context.ts'
import { backOff, settle } from './settle.ts'

/** releasing → gone: asks until accepted, then proves it by two complete listings a settling time apart and a direct 404. */
export async function release(context: Context, podId: string, signal: AbortSignal): Promise<void> {
  const { journal, clock, sightings } = context
  const pod = podOf(journal.fleet, podId)
  const ref = pod.ref as string
  const provider = providerNamed(context, pod.provider)
  await context.slots.drop(podId)
  let firstAbsent: { askedAt: number; at: number } | null = null
  for (let tries = 0; !signal.aborted; ) {
    if (!firstAbsent) {
      const asked = await settle(() => context.lanes.rent(provider.name, () => provider.destroy(ref)))
      if (!asked.ok) {
        context.trace.engine(`${pod.name}: release: ${asked.fault.message}`)
        await backOff(clock, tries++, asked.fault, signal)
        continue
      }
      journal.record(fleet =>
        podOf(fleet, podId).releaseAcceptedAt === null ? [{ type: 'pod.release_accepted', podId }] : [],
      )
    }
    const listing = await sightings.next(pod.provider, signal)
    if (!listing) return
    if (listing.rows.has(ref)) {
      // Still listed: accepted is not gone. It is asked again.
      firstAbsent = null
      await backOff(clock, Math.min(tries++, 3), null, signal)
      continue
    }
    firstAbsent ??= listing
    if (listing.askedAt - firstAbsent.askedAt < provider.settleMs) continue
    const looked = await settle(() => provider.look(ref))
    if (!looked.ok) continue
    if (looked.value !== null && looked.value.status !== 'terminated') {
      firstAbsent = null
      continue
    }
    const billedUntil = firstAbsent.at
    const bill = provider.billLagMs === 0 ? await settle(() => provider.billed(ref)) : null
    journal.record(fleet => {
      if (podOf(fleet, podId).status !== 'releasing') return []
      const gone: Fact = { type: 'pod.gone', podId, billedUntil }
      return bill?.ok && bill.value !== null ? [gone, { type: 'pod.billed', podId, micro: bill.value }] : [gone]
    })
    return
  }
}

/** stopping → stopped. */
export async function pause(context: Context, podId: string, signal: AbortSignal): Promise<void> {
  const { journal, clock, sightings } = context
  const pod = podOf(journal.fleet, podId)
  const ref = pod.ref as string
  const provider = providerNamed(context, pod.provider)
  await context.slots.drop(podId)
  for (let tries = 0; !signal.aborted; tries++) {
    const asked = await settle(() => context.lanes.rent(provider.name, () => provider.stop(ref)))
    if (!asked.ok && asked.fault.kind === 'pod') {
      journal.record(fleet => (podOf(fleet, podId).broken ? [] : [{ type: 'pod.broken', podId, fault: asked.fault }]))
      return
    }
    const listing = asked.ok ? await sightings.next(pod.provider, signal) : null
    if (listing?.rows.get(ref)?.status === 'stopped') {
      const perHour = provider.stoppedPerHour(pod.offer)
      journal.record(fleet =>
        podOf(fleet, podId).status === 'stopping' ? [{ type: 'pod.stopped', podId, perHour }] : [],
      )
      return
    }
    await backOff(clock, Math.min(tries, 4), asked.ok ? null : asked.fault, signal)
  }
}
