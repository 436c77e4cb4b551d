// Lines across the screen for what must not be overlooked: needs a person, nothing is known, over, no engine.
import { RELEASE_SLOW_MS } from '../../domain/notice.ts'
import type { Pod } from '../../domain/pod.ts'
import { formatClock, formatUsd, type Millis, plural } from '../../domain/units.ts'
import { lingersMs } from '../lingering.ts'
import { type Facts, type Model, once, sinceEvent } from '../model.ts'
import { put, type Region, type Screen } from '../screen.ts'
import {
  countJobs,
  isJobShown,
  livePods,
  podOfJob,
  RUN_WORDS,
  runOfScreen,
  spentOf,
  stallOf,
  stallWords,
} from '../state.ts'
import { balanceWords, clockTime } from '../story.ts'
import type { Ink } from '../style.ts'
import { clean, cut, textWidth, wrap } from '../text.ts'
import { wrapParts } from './lines.ts'

export type Banner = { text: string; ink: Ink }

// More would push the table away.
const SCREEN_ROWS_EACH = 8
const ROWS_MIN = 2
const ROWS_MAX = 5

/** Their rows, as many as there is room for: the most urgent come first, and take the rows that the others leave. */
export function bannersOf(facts: Facts, model: Model): Banner[] {
  const all = allBanners(facts, model)
  const room = Math.min(ROWS_MAX, Math.max(ROWS_MIN, Math.floor(model.height / SCREEN_ROWS_EACH)))
  const hidden = all.length - room
  let spare = Math.max(0, -hidden)
  return all.slice(0, room).flatMap(({ text, ink }, index) => {
    const more = hidden > 0 && index === room - 1 ? ` +${hidden} more` : ''
    const rows = inRows(clean(text), model.width - 2 - more.length, spare > 0)
    spare -= rows.length - 1
    return rows.map(row => ({ ink, text: row + more }))
  })
}

/** One row or two, broken between parts where that is enough. */
function inRows(text: string, width: number, hasSecond: boolean): string[] {
  if (!hasSecond || textWidth(text) <= width) return [cut(text, width)]
  const parts = wrapParts(text, width)
  const [first = ''] = parts.length === 2 ? parts : wrap(text, width)
  return [first, cut(`  ${text.slice(first.length).replace(/^[ ·]+/, '')}`, width)]
}

/** The layout asks, too. */
function allBanners(facts: Facts, model: Model): readonly Banner[] {
  return once(facts, `banners ${model.jobs.selected} ${model.touchedAt}`, () => newBanners(facts, model))
}

function newBanners(facts: Facts, model: Model): Banner[] {
  const banners: Banner[] = []
  const add = (ink: Ink, text: string) => banners.push({ ink, text })
  if (facts.homeTrouble) add('bad', `✗ ${facts.homeTrouble}`)
  for (const [name, provider] of facts.fleet.providers)
    if (provider.operator)
      add(
        'bad',
        `✗ ${name}: ${provider.operator.message}${provider.operator.hint ? ` · ${provider.operator.hint}` : ''}`,
      )
  for (const [name, { balance }] of facts.fleet.providers)
    if (balance) add('bad', `✗ ${name}: the balance is low${balanceWords(balance.level)} · Add credit`)
  const run = runOfScreen(facts)
  const live = livePods(facts)
  const { ending, lost, bare } = sinceEvent(facts, 'pods in trouble', () => ({
    ending: live.filter(pod => pod.status === 'releasing'),
    lost: live.filter(pod => pod.linkLostAt !== null),
    bare: live.filter(pod => pod.guarded === false),
  }))
  for (const pod of ending) {
    const text = slowEnd(pod, facts.now)
    if (text) add('bad', text)
  }
  if (lost[0]) add('bad', unknown(lost[0], lost.length - 1, facts))
  if (run && run.status !== 'running') add(RUN_WORDS[run.status].ink, summary(facts, model))
  // A run's own screen has its engine started anew without being asked.
  const begins = facts.readonly || facts.runId !== null ? '' : ' · a command starts one'
  if (!facts.engineAlive && live.length > 0)
    add('bad', `✗ no engine is running: nothing moves, and ${plural(live.length, 'pod')} may still be billed${begins}`)
  else if (!facts.engineAlive && (!run || run.status === 'running'))
    add('wait', `○ no engine is running: nothing moves${begins}`)
  for (const text of stuckOf(facts, model)) add('bad', text)
  if (bare[0]) add('wait', unguarded(bare[0], bare.length - 1))
  for (const [name, provider] of facts.fleet.providers)
    if (provider.listingLostAt !== null)
      add(
        'wait',
        `? ${name} has given no complete list of pods for ${formatClock(facts.now - provider.listingLostAt)}${provider.listingFault ? `: ${provider.listingFault.message}` : ''}`,
      )
  if (run?.status === 'running') {
    if (run.budgetStep === 80) add('wait', '! 80 % of the money is spent')
    else if (run.budgetStep >= 90 && !run.limitReached) add('bad', '! 90 % of the money is spent: nothing new starts')
    if (run.limitReached) add('bad', `✗ the limit of ${run.limitReached} is reached: nothing new starts`)
    if (run.cancelRequested) add('wait', '⊘ terminating: every pod is being ended')
    else if (run.draining) add('wait', '↓ draining: running jobs are finished, nothing new is started')
  }
  return banners
}

