// Ending and pausing pods: retried for ever with backoff, and believed only when the provider proves it.
import type { Fact } from '../domain/event.ts'
import { podOf } from '../domain/lookup.ts'
import type { Micro } from '../domain/units.ts'
import { type Context, providerNamed } from './context.ts'
import { backOff, settle } from './settle.ts'

/** Questions for a bill: the pod is gone whatever they bring, and a run is not to wait for bookkeeping. */
const BILL_TRIES_MAX = 5

/** releasing → gone: asks until accepted, then proves it by two complete listings a settling time apart and a direct 404. */
export async function release(context: Context, podId: string, signal: AbortSignal): Promise<void> {
  const { journal, clock, sightings } = context
  const pod = podOf(journal.fleet, podId)
  const ref = pod.ref as string
  const provider = providerNamed(context, pod.provider)
  await context.slots.drop(podId)
  let firstAbsent: { askedAt: number } | null = null
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
    // Seed 1689: the listings had lied, it went by itself between the first of them and the look.
    const billedUntil = clock.now()
    const micro = provider.billLagMs === 0 ? await bill(context, podId, signal) : null
    if (signal.aborted) return
    journal.record(fleet => {
      if (podOf(fleet, podId).status !== 'releasing') return []
      const gone: Fact = { type: 'pod.gone', podId, billedUntil }
      return micro === null ? [gone] : [gone, { type: 'pod.billed', podId, micro }]
    })
    return
  }
}

/** The provider's last word on what a pod cost; null when it has none, or does not say it in a few tries: then the own meter stands. */
async function bill(context: Context, podId: string, signal: AbortSignal): Promise<Micro | null> {
  const pod = podOf(context.journal.fleet, podId)
  const provider = providerNamed(context, pod.provider)
  for (let tries = 0; ; tries++) {
    const asked = await settle(() => provider.billed(pod.ref as string))
    if (asked.ok) return asked.value
    context.trace.engine(`${pod.name}: bill: ${asked.fault.message}`)
    if (tries + 1 >= BILL_TRIES_MAX || asked.fault.kind === 'operator' || signal.aborted) return null
    await backOff(context.clock, tries, asked.fault, signal)
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
