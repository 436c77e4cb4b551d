// What the simulated provider rents: GPU types with prices, CPU flavours, data centers. Data and look-ups, no state.
// Prices and memory as published by RunPod in early October 2026; stock is ours: what is listed is there.

export type CloudKind = 'SECURE' | 'COMMUNITY'
/** Prices in micro-dollars an hour for one GPU; null = not offered in that cloud. Memory in GB. */
export type GpuKind = {
  id: string
  name: string
  pool: string | null
  memory: number
  secure: number | null
  community: number | null
  maxCount: number
  level: 'NONE' | 'LOW' | 'MEDIUM' | 'HIGH'
  dataCenters: string[]
  /** What becomes of a pod on it, for the sentinels; otherwise it just works. */
  fate: 'well' | 'sold-out' | 'never-boots' | 'no-sshd' | 'dies-early'
}

export type DataCenterSite = { id: string; name: string; region: 'EUROPE' | 'NORTH_AMERICA' | 'ASIA' | 'OCEANIA' }

const site = (id: string, name: string, region: DataCenterSite['region']): DataCenterSite => ({ id, name, region })
export const dataCenters: DataCenterSite[] = [
  site('EU-RO-1', 'EU Romania 1', 'EUROPE'),
  site('EU-CZ-1', 'EU Czechia 1', 'EUROPE'),
  site('EU-SE-1', 'EU Sweden 1', 'EUROPE'),
  site('EU-NL-1', 'EU Netherlands 1', 'EUROPE'),
  site('EUR-IS-1', 'Iceland 1', 'EUROPE'),
  site('EUR-NO-1', 'Norway 1', 'EUROPE'),
  site('US-KS-2', 'US Kansas 2', 'NORTH_AMERICA'),
  site('US-TX-3', 'US Texas 3', 'NORTH_AMERICA'),
  site('US-GA-2', 'US Georgia 2', 'NORTH_AMERICA'),
  site('US-CA-2', 'US California 2', 'NORTH_AMERICA'),
  site('CA-MTL-1', 'Canada Montreal 1', 'NORTH_AMERICA'),
  site('AP-JP-1', 'Japan 1', 'ASIA'),
  site('OC-AU-1', 'Australia 1', 'OCEANIA'),
]
const europe = ['EU-RO-1', 'EU-CZ-1', 'EU-SE-1', 'EU-NL-1']
const america = ['US-KS-2', 'US-TX-3', 'US-GA-2', 'US-CA-2', 'CA-MTL-1']
const everywhere = dataCenters.map(center => center.id)

/** CUDA versions that hosts have; the newest that the order allows is given. */
export const cudaVersions = ['12.4', '12.8', '13.0']

type Level = GpuKind['level']
const gpu = (
  id: string,
  pool: string | null,
  memory: number,
  [secure, community]: [number | null, number | null],
  level: Level = 'HIGH',
  where = everywhere,
): GpuKind => ({
  id,
  name: id.replace(/^NVIDIA (GeForce )?/, '').replace(/ Generation$| 80GB HBM3$/, ''),
  pool,
  memory,
  secure: secure === null ? null : Math.round(secure * 1e6),
  community: community === null ? null : Math.round(community * 1e6),
  maxCount: 8,
  level,
  dataCenters: where,
  fate: 'well',
})

