// RunPod's catalogue as offers: what counts as a price, as stock, and which offer comes first.
import { Fault } from '../../domain/fault.ts'
import { didYouMean } from '../../domain/nearest.ts'
import { sameGpu } from '../../domain/placement.ts'
import type { Offer } from '../../domain/pod.ts'
import { microFromUsd } from '../../domain/units.ts'
import type { Want } from '../../ports.ts'
import type { Gpu } from '../../wire/runpod.ts'

/** A price counts only where the card is offered: others are placeholders (0, 0.5, 1.0; snapshots of 2026-08 and 2026-10). */
export function priceOf(gpu: Gpu, cloud: 'secure' | 'community'): number | null {
  const usd = gpu.price[cloud]
  return gpu[cloud] && usd ? microFromUsd(usd) : null
}

/** Most cards of one pod, a number a cloud that tells. */
export function countsOf(gpu: Gpu | undefined): number[] {
  return [gpu?.maxCount?.secure ?? 0, gpu?.maxCount?.community ?? 0]
}

export function stockOf(level: string | null | undefined): Offer['stock'] {
  const word = level?.toLowerCase()
  return word === 'none' || word === 'low' || word === 'medium' || word === 'high' ? word : 'unknown'
}

export function offersOf(provider: string, gpu: Gpu, cloud: 'secure' | 'community', want: Want): Offer[] {
  const price = priceOf(gpu, cloud)
  const countMax = gpu.maxCount?.[cloud]
  // A workflow runs on one card: two small ones are no large one.
  if (price === null || gpu.memory < want.vramGbMin) return []
  if (countMax && want.gpuCount > countMax) return []
  if (
    want.gpuTypes.length > 0 &&
    !want.gpuTypes.some(wanted => sameGpu(wanted, { gpuType: gpu.id, gpuName: gpu.name }))
  )
    return []
  const offer = {
    provider,
    gpuType: gpu.id,
    gpuName: gpu.name,
    gpuCount: want.gpuCount,
    vramGb: gpu.memory,
    cloud,
    perHour: price * want.gpuCount,
    stock: stockOf(gpu.availability),
  }
  if (want.regions.length === 0) return [{ ...offer, region: null }]
  // NONE on top can stand beside LOW in one data center (reports, 2026): with a region asked for, that region's level counts.
  return want.regions.map(region => {
    const place = gpu.dataCenters?.find(candidate => candidate.id.toLowerCase() === region.toLowerCase())
    return {
      ...offer,
      region: place?.id ?? region.toUpperCase(),
      stock: place ? stockOf(place.availability) : offer.stock,
    }
  })
}

/** By the wanted order of types and regions, then what is in stock, then price. */
export function rank(offers: Offer[], want: Want): Offer[] {
  const place = (offer: Offer) => want.gpuTypes.findIndex(wanted => sameGpu(wanted, offer))
  const region = (offer: Offer) =>
    offer.region ? want.regions.findIndex(r => r.toLowerCase() === offer.region?.toLowerCase()) : 0
  const empty = (offer: Offer) => Number(offer.stock === 'none')
  return offers.sort(
    (a, b) => place(a) - place(b) || region(a) - region(b) || empty(a) - empty(b) || a.perHour - b.perHour,
  )
}

/** Fault: job `gpu_unknown` when there is none of the wanted types; one of several may come and go. */
export function refuseUnknown(provider: string, gpus: Gpu[], wanted: string[]): void {
  if (wanted.length === 0) return
  if (wanted.some(name => gpus.some(gpu => sameGpu(name, { gpuType: gpu.id, gpuName: gpu.name })))) return
  const names = gpus.map(gpu => gpu.name)
  throw new Fault({
    kind: 'job',
    code: 'gpu_unknown',
    message: `${provider} has no GPU type ${wanted.map(name => `"${name}"${didYouMean(name, names)}`).join(', ')}`,
    hint: 'See autopod gpus for the types there are.',
  })
}
