// Where an order goes: the rules that pick a data center, a CUDA version and a price, or refuse. Pure.
import { cpuKind, cudaVersions, type GpuKind, gpuKind, gpuPrice } from './catalog.ts'
import type { Dice } from './faults.ts'
import { type Cloud, type Order, type Refusal, refused } from './state.ts'

// Text as recorded from the live service in August 2026.
const noCapacity =
  'There are no longer any instances available with the requested specifications. Please refresh and try again.'

export type Placement = {
  kind: 'placed'
  micro: number
  dataCenterId: string
  cudaVersion: string | null
  fate: GpuKind['fate']
}

const compareVersions = (left: string, right: string) => Number(left) - Number(right)
/** Chance decides among fitting data centers. Micro-dollars an hour for the whole pod. */
export function place(cloud: Cloud, dice: Dice, order: Order): Placement | Refusal {
  const { faults, priceScale } = cloud.settings
  const [mount] = order.mounts.network ?? []
  const volume = mount && cloud.volumes[mount.volumeId]
  if (mount && !volume) return refused(404, 'network volume not found')
  if (mount && order.cloud !== 'SECURE') return refused(400, 'network volumes are only available in Secure Cloud')
  const wanted = (known: string[]) =>
    known.filter(
      id => (!order.dataCenterIds || order.dataCenterIds.includes(id)) && (!volume || volume.dataCenter === id),
    )
  if (order.cpu) {
    const kind = cpuKind(order.cpu.id)
    const dataCenterId = dice.pick(wanted(['EU-RO-1', 'US-KS-2', 'US-TX-3']))
    if (!kind || !dataCenterId || dice.happens('capacity')) return refused(400, noCapacity)
    const micro = Math.round(kind.micro * priceScale) * order.cpu.vcpuCount
    return { kind: 'placed', micro, dataCenterId, cudaVersion: null, fate: 'well' }
  }
  const kind = order.gpu && gpuKind(order.gpu.id, faults.sentinels !== undefined)
  if (!order.gpu || !kind) return refused(400, `unknown GPU type "${order.gpu?.id}"`)
  // An omitted count matched no machine on the live service (reported 2026-10).
  const count = order.gpu.count ?? 0
  const micro = gpuPrice(kind, order.cloud, count, priceScale)
  const { minCudaVersion = '0', allowedCudaVersions = cudaVersions } = order.gpu
  const cudaVersion = cudaVersions
    .filter(version => compareVersions(version, minCudaVersion) >= 0 && allowedCudaVersions.includes(version))
    .at(-1)
  const dataCenterId = dice.pick(wanted(kind.dataCenters))
  const fits = micro !== null && count >= 1 && count <= kind.maxCount && cudaVersion && dataCenterId
  if (!fits || kind.fate === 'sold-out' || dice.happens('capacity')) return refused(400, noCapacity)
  return { kind: 'placed', micro, dataCenterId, cudaVersion, fate: kind.fate }
}