/** A termination that takes too long: how long, what it costs, and how to end it by hand. */
function slowEnd(pod: Pod, now: Millis): string | null {
  if (pod.releaseAt === null || now - pod.releaseAt < RELEASE_SLOW_MS) return null
  const since = formatClock(now - pod.releaseAt)
  const cost = `${formatUsd(pod.meters.at(-1)?.perHour ?? pod.offer.perHour)}/h`
  return `✗ ${pod.id} not proven gone for ${since}, ${cost}: end it at ${pod.provider} by hand, ${pod.name}${pod.ref ? ` (${pod.ref})` : ''}`
}

/** Nothing ends it when this machine cannot. */
function unguarded(pod: Pod, others: number): string {
  const more = others > 0 ? ` (and ${others} more)` : ''
  return `! ${pod.id}${more} would not end itself if this machine failed: end it by hand then, ${pod.name}`
}

/** What is said of it is from before. */
function unknown(pod: Pod, others: number, facts: Facts): string {
  const since = pod.linkLostAt ?? facts.now
  const job = pod.jobKey ? facts.fleet.jobs.get(pod.jobKey) : undefined
  const name = `${pod.id}${job ? ` (${job.spec.jobId})` : ''}${others > 0 ? ` and ${others} more` : ''}`
  return `? ${name} unknown since ${clockTime(since, facts.zone(since))}, ${formatClock(facts.now - since)}: no contact, still billed`
}

/** One line for all that show no life and for which nobody has chosen yet. */
function stuckOf(facts: Facts, model: Model): string[] {
  const stuck = sinceEvent(facts, 'stuck', () =>
    livePods(facts).flatMap(({ jobKey }) => {
      const job = jobKey ? facts.fleet.jobs.get(jobKey) : undefined
      const stall = job && stallOf(job)
      return stall && stall.waitAskedAt === null && isJobShown(job, facts) ? [{ job, stall }] : []
    }),
  )
  // What the keys act on is spoken of first.
  const first = stuck.find(({ job }) => job.key === model.jobs.selected) ?? stuck[0]
  if (!first) return []
  const { job, stall } = first
  const perHour = podOfJob(job, facts)?.offer.perHour ?? 0
  const others = stuck.length > 1 ? ` (and ${stuck.length - 1} more)` : ''
  const keys = facts.readonly || job.key !== model.jobs.selected ? '' : ' · k kill  w wait  o look'
  return [`? ${job.spec.jobId}${others} stuck? ${formatUsd(perHour)}/h · ${stallWords(stall, job, facts)}${keys}`]
}

function summary(facts: Facts, model: Model): string {
  const run = runOfScreen(facts)
  if (!run) return ''
  const { glyph, word } = RUN_WORDS[run.status]
  const counts = countJobs(facts)
  const tally = [
    `${counts.done} done`,
    counts.failed ? `${counts.failed} failed` : '',
    counts.cancelled ? `${counts.cancelled} cancelled` : '',
    counts.waiting ? `${counts.waiting} not run` : '',
  ].filter(Boolean)
  const closedAt = run.closedAt ?? facts.now
  const live = livePods(facts).length
  const pods = run.policy.keep
    ? `${plural(live, 'pod')} kept`
    : live === 0
      ? 'all pods gone'
      : `${plural(live, 'pod')} not proven gone yet`
  const lingers = lingersMs(facts, model)
  const leaves = lingers === null || lingers <= 0 ? '' : ` · closes in ${Math.ceil(lingers / 1000)} s`
  return `${glyph} ${word}: ${tally.join(', ')} · ${formatClock(closedAt - run.openedAt)} · ${formatUsd(spentOf(facts))} · ${pods}${leaves}`
}

export function drawBanners(screen: Screen, region: Region, facts: Facts, model: Model): void {
  for (const [row, { text, ink }] of bannersOf(facts, model).entries())
    put(screen, region.x + 1, region.y + row, text, screen.ink[ink])
}
