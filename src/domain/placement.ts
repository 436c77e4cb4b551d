// Which offer a pod is ordered from, and which ready pod a job may use.
import type { Fleet } from './fleet.ts'
import type { JobSpec } from './job.ts'
import type { Limits } from './limits.ts'
import type { Offer, Pod } from './pod.ts'
import type { Policy } from './run.ts'
import type { Micro, Millis } from './units.ts'

/** What a job needs from a provider; the same needs have the same `key`. */
export type Need = {
  provider: string
  gpuTypes: string[]
  gpuCount: number
  regions: string[]
  cloud: 'secure' | 'community' | null
  vramGbMin: number
}

/**
 * The command line's GPU list narrows nothing: the job's own list is the author's word and comes first.
 * `vramGbAbove`: memory that proved too small for the job; 0 = none did.
 */
export function needOf(spec: JobSpec, policy: Policy, vramGbAbove = 0): Need {
  return {
    provider: policy.provider,
    gpuTypes: spec.gpuTypes.length > 0 ? spec.gpuTypes : policy.gpuTypes,
    gpuCount: Math.max(spec.gpuCount, policy.gpuCount),
    regions: policy.regions,
    cloud: policy.cloud,
    // Catalogues tell whole gigabytes.
    vramGbMin: Math.max(spec.vramGbMin, vramGbAbove > 0 ? vramGbAbove + 1 : 0),
  }
}

export function needKey(need: Need): string {
  return JSON.stringify(need)
}

/** `A40, RTX 4090`, as the user wrote them. */
export function gpuWords(need: Need): string {
  return need.gpuTypes.join(', ') || 'any GPU'
}

/** Short names and ids of a GPU type are the same when they differ only in case, spaces and the maker's words. */
export function sameGpu(wanted: string, offer: { gpuType: string; gpuName: string }): boolean {
  const plain = (s: string) => s.toLowerCase().replace(/nvidia|amd|geforce|[\s_-]+/g, '')
  const want = plain(wanted)
  if (want === '') return false
  return want === plain(offer.gpuType) || want === plain(offer.gpuName) || `rtx${want}` === plain(offer.gpuName)
}

/** A ready pod serves the job: enough memory and cards, and a type the job accepts. */
export function fits(pod: Pod, need: Need): boolean {
  const { offer } = pod
  return (
    pod.provider === need.provider &&
    offer.gpuCount >= need.gpuCount &&
    offer.vramGb >= need.vramGbMin &&
    (need.gpuTypes.length === 0 || need.gpuTypes.some(wanted => sameGpu(wanted, offer)))
  )
}

/** A price that was asked for is believed for so long: longer than jobs wait for a better one. */
const PAID_MS = 3_600_000

/** The best offer that was not refused a moment ago and keeps the hourly limit and `pays` says yes to; null when none is left. */
export function chooseOffer(
  offers: readonly Offer[],
  fleet: Fleet,
  perHourLeft: number,
  now: Millis,
  limits: Limits,
  pays: (offer: Offer) => boolean = () => true,
): Offer | null {
  const price = pricesAt(fleet, now)
  const refused = pausedPlaces(fleet, now, limits)
  const isLeft = (offer: Offer) => offer.stock !== 'none' && price(offer) <= perHourLeft && !refused.has(placeOf(offer))
  return offers.find(offer => isLeft(offer) && pays(offer)) ?? null
}

/** Places that had no capacity, for as long as each is left alone: the longer, the more often in a row it had none. */
function pausedPlaces(fleet: Fleet, now: Millis, { capacityPauseMs, capacityPauseMaxMs }: Limits): Set<string> {
  const rows = new Map<string, { times: number; at: Millis }>()
  for (const pod of fleet.pods.values()) {
    if (pod.createdAt !== null && rows.size > 0) rows.delete(placeOf(pod.offer))
    if (pod.status !== 'refused' || pod.broken?.kind !== 'capacity') continue
    const place = placeOf(pod.offer)
    const at = pod.goneAt ?? 0
    const row = rows.get(place)
    if (!row || at - row.at > capacityPauseMaxMs * 2) rows.set(place, { times: 1, at })
    // Orders of one moment are refused together.
    else rows.set(place, { times: row.times + Number(pod.requestedAt > row.at), at: Math.max(row.at, at) })
  }
  const paused = new Set<string>()
  for (const [place, { times, at }] of rows)
    if (now - at < Math.min(capacityPauseMs * 2 ** (times - 1), capacityPauseMaxMs)) paused.add(place)
  return paused
}

/** The least that any of the offers would cost an hour, those that are sold out included; null without offers. */
export function cheapest(offers: readonly Offer[], fleet: Fleet, now: Millis): Micro | null {
  return offers.length === 0 ? null : Math.min(...offers.map(pricesAt(fleet, now)))
}

/** What an offer would really cost: it may lie again about what is taken for it. */
function pricesAt(fleet: Fleet, now: Millis): (offer: Offer) => Micro {
  const paid = new Map<string, Micro>()
  for (const pod of fleet.pods.values())
    if (pod.createdAt !== null && now - pod.createdAt < PAID_MS) paid.set(placeOf(pod.offer), pod.offer.perHour)
  return offer => Math.max(offer.perHour, paid.get(placeOf(offer)) ?? 0)
}

function placeOf(offer: Offer): string {
  return `${offer.provider}|${offer.gpuType}|${offer.gpuCount}|${offer.cloud}|${offer.region ?? ''}`
}
