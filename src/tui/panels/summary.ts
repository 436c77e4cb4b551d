// What a run came to, once it is over: what was made, what it cost and why, what failed for which cause, and that nothing is left.
import { mayBill } from '../../domain/pod.ts'
import { type CauseTotal, type Failure, type Review, reviewOf } from '../../domain/review.ts'
import { formatBytes, formatClock, formatShare, formatUsd, plural } from '../../domain/units.ts'
import { type Facts, type Model, sinceEvent } from '../model.ts'
import { frame, type Region, type Screen } from '../screen.ts'
import { RUN_WORDS, runToSum } from '../state.ts'
import type { Line } from '../story.ts'
import { clean, wrap } from '../text.ts'
import { drawLines, wrapParts } from './lines.ts'

const BAR = 16
const BAR_NARROW = 8
const NARROW = 64
/** Names of more jobs are in the report. */
const NAMES_MAX = 8

const plain = (text: string): Line => ({ text, ink: 'plain' })
const head = (text: string): Line => ({ text, ink: 'strong' })
const GAP = plain('')

export function drawSummary(screen: Screen, region: Region, facts: Facts, model: Model): void {
  const inside = frame(screen, region, 'summary')
  drawLines(screen, region, inside, summaryLines(facts, inside.width), model.summaryTop ?? 0)
}

/** All lines, cleaned; [] when no run is over. */
export function summaryLines(facts: Facts, width: number): Line[] {
  const run = runToSum(facts)
  if (!run) return []
  const page = facts.report(run.id)
  const review = sinceEvent(facts, `review ${run.id}`, () => reviewOf(facts.fleet, run, facts.now))
  const { failures } = review
  return [
    ...verdict(review).flatMap(({ text, ink }) => wrapParts(text, width).map(line => ({ text: line, ink }))),
    page ? { text: clean(`▸ v opens ${page}`), ink: 'key' } : plain('the report is being written …'),
    ...(failures.length > 0
      ? [GAP, head('what failed, by cause'), ...failures.flatMap(one => failureLines(one, width))]
      : []),
    ...(review.total > 0
      ? [GAP, head('where the money went'), ...moneyLines(review, width < NARROW ? BAR_NARROW : BAR)]
      : []),
    ...fileLines(review),
  ]
}

function verdict({ run, jobs, pods, total, waste, until }: Review): Line[] {
  const { glyph, word, ink } = RUN_WORDS[run.status]
  const count = (status: string) => jobs.filter(job => job.status === status).length
  const parts = [`${count('completed')} of ${plural(jobs.length, 'job')} done`]
  for (const status of ['failed', 'cancelled', 'waiting'])
    if (count(status) > 0) parts.push(`${count(status)} ${status}`)
  const took = formatClock((run.closedAt ?? until) - run.openedAt)
  const left = pods.filter(mayBill)
  const share = total > 0 ? ` · waste ${formatUsd(waste)} (${formatShare(waste, total)})` : ''
  const lines: Line[] = [
    { text: `${glyph} ${word} · ${parts.join(', ')} · ${took}`, ink },
    plain(
      `${formatUsd(total)} on ${plural(pods.length, 'pod')}${share}${left.length === 0 && pods.length > 0 ? ' · all proven gone' : ''}`,
    ),
  ]
  for (const pod of left)
    lines.push({
      text: `✗ ${pod.id} is not proven gone: ${formatUsd(pod.offer.perHour)}/h; end it with autopod kill ${pod.id}`,
      ink: 'bad',
    })
  return lines
}

function failureLines({ message, hint, jobs, recovered, attempts, pods, micro }: Failure, width: number): Line[] {
  const counts = [
    jobs.length > 0 ? `${plural(jobs.length, 'job')} failed` : '',
    recovered.length > 0 ? `${recovered.length} tried again` : '',
    attempts > 0 ? `${plural(attempts, 'attempt')} lost` : '',
    pods.length > 0 ? `${plural(pods.length, 'pod')} broke` : '',
    formatUsd(micro),
  ]
  const names = [...jobs, ...recovered].map(job => job.spec.jobId).concat(pods.map(pod => pod.id))
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : ''
  const lines = wrap(clean(`✗ ${message}`), width).map(
    (text): Line => ({ text, ink: jobs.length > 0 ? 'bad' : 'wait' }),
  )
  lines.push({ text: `  ${counts.filter(Boolean).join(' · ')}`, ink: 'dim' })
  if (hint) lines.push(...wrap(clean(`  ▸ ${hint}`), width).map(plain))
  lines.push(...wrap(clean(`  ${names.slice(0, NAMES_MAX).join(', ')}${more}`), width).map(plain))
  return lines
}

function moneyLines({ causes, total }: Review, barWidth: number): Line[] {
  return causes.map(({ cause, sense, ms, micro }: CauseTotal): Line => {
    const share = total > 0 ? micro / total : 0
    const filled = Math.round(share * barWidth)
    const bar = '▓'.repeat(filled) + '░'.repeat(barWidth - filled)
    const percents = formatShare(micro, total).padStart(5)
    const text = `  ${cause.padEnd(9)} ${bar} ${percents} ${formatUsd(micro).padStart(8)} ${formatClock(ms).padStart(8)}  ${sense === 'work' ? '' : sense}`
    return { text, ink: sense === 'work' ? 'busy' : sense === 'waste' ? 'wait' : 'plain' }
  })
}

function fileLines({ jobs }: Review): Line[] {
  const files = jobs.flatMap(job => job.published)
  if (files.length === 0) return []
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const lines = files.map(file => plain(clean(`  ${file.path ?? file.url ?? ''}  ${formatBytes(file.bytes)}`)))
  return [GAP, head(`${plural(files.length, 'file')}, ${formatBytes(bytes)}, each verified`), ...lines]
}
