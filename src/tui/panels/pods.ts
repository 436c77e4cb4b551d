// The pods table: what is rented, what it does, what it waits for, what it costs.
import { type Pod, podCost, STAGES } from '../../domain/pod.ts'
import { formatClock, formatUsd } from '../../domain/units.ts'
import { bar } from '../chart.ts'
import type { Facts, Model } from '../model.ts'
import { podOrder } from '../order.ts'
import type { Region, Screen } from '../screen.ts'
import { podState } from '../state.ts'
import { type Cell, type Column, drawTable } from '../table.ts'
import { gpuCell, NOTHING, portCell, vramCell } from './cells.ts'

export const STAGE_WORDS: Record<NonNullable<Pod['stage']>, string> = {
  placed: 'placed on a machine',
  address: 'has an address',
  ssh: 'SSH answers',
  gpu: 'GPU seen',
  comfy: 'ComfyUI answers',
}

export function podColumns(facts: Facts): Column<Pod>[] {
  return [
    { id: 'pod', title: 'POD', min: 8, max: 10, drop: 0, cell: pod => ({ text: pod.id, ink: 'strong' }) },
    { id: 'status', title: 'STATUS', min: 11, max: 12, drop: 0, cell: pod => stateCell(pod) },
    { id: 'gpu', title: 'TYPE', min: 9, max: 16, drop: 2, cell: pod => ({ text: gpuName(pod), ink: 'plain' }) },
    { id: 'job', title: 'JOB', min: 18, max: 44, drop: 0, grow: 2, cell: (pod, width) => workCell(pod, facts, width) },
    { id: 'util', title: 'GPU', min: 5, max: 18, drop: 4, grow: 1, cell: (pod, width) => gpuCell(pod, facts, width) },
    { id: 'vram', title: 'VRAM', min: 8, max: 9, drop: 6, cell: pod => vramCell(pod, facts) },
    { id: 'port', title: 'PORT', min: 5, max: 5, drop: 5, right: true, cell: portCell },
    { id: 'age', title: 'AGE', min: 7, max: 8, drop: 7, right: true, cell: pod => ageCell(pod, facts) },
    { id: 'rate', title: '$/H', min: 7, max: 7, drop: 3, right: true, cell: pod => rateCell(pod) },
    { id: 'cost', title: 'COST', min: 7, max: 8, drop: 1, right: true, cell: pod => costCell(pod, facts) },
  ]
}

export function gpuName(pod: Pod): string {
  return pod.offer.gpuCount > 1 ? `${pod.offer.gpuName} ×${pod.offer.gpuCount}` : pod.offer.gpuName
}

function stateCell(pod: Pod): Cell {
  const { glyph, word, ink } = podState(pod)
  return { text: `${glyph} ${word}`, ink }
}

function workCell(pod: Pod, facts: Facts, width: number): Cell {
  const text = podWork(pod, facts, width)
  const ink = pod.broken || pod.status === 'releasing' ? 'bad' : pod.jobKey ? 'plain' : 'dim'
  return { text, ink, runsOn: pod.status !== 'ready' || pod.broken !== null || pod.linkLostAt !== null }
}

/** What it works on, or what it waits for, in plain words. */
export function podWork(pod: Pod, facts: Facts, width: number): string {
  const { now } = facts
  if (pod.status === 'gone') return pod.releaseCause ?? ''
  if (pod.status === 'releasing') {
    const since = formatClock(now - (pod.releaseAt ?? now))
    return `${pod.releaseAcceptedAt === null ? 'asked' : 'accepted'}, not proven gone for ${since}; still billed`
  }
  if (pod.broken) return pod.broken.message
  if (pod.status === 'requested') return podWaits(pod, facts)
  if (pod.status === 'booting') {
    const reached = pod.stage ? STAGES.indexOf(pod.stage) + 1 : 0
    return `${bar(reached / STAGES.length, width >= 24 ? STAGES.length : 3)} ${podWaits(pod, facts)}`
  }
  if (pod.status === 'stopped') return 'paused; its disk is billed'
  const job = pod.jobKey ? facts.fleet.jobs.get(pod.jobKey)?.spec.jobId : undefined
  if (pod.linkLostAt !== null) return `${job ? `${job} · ` : ''}no contact for ${formatClock(now - pod.linkLostAt)}`
  if (job) return job
  return pod.idleSince === null ? '' : `idle for ${formatClock(now - pod.idleSince)}`
}

/** What a pod on its way is waiting for, and for how long. */
export function podWaits(pod: Pod, facts: Facts): string {
  const time = formatClock(facts.now - (pod.createdAt ?? pod.requestedAt))
  if (pod.status === 'requested') return `requested ${time} ago`
  const note = facts.gauges.pods.get(pod.id)?.note
  return `${time} ${note ?? (pod.stage ? STAGE_WORDS[pod.stage] : 'waits for a machine')}`
}

function ageCell(pod: Pod, facts: Facts): Cell {
  const end = pod.goneAt ?? facts.now
  return { text: formatClock(end - pod.requestedAt), ink: pod.goneAt === null ? 'plain' : 'dim' }
}

function rateCell(pod: Pod): Cell {
  const open = pod.meters.at(-1)
  return open && open.to === null ? { text: formatUsd(open.perHour), ink: 'plain' } : NOTHING
}

function costCell(pod: Pod, facts: Facts): Cell {
  return { text: formatUsd(podCost(pod, facts.now)), ink: pod.goneAt === null ? 'plain' : 'dim' }
}

export function drawPods(screen: Screen, region: Region, facts: Facts, model: Model): void {
  const order = podOrder(model, facts)
  const { top, selected, sort, reverse } = model.pods
  const rows = order
    .slice(top, top + region.height - 1)
    .map(id => facts.fleet.pods.get(id))
    .filter(pod => pod !== undefined)
  drawTable(screen, region, {
    columns: podColumns(facts),
    rows,
    selected: rows.findIndex(pod => pod.id === selected),
    isMarked: pod => model.pods.marked.has(pod.id),
    sort,
    reverse,
    empty: model.filter ? `no pod contains “${model.filter}”; esc clears the filter` : 'no pods yet',
  })
}
