// Which offer a pod is ordered from, and which ready pod a job may use.
import type { Fleet } from './fleet.ts'
import type { JobSpec } from './job.ts'
import type { Limits } from './limits.ts'
import type { Offer, Pod } from './pod.ts'
import type { Policy } from './run.ts'
import type { Millis } from './units.ts'

/** What a job needs from a provider; the same needs have the same `key`. */
export type Need = {
  provider: string
  gpuTypes: string[]
  gpuCount: number
  regions: string[]
  cloud: 'secure' | 'community' | null
  vramGbMin: number
}

/** The command line's GPU list narrows nothing: the job's own list is the author's word and comes first. */
export function needOf(spec: JobSpec, policy: Policy): Need {
  return {
    provider: policy.provider,
    gpuTypes: spec.gpuTypes.length > 0 ? spec.gpuTypes : policy.gpuTypes,
    gpuCount: Math.max(spec.gpuCount, policy.gpuCount),
    regions: policy.regions,
    cloud: policy.cloud,
    vramGbMin: spec.vramGbMin,
  }
}

export function needKey(need: Need): string {
  return JSON.stringify(need)
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

/** The best offer that was not refused a moment ago and keeps the hourly limit; null when none is left. */
export function chooseOffer(
  offers: readonly Offer[],
  fleet: Fleet,
  perHourLeft: number,
  now: Millis,
  limits: Limits,
): Offer | null {
  const refused = new Set<string>()
  for (const pod of fleet.pods.values()) {
    if (pod.status !== 'refused' || pod.broken?.kind !== 'capacity') continue
    if (now - (pod.goneAt ?? 0) < limits.capacityPauseMs) refused.add(placeOf(pod.offer))
  }
  return (
    offers.find(offer => offer.stock !== 'none' && offer.perHour <= perHourLeft && !refused.has(placeOf(offer))) ?? null
  )
}

function placeOf(offer: Offer): string {
  return `${offer.provider}|${offer.gpuType}|${offer.gpuCount}|${offer.cloud}|${offer.region ?? ''}`
}
