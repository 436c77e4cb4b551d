// pod.requested → pod.created | pod.refused. The one place where a question may be open when the program dies.

import type { FaultData } from '../domain/fault.ts'
import { termsOf } from '../domain/lease.ts'
import { podOf } from '../domain/lookup.ts'
import type { Millis } from '../domain/units.ts'
import { type Context, providerNamed } from './context.ts'
import { backOff, settle } from './settle.ts'

/** Tries of a creation that provably made nothing, before the order is given back to the plan. */
const TRIES_MAX = 3

export async function create(context: Context, podId: string, signal: AbortSignal): Promise<void> {
  const { journal, clock } = context
  const pod = podOf(journal.fleet, podId)
  const provider = providerNamed(context, pod.provider)
  const open = pod.requestedAt < context.startedAt
  const refuse = (fault: FaultData) =>
    journal.record(fleet => (podOf(fleet, podId).ref === null ? [{ type: 'pod.refused', podId, fault }] : []))
  const made = ({ ref, perHour }: { ref: string; perHour: number }) =>
    journal.record(fleet => (podOf(fleet, podId).ref === null ? [{ type: 'pod.created', podId, ref, perHour }] : []))

  if (open) {
    // Seed-found in the probe of this design: a request in flight when its sender died can land after the first listing.
    const lost: FaultData = { kind: 'transient', code: 'creation_lost', message: `${pod.name} was never made` }
    // Seed 1981: not from the order on, its sender may have asked again and again until it died.
    return adoptOrRefuse(context.startedAt + provider.createMaxMs, lost)
  }
  if (pod.status === 'releasing') {
    return refuse({
      kind: 'transient',
      code: 'creation_withdrawn',
      message: `${pod.name} was withdrawn before it was asked for`,
    })
  }
  /** Until then a request whose answer was lost may still make a pod. */
  let landsUntil: Millis | null = null
  for (let tries = 0; ; tries++) {
    const askedAt = clock.now()
    // Nobody keeps a pod before it was reached once.
    const terms = { ...termsOf(journal.fleet, pod, context.limits), leaseMs: context.limits.leaseMs }
    const result = await settle(async () => {
      const boot = await context.boot(pod.name, terms)
      return context.lanes.rent(provider.name, () => provider.create(pod.name, pod.offer, boot, tries > 0))
    })
    if (result.ok) return made(result.value)
    const { fault } = result
    context.trace.engine(`${pod.name}: ${fault.message}`)
    if (fault.kind === 'operator') journal.record(() => [{ type: 'operator.needed', provider: provider.name, fault }])
    const isUnclear = fault.kind === 'transient'
    if (isUnclear) {
      landsUntil = Math.max(askedAt + provider.createMaxMs, clock.now() + provider.settleMs)
      context.sightings.owe(provider.name, landsUntil)
    }
    // Seed 965: the last answer was a plain refusal, an earlier one had been lost together with the pod that it made.
    if (!isUnclear || tries + 1 >= TRIES_MAX || podOf(journal.fleet, podId).status === 'releasing')
      return landsUntil === null ? refuse(fault) : adoptOrRefuse(landsUntil, fault)
    await backOff(clock, tries, fault, signal)
    // Let go without an outcome: the next engine finds the question open and looks the name up.
    if (signal.aborted) return
  }

  /** Refused means proven: after `until`, two complete listings a settling time apart lack the name. */
  async function adoptOrRefuse(until: Millis, fault: FaultData): Promise<void> {
    const found = await find(context, podId, until, signal)
    if (found === 'stopped') return
    const row = found ?? (await lastWords(context, podId))
    if (row) made(row)
    else refuse(fault)
  }
}

/** It was made, nobody came, and it ended itself: what it left in the bucket is all that tells of it, and it was billed. */
async function lastWords({ guard, journal, trace }: Context, podId: string) {
  const { name, offer } = podOf(journal.fleet, podId)
  const asked = await settle(() => guard.farewell(name))
  if (!asked.ok) trace.engine(`${name}: farewell: ${asked.fault.message}`)
  const ref = asked.ok ? asked.value?.podId : undefined
  const isNew = ref && ![...journal.fleet.pods.values()].some(pod => pod.ref === ref)
  return isNew ? { ref, perHour: offer.perHour } : null
}

/** Looks the name up in complete listings; null when it is proven absent, asked for after `until`. */
async function find(context: Context, podId: string, until: Millis, signal: AbortSignal) {
  const pod = podOf(context.journal.fleet, podId)
  const { settleMs } = providerNamed(context, pod.provider)
  let absentAt: Millis | null = null
  for (;;) {
    const listing = await context.sightings.next(pod.provider, signal)
    if (!listing) return 'stopped' as const
    const row = [...listing.rows.values()].find(candidate => candidate.name === pod.name)
    if (row) return row
    if (listing.askedAt < until) continue
    // Seed 29: a listing may leave a pod out for a moment, so one is no proof.
    absentAt ??= listing.askedAt
    if (listing.askedAt - absentAt >= settleMs) return null
  }
}
