// Network volumes of the simulated provider: made, renamed, grown, deleted, billed by the month. Pure, like the cloud it is part of.
import { storageRate, turn } from './bills.ts'
import { dataCenters } from './catalog.ts'
import { diceFrom } from './faults.ts'
import type { Cloud, Refusal, Volume } from './state.ts'

export type VolumeOutcome = { kind: 'done'; volume: Volume } | Refusal

// $0.07 a GB and month under 1 TB, $0.05 above; the high-performance type's price is a guess (RunPod documentation, 2026-08).
const rateOf = ({ size, type }: Volume) =>
  storageRate(size, type === 'HIGH_PERFORMANCE' ? 140_000 : size <= 1024 ? 70_000 : 50_000)

const withVolume = (cloud: Cloud, volume: Volume, nowMs: number): Cloud => {
  const bill = cloud.volumeBills[volume.id] ?? { id: volume.id, name: volume.name, meters: [] }
  const volumeBills = { ...cloud.volumeBills, [volume.id]: turn(bill, nowMs, { gpu: 0, cpu: 0, disk: rateOf(volume) }) }
  return { ...cloud, volumes: { ...cloud.volumes, [volume.id]: volume }, volumeBills }
}
const missing: Refusal = { kind: 'refused', status: 404, detail: 'network volume not found' }

export function createVolume(cloud: Cloud, nowMs: number, order: Omit<Volume, 'id'>): [Cloud, VolumeOutcome] {
  if (!dataCenters.some(center => center.id === order.dataCenter))
    return [cloud, { kind: 'refused', status: 400, detail: `unknown data center "${order.dataCenter}"` }]
  const dice = diceFrom(cloud.dice, cloud.settings.faults)
  const volume = { ...order, id: dice.text(10, 'abcdefghijklmnopqrstuvwxyz0123456789') }
  return [withVolume({ ...cloud, dice: dice.state() }, volume, nowMs), { kind: 'done', volume }]
}

/** Renames or grows; a volume never shrinks. */
export function changeVolume(
  cloud: Cloud,
  nowMs: number,
  id: string,
  changes: { name?: string; size?: number },
): [Cloud, VolumeOutcome] {
  const volume = Object.hasOwn(cloud.volumes, id) ? cloud.volumes[id] : undefined
  if (!volume) return [cloud, missing]
  if (changes.size !== undefined && changes.size < volume.size)
    return [cloud, { kind: 'refused', status: 400, detail: 'a network volume can only grow' }]
  const changed = { ...volume, ...changes }
  return [withVolume(cloud, changed, nowMs), { kind: 'done', volume: changed }]
}

export function deleteVolume(cloud: Cloud, nowMs: number, id: string): [Cloud, VolumeOutcome] {
  const volume = Object.hasOwn(cloud.volumes, id) ? cloud.volumes[id] : undefined
  const bill = cloud.volumeBills[id]
  if (!volume || !bill) return [cloud, missing]
  const user = Object.values(cloud.pods).find(pod => pod.mounts.network?.some(mount => mount.volumeId === id))
  if (user) return [cloud, { kind: 'refused', status: 400, detail: `network volume is in use by pod ${user.id}` }]
  const { [id]: _, ...volumes } = cloud.volumes
  const volumeBills = { ...cloud.volumeBills, [id]: turn(bill, nowMs, null) }
  return [
    { ...cloud, volumes, volumeBills },
    { kind: 'done', volume },
  ]
}
