// The first two lines: run, pods, money, age of the news; then the panels and how many jobs are in which state.
import { runwayMs } from '../../domain/account.ts'
import { hourlyRate } from '../../domain/cost.ts'
import { formatClock, formatLimit, formatUsd, plural } from '../../domain/units.ts'
import { toFinish } from '../ahead.ts'
import { type Facts, type Model, PANEL_NAMES, type PanelName, sinceEvent } from '../model.ts'
import { jobOrder, podOrder } from '../order.ts'
import { put, type Region, type Screen } from '../screen.ts'
import { ageWords, countJobs, isOver, livePods, newsAt, runOfScreen, runToSum, spentOf } from '../state.ts'
import { clockTime } from '../story.ts'
import type { Ink } from '../style.ts'
import { clean, cut, textWidth } from '../text.ts'

/** `weight`: the heaviest go first when there is no room. */
type Segment = { text: string; ink: Ink; weight: number }

// News come at least with every sample of a pod (5 s); three times that is silence.
const NEWS_OLD_MS = 15_000

export function drawHeader(screen: Screen, region: Region, facts: Facts, model: Model): void {
  const title = ' autopod '
  let x = put(screen, region.x, region.y, title, screen.ink.title) + 1
  for (const segment of fitting(headerOf(facts, model), region.width - title.length - 2))
    x = put(screen, x, region.y, `${segment.text}  `, screen.ink[segment.ink], region.width - x)
}

function headerOf(facts: Facts, model: Model): Segment[] {
  const segments: Segment[] = []
  const add = (text: string, weight: number, ink: Ink = 'plain') => segments.push({ text, weight, ink })
  const run = runOfScreen(facts)
  add(facts.runId === null ? 'all runs' : shortRun(facts.runId), 5, 'dim')
  add(plural(livePods(facts).length, 'pod'), 2, 'strong')
  const rate = sinceEvent(facts, 'rate', () => hourlyRate(facts.fleet, facts.now, facts.runId))
  add(`${formatUsd(rate)}/h`, 1, 'strong')
  const spent = formatUsd(spentOf(facts))
  const step = run?.budgetStep ?? 0
  const cap = run?.policy.costMax
    ? ` of ${formatLimit(run.policy.costMax)}${step >= 80 ? ` (${step === 100 ? 'used up' : `over ${step} %`})` : ''}`
    : ''
  add(`spent ${spent}${cap}`, 0, step >= 90 ? 'bad' : step >= 80 ? 'wait' : 'strong')
  const isOld = facts.now - newsAt(facts) > NEWS_OLD_MS
  const ahead = isOver(facts) ? null : toFinish(facts)
  if (ahead) add(isOld ? `${ahead} ?` : ahead, 4.5, isOld ? 'dim' : 'plain')
  if (run && !isOver(facts)) add(formatClock(facts.now - run.openedAt), 6)
  const balance = facts.gauges.balance
  if (balance) {
    // The account pays for all runs, whichever the screen shows.
    const runway = runwayMs(balance.micro, hourlyRate(facts.fleet, facts.now))
    const isLow = runway !== null && runway < facts.limits.runwayLowMs
    add(
      `balance ${runway === null ? formatUsd(balance.micro) : lasting(runway)}`,
      isLow ? 1 : 7,
      isLow ? 'bad' : 'plain',
    )
  }
  if (facts.readonly) add('read only', 8, 'dim')
  if (model.frozen) {
    const since = clockTime(facts.now, facts.zone(facts.now))
    add(`‖ frozen since ${since}`, 3, 'wait')
  }
  if (!model.frozen && !isOver(facts)) {
    const text = ageWords(facts.now - newsAt(facts))
    if (facts.fleet.seq === 0) add('starting', 4, 'dim')
    else if (facts.engineAlive) add(isOld ? `last news ${text} ago ?` : `live ${text} ago`, 4, isOld ? 'dim' : 'good')
    else add('no engine', 4, 'bad')
  }
  return segments
}

/** `42 min`, `31 h`. */
export function lasting(ms: number): string {
  const hours = Math.floor(ms / 3_600_000)
  return hours < 2 ? `${Math.floor(ms / 60_000)} min` : `${hours < 1000 ? hours : '999+'} h`
}

/** `run_20261122_153045_a1b2c3d4` → `run_…_c3d4`. */
export function shortRun(runId: string): string {
  return runId.length > 12 ? `run_…_${clean(runId).slice(-4)}` : clean(runId)
}

function fitting(segments: Segment[], width: number): Segment[] {
  const kept = [...segments]
  const size = () => kept.reduce((sum, segment) => sum + textWidth(segment.text) + 2, -2)
  while (kept.length > 1 && size() > width) {
    const heaviest = kept.reduce((worst, segment) => (segment.weight > worst.weight ? segment : worst))
    kept.splice(kept.indexOf(heaviest), 1)
  }
  // A long one that went may leave room for shorter ones that went before it.
  for (const segment of segments.toSorted((a, b) => a.weight - b.weight)) {
    if (kept.includes(segment) || size() + 2 + textWidth(segment.text) > width) continue
    kept.push(segment)
  }
  return segments.filter(segment => kept.includes(segment))
}

/** The panels there are now. */
export function panelsOf(facts: Facts): readonly PanelName[] {
  return runToSum(facts) ? [...PANEL_NAMES, 'summary'] : PANEL_NAMES
}

/** The panels with their keys, and where they stand in the line. */
export function tabsOf(facts: Facts): { name: PanelName; key: string; text: string; x: number; width: number }[] {
  const counts: Partial<Record<PanelName, number>> = { jobs: countJobs(facts).jobs, pods: livePods(facts).length }
  let x = 1
  return panelsOf(facts).map((name, index) => {
    const text = counts[name] === undefined ? name : `${name} ${counts[name]}`
    const tab = { name, key: name === 'summary' ? 'S' : String(index + 1), text, x, width: text.length + 2 }
    x += tab.width + 2
    return tab
  })
}

export function drawTabs(screen: Screen, region: Region, facts: Facts, model: Model): void {
  const { ink } = screen
  const counts = countJobs(facts)
  let x = region.x + 1
  for (const tab of tabsOf(facts)) {
    put(screen, region.x + tab.x, region.y, tab.key, ink.key)
    put(screen, region.x + tab.x + 2, region.y, tab.text, model.panel === tab.name ? ink.title : ink.dim)
    x = region.x + tab.x + tab.width + 2
  }
  const marked = model.panel === 'pods' ? model.pods.marked.size : model.panel === 'jobs' ? model.jobs.marked.size : 0
  if (marked > 0) x = put(screen, x, region.y, `● ${marked} marked`, ink.key) + 2
  if (model.filter && !model.editing) {
    const listed = model.panel === 'pods' ? podOrder(model, facts).length : jobOrder(model, facts).length
    x = put(screen, x, region.y, cut(`/${clean(model.filter)} → ${listed}`, 24), ink.wait) + 2
  }
  const states: [string, number, Ink][] = [
    ['⟳ %n running', counts.running, 'busy'],
    ['✗ %n failed', counts.failed, 'bad'],
    ['⋯ %n waiting', counts.waiting, 'wait'],
    ['✓ %n done', counts.done, 'good'],
    ['⊘ %n cancelled', counts.cancelled, 'dim'],
  ]
  for (const [text, count, colour] of states) {
    if (count === 0) continue
    const shown = text.replace('%n', String(count))
    if (x + textWidth(shown) > region.width) return
    x = put(screen, x, region.y, shown, ink[colour]) + 2
  }
}
