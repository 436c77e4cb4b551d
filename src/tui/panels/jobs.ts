// The jobs table: one row a job, what it does, how far it is, on what, for how much.
import { openRuns } from '../../domain/census.ts'
import { jobCost } from '../../domain/cost.ts'
import { type Hold, holdOf } from '../../domain/hold.ts'
import { isSettled, type Job, liveAttempt } from '../../domain/job.ts'
import { isUsable, type Pod } from '../../domain/pod.ts'
import { formatClock, formatLimit, formatUsd, type Millis, plural } from '../../domain/units.ts'
import { bar } from '../chart.ts'
import { allocationOf, type Facts, forAWhile, type Model, sinceEvent } from '../model.ts'
import { jobOrder } from '../order.ts'
import type { Region, Screen } from '../screen.ts'
import { gaugeOf, isJobGaugeOld, isJobShown, jobState, livePods, podOfJob, stallOf, stallWords } from '../state.ts'
import { type Cell, type Column, drawTable } from '../table.ts'
import { clean, cutMiddle } from '../text.ts'
import { gpuCell, NOTHING, portCell, vramCell } from './cells.ts'
import { shortRun } from './header.ts'
import { podWaits } from './pods.ts'

const DASH: Cell = { text: '–', ink: 'dim' }

/** `idWidth`: cells of the longest job id, so that short ones leave room for figures. */
export function jobColumns(facts: Facts, idWidth: number): Column<Job>[] {
  const columns: Column<Job>[] = [
    {
      id: 'job',
      title: 'JOB',
      min: Math.min(idWidth, 11),
      max: Math.min(idWidth, 32),
      drop: 0,
      grow: 0,
      cell: (job, width) => ({ text: cutMiddle(clean(job.spec.jobId), width), ink: 'strong' }),
    },
    { id: 'pod', title: 'POD', min: 8, max: 10, drop: 2, cell: job => podCell(job, facts) },
    { id: 'status', title: 'STATUS', min: 12, max: 14, drop: 0, cell: job => stateCell(job, facts) },
    {
      id: 'progress',
      title: 'PROGRESS',
      min: 23,
      max: 44,
      drop: 0,
      grow: 3,
      cell: (job, w) => progressCell(job, facts, w),
    },
    {
      id: 'gpu',
      title: 'GPU',
      min: 5,
      max: 13,
      drop: 4,
      grow: 1,
      cell: (job, width) => gpuCell(livePod(job, facts), facts, width),
    },
    { id: 'vram', title: 'VRAM', min: 8, max: 9, drop: 7, cell: job => vramCell(livePod(job, facts), facts) },
    { id: 'port', title: 'PORT', min: 5, max: 5, drop: 3, right: true, cell: job => portCell(livePod(job, facts)) },
    { id: 'age', title: 'AGE', min: 7, max: 8, drop: 6, right: true, cell: job => ageCell(job, facts.now) },
    { id: 'cost', title: 'COST', min: 7, max: 8, drop: 1, right: true, cell: job => costCell(job, facts) },
  ]
  // Job ids are unique within a run only.
  if (facts.runId === null && facts.fleet.runs.size > 1)
    columns.unshift({
      id: 'run',
      title: 'RUN',
      min: 10,
      max: 10,
      drop: 5,
      cell: job => ({ text: shortRun(job.runId), ink: 'dim' }),
    })
  return columns
}

function livePod(job: Job, facts: Facts): Pod | null {
  return liveAttempt(job) ? podOfJob(job, facts) : null
}

function podCell(job: Job, facts: Facts): Cell {
  const pod = podOfJob(job, facts)
  if (!pod) return DASH
  return { text: pod.id, ink: liveAttempt(job) ? 'plain' : 'dim' }
}

function stateCell(job: Job, facts: Facts): Cell {
  const { glyph, word, ink } = jobState(job, facts)
  return { text: `${glyph} ${word}`, ink }
}

function progressCell(job: Job, facts: Facts, width: number): Cell {
  if (job.status === 'failed') return { text: job.fault?.message ?? '', ink: 'bad', runsOn: true }
  if (job.status === 'cancelled') return NOTHING
  if (job.status === 'completed') {
    const tries = job.attempts.length > 1 ? ` · attempt ${job.attempts.length}` : ''
    return { text: `${plural(job.published.length, 'file')} saved${tries}`, ink: 'dim', runsOn: true }
  }
  if (!liveAttempt(job)) return { text: waitingFor(job, facts), ink: 'wait', runsOn: true }
  const stall = stallOf(job)
  if (stall) return { text: stallWords(stall, job, facts), ink: 'bad', runsOn: true }
  return { text: progressText(job, facts, width), ink: isDoubtful(job, facts) ? 'dim' : 'busy' }
}

/** Why a waiting job waits, in plain words. */
export function waitingFor(job: Job, facts: Facts): string {
  const next = job.attempts.length + 1
  const again = next > 1 ? ` · attempt ${next}` : ''
  const why = job.fault && next > 1 ? `: ${job.fault.message}` : ''
  if (job.dueAt > facts.now) return `again in ${formatClock(job.dueAt - facts.now)}${again}${why}`
  const pod = bootingFor(job, facts)
  if (pod) return `${pod.id} boots: ${podWaits(pod, facts)}${again}`
  const hold = holds(facts).get(job.runId)
  if (hold) return `${holdWords(hold)}${again}${why}`
  return `${livePods(facts).some(isUsable) ? 'next free pod' : 'a pod'}${again}${why}`
}