const real: GpuKind[] = [
  gpu('NVIDIA RTX A2000', null, 6, [null, 0.12], 'LOW', america),
  gpu('NVIDIA GeForce RTX 3070', null, 8, [null, 0.13], 'LOW', america),
  gpu('NVIDIA GeForce RTX 3080', null, 10, [null, 0.17], 'LOW', america),
  gpu('NVIDIA RTX A4000', 'AMPERE_16', 16, [0.25, 0.17], 'MEDIUM'),
  gpu('NVIDIA RTX 2000 Ada Generation', null, 16, [0.24, null], 'MEDIUM', europe),
  gpu('NVIDIA RTX A4500', 'AMPERE_16', 20, [0.25, 0.19], 'MEDIUM'),
  gpu('NVIDIA RTX 4000 Ada Generation', 'AMPERE_16', 20, [0.28, 0.2], 'MEDIUM'),
  gpu('NVIDIA RTX A5000', 'AMPERE_24', 24, [0.27, 0.16]),
  gpu('NVIDIA GeForce RTX 3090', 'AMPERE_24', 24, [0.5, 0.22]),
  gpu('NVIDIA GeForce RTX 4090', 'ADA_24', 24, [0.74, 0.34]),
  gpu('NVIDIA L4', 'AMPERE_24', 24, [0.49, null], 'MEDIUM'),
  gpu('NVIDIA RTX PRO 4000 Blackwell', null, 24, [0.57, null], 'MEDIUM', europe),
  gpu('NVIDIA GeForce RTX 5090', 'ADA_32_PRO', 32, [0.99, 0.69]),
  gpu('NVIDIA RTX PRO 4500 Blackwell', null, 32, [0.72, null], 'MEDIUM', europe),
  gpu('NVIDIA A40', 'AMPERE_48', 48, [0.49, null]),
  gpu('NVIDIA RTX A6000', 'AMPERE_48', 48, [0.53, 0.33]),
  gpu('NVIDIA RTX 6000 Ada Generation', 'ADA_48_PRO', 48, [0.84, 0.74]),
  gpu('NVIDIA L40', 'ADA_48_PRO', 48, [0.82, 0.69], 'MEDIUM'),
  gpu('NVIDIA L40S', 'ADA_48_PRO', 48, [1.09, 0.79]),
  gpu('NVIDIA A100 80GB PCIe', 'AMPERE_80', 80, [1.59, 1.19]),
  gpu('NVIDIA A100-SXM4-80GB', 'AMPERE_80', 80, [1.59, 1.39]),
  gpu('NVIDIA H100 PCIe', 'ADA_80_PRO', 80, [2.89, 1.99], 'MEDIUM'),
  gpu('NVIDIA H100 80GB HBM3', 'ADA_80_PRO', 80, [3.49, 2.69]),
  gpu('NVIDIA RTX PRO 6000 Blackwell Server Edition', null, 96, [2.09, 1.69], 'MEDIUM'),
  gpu('NVIDIA H200', 'HOPPER_141', 141, [4.59, 3.59], 'LOW', america),
  gpu('NVIDIA B200', 'BLACKWELL_180', 180, [6.79, null], 'LOW', america),
]

const sentinel = (id: 'sold-out' | 'never-boots' | 'no-sshd' | 'dies-early'): GpuKind => ({
  ...gpu(id, null, 24, [0.2, 0.1]),
  fate: id,
})
const sentinels = [sentinel('sold-out'), sentinel('never-boots'), sentinel('no-sshd'), sentinel('dies-early')]

export const gpuKinds = (withSentinels: boolean): GpuKind[] => (withSentinels ? [...real, ...sentinels] : real)
export const gpuKind = (id: string, withSentinels: boolean): GpuKind | undefined =>
  gpuKinds(withSentinels).find(kind => kind.id === id)

/** CPU flavours of Secure Cloud; the price is in micro-dollars an hour for one vCPU. */
export type CpuKind = {
  id: string
  name: string
  group: string
  min: number
  max: number
  ramGb: number
  micro: number
}
export const cpuKinds: CpuKind[] = [
  { id: 'cpu3c', name: 'CPU3 Compute-Optimized', group: 'Compute-Optimized', min: 2, max: 32, ramGb: 2, micro: 30_000 },
  { id: 'cpu3g', name: 'CPU3 General Purpose', group: 'General Purpose', min: 2, max: 32, ramGb: 4, micro: 35_000 },
  { id: 'cpu5c', name: 'CPU5 Compute-Optimized', group: 'Compute-Optimized', min: 2, max: 32, ramGb: 2, micro: 40_000 },
]

/** Twelve letters and digits, as the live service's machine ids (recorded 2026-08): the `nth` machine of a GPU type, or of CPUs. */
export function machineOf(gpuId = 'cpu', nth: number): string {
  let hash = 0x811c9dc5
  for (const letter of `${gpuId}/${nth}`) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0
  return hash.toString(36).padStart(12, 'machine')
}

export const cpuKind = (id: string): CpuKind | undefined => cpuKinds.find(kind => kind.id === id)

/** Micro-dollars an hour for `count` GPUs, or null where that cloud does not have the type. */
export function gpuPrice(kind: GpuKind, cloud: CloudKind, count: number, scale: number): number | null {
  const each = cloud === 'SECURE' ? kind.secure : kind.community
  return each === null ? null : Math.round(each * scale) * count
}
