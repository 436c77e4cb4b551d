// Cells that several tables show: what a pod's GPU does, how full its memory is, where its tunnel is.
import type { Pod } from '../../domain/pod.ts'
import { sparkline } from '../chart.ts'
import type { Facts } from '../model.ts'
import { isPodGaugeOld } from '../state.ts'
import type { Cell } from '../table.ts'

export const NOTHING: Cell = { text: '', ink: 'plain' }

export function gpuCell(pod: Pod | null, facts: Facts, width: number): Cell {
  const gauge = pod && facts.gauges.pods.get(pod.id)
  if (!pod || !gauge || pod.status !== 'ready') return NOTHING
  const isOld = isPodGaugeOld(gauge, facts.now)
  const figure = `${String(Math.round(gauge.gpuUtil)).padStart(3)}${isOld ? ' ?' : ' %'}`
  const text = width >= 10 ? `${figure} ${sparkline(gauge.history, width - 6)}` : figure
  return { text, ink: isOld ? 'dim' : 'plain' }
}

export function vramCell(pod: Pod | null, facts: Facts): Cell {
  const gauge = pod && facts.gauges.pods.get(pod.id)
  if (!pod || !gauge || pod.status !== 'ready' || gauge.vramTotalMiB === 0) return NOTHING
  const isOld = isPodGaugeOld(gauge, facts.now)
  const gb = (mib: number) => Math.round(mib / 1024)
  const figure = `${gb(gauge.vramUsedMiB)}/${gb(gauge.vramTotalMiB)}`
  return { text: isOld ? `${figure} ?` : `${figure} GB`, ink: isOld ? 'dim' : 'plain' }
}

export function portCell(pod: Pod | null): Cell {
  return pod?.localPort && pod.status === 'ready' ? { text: String(pod.localPort), ink: 'plain' } : NOTHING
}