// Time alone moves it, and slowly; each row of a large batch asks for it.
const HOLD_MS = 1000

/** By run, of those that are held back. */
function holds(facts: Facts): Map<string, Hold> {
  return forAWhile(facts, 'holds', HOLD_MS, () => {
    const { fleet, now, limits } = facts
    return new Map(
      openRuns(fleet).flatMap((run): [string, Hold][] => {
        const hold = holdOf(fleet, run, now, limits)
        return hold ? [[run.id, hold]] : []
      }),
    )
  })
}

function holdWords(hold: Hold): string {
  return hold.limit === 'hourly'
    ? `a pod to end: ${formatUsd(hold.taken)} of ${formatLimit(hold.max)}/h are taken (--max-hourly)`
    : `what is under way: it may leave too little of ${formatLimit(hold.max)} for another pod (--max-cost)`
}

/** The booting pod that will most likely take it: the first free one for the first job due. */
function bootingFor(job: Job, facts: Facts): Pod | null {
  const booting = sinceEvent(facts, 'booting', () =>
    livePods(facts).filter(pod => isUsable(pod) && pod.status !== 'ready'),
  )
  const due = sinceEvent(facts, 'due', () => {
    const keys: string[] = []
    for (const other of facts.fleet.jobs.values())
      if (keys.length < booting.length && other.status === 'waiting' && isJobShown(other, facts)) keys.push(other.key)
    return keys
  })
  return booting[due.indexOf(job.key)] ?? null
}

function isDoubtful(job: Job, facts: Facts): boolean {
  const gauge = gaugeOf(job, facts)
  const pod = podOfJob(job, facts)
  return (gauge !== null && isJobGaugeOld(gauge, facts.now)) || (pod !== null && pod.linkLostAt !== null)
}

// Below this the rate of the first moments (loading a model) says nothing about the rest.
const BASIS_FRACTION = 0.1
const BASIS_MS = 20_000

// As long as the words of most rows (` 67 % 18:50 left`), so that their bars can be compared.
const WORDS_WIDTH = 16
const BAR_MIN = 3
const BAR_MAX = 20

/** `▓▓▓▓░░ 67 % 6:18 left`. A later attempt says so, whatever else there is no room for: the bar began anew. */
export function progressText(job: Job, facts: Facts, width: number): string {
  const attempt = liveAttempt(job)
  if (!attempt) return ''
  const gauge = gaugeOf(job, facts)
  const since = attempt.startedAt ?? attempt.requestedAt
  const underWay = Math.max(0, facts.now - since)
  const again = attempt.number > 1 ? ` attempt ${attempt.number}` : ''
  const doubt = isDoubtful(job, facts) ? ' ?' : ''
  const fraction = gauge?.fraction ?? null
  if (fraction === null) {
    const words = `${formatClock(underWay)} under way${again}${doubt}`
    return words.length <= width ? words : `${formatClock(underWay)}${again}${doubt}`
  }
  const knownAt = gauge ? gauge.at - since : 0
  const hasBasis = gauge?.phase === 'running' && fraction >= BASIS_FRACTION && fraction < 1 && knownAt >= BASIS_MS
  const left = (knownAt / fraction) * (1 - fraction) - (facts.now - (gauge?.at ?? facts.now))
  const time = hasBasis && left > 0 && !doubt ? `${formatClock(left)} left` : formatClock(underWay)
  const percents = ` ${String(Math.floor(fraction * 100)).padStart(2)} %`
  const all = `${percents} ${time}${again}${doubt}`
  const words = all.length <= width - BAR_MIN ? all : `${percents}${again}${doubt}`
  const room = width - Math.max(WORDS_WIDTH, words.length)
  return `${bar(fraction, Math.max(BAR_MIN, Math.min(BAR_MAX, room)))}${words}`
}

/** Since the first attempt until the end: what the job took, not what it waited. */
function ageCell(job: Job, now: Millis): Cell {
  const first = job.attempts[0]
  if (!first) return NOTHING
  return { text: formatClock((job.settledAt ?? now) - first.requestedAt), ink: isSettled(job) ? 'dim' : 'plain' }
}

function costCell(job: Job, facts: Facts): Cell {
  if (job.attempts.length === 0) return NOTHING
  return { text: formatUsd(jobCost(facts.fleet, job, facts.now, allocationOf(facts))), ink: 'plain' }
}

// Shorter ids would make the columns jump when the first longer one comes.
const ID_WIDTH_MIN = 7

function idWidthOf(facts: Facts): number {
  return sinceEvent(facts, 'id width', () => {
    let width = ID_WIDTH_MIN
    for (const job of facts.fleet.jobs.values())
      if (isJobShown(job, facts)) width = Math.max(width, job.spec.jobId.length)
    return width
  })
}

export function drawJobs(screen: Screen, region: Region, facts: Facts, model: Model): void {
  const order = jobOrder(model, facts)
  const { top, selected, sort, reverse } = model.jobs
  const rows = order
    .slice(top, top + region.height - 1)
    .map(key => facts.fleet.jobs.get(key))
    .filter(job => job !== undefined)
  drawTable(screen, region, {
    columns: jobColumns(facts, idWidthOf(facts)),
    rows,
    selected: rows.findIndex(job => job.key === selected),
    isMarked: job => model.jobs.marked.has(job.key),
    sort,
    reverse,
    empty: model.filter ? `no job contains “${model.filter}”; esc clears the filter` : 'no jobs yet',
  })
}
