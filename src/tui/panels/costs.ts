// The costs panel: what is spent an hour and what was spent altogether, over time and by cause.
import { CAUSES, type Cause, type Entry, entriesOf, livesOf } from '../../domain/ledger.ts'
import { addedUp, type CauseSpend, type Spending, spendingOf, totalsByCause } from '../../domain/spending.ts'
import { formatClock, formatShare, formatUsd, type Millis } from '../../domain/units.ts'
import { type Facts, forAWhile } from '../model.ts'
import { drawAreas, drawAxes, drawLines, niceCeiling, type Series, usesMarks } from '../plot.ts'
import { put, type Region, type Screen } from '../screen.ts'
import { runOfScreen } from '../state.ts'
import { clockTime } from '../story.ts'
import { attribute } from '../style.ts'
import { cut } from '../text.ts'

// Colour (256, then 16) and letter of each cause. Money that made outputs is blue and green, waste is orange and red. A cause that is
// not listed gets what is left over.
const LOOKS: Partial<Record<string, readonly [full: number, sixteen: number, mark: string]>> = {
  request: [60, 13, 'Q'],
  boot: [180, 5, 'B'],
  transfer: [75, 12, 'T'],
  render: [79, 6, 'R'],
  idle: [186, 3, 'I'],
  held: [141, 11, 'H'],
  stuck: [167, 1, 'S'],
  failed: [208, 9, 'F'],
  stopped: [245, 8, 'P'],
  teardown: [240, 7, 'X'],
}
const OTHER = [252, 15, 'O'] as const

/** A viewer of a home with weeks of history shows this much of it. */
const WINDOW_MS = 24 * 3_600_000
const LABEL_WIDTH = 7
const DEAREST_MAX = 8
// More often would cost time and show nothing.
const BOOK_MS = 1000
// It looks at every attempt. Sums are right meanwhile: only what a pod turned to in these seconds counts for what it did before.
const LIVES_MS = 5000
// Below this many rows a second chart would leave neither of them readable.
const BOTH_ROWS_MIN = 17

type Book = {
  entries: readonly Entry[]
  totals: readonly CauseSpend[]
  /** Jobs and what they cost here, the dearest first. */
  dearest: readonly (readonly [jobKey: string, micro: number])[]
  from: Millis
  to: Millis
  /** Cut into this many steps already. */
  cuts: Map<number, Spending>
}

function bookOf(facts: Facts): Book {
  return forAWhile(facts, 'book', BOOK_MS, () => newBook(facts))
}

function newBook(facts: Facts): Book {
  const { fleet, now, runId } = facts
  const lives = forAWhile(facts, 'lives', LIVES_MS, () =>
    livesOf(fleet).filter(({ pod }) => runId === null || pod.runId === runId),
  )
  const all = entriesOf(lives, now)
  const to = all.reduce((last, entry) => Math.max(last, entry.to), 0) || now
  const first = all.reduce((least, entry) => Math.min(least, entry.from), to)
  const from = runId === null ? Math.max(first, to - WINDOW_MS) : (runOfScreen(facts)?.openedAt ?? first)
  const entries = all.filter(entry => entry.to >= from)
  const rateOf = (podId: string) => {
    const meter = fleet.pods.get(podId)?.meters.at(-1)
    return meter && meter.to === null ? meter.perHour : 0
  }
  const byJob = new Map<string, number>()
  for (const { jobKey, micro } of entries) if (jobKey) byJob.set(jobKey, (byJob.get(jobKey) ?? 0) + micro)
  const dearest = [...byJob].toSorted((a, b) => b[1] - a[1]).slice(0, DEAREST_MAX)
  return {
    entries,
    dearest,
    totals: totalsByCause(entries, CAUSES, rateOf),
    from,
    to: Math.max(to, from + 1000),
    cuts: new Map(),
  }
}

function cutInto(book: Book, steps: number): Spending {
  const spending = book.cuts.get(steps) ?? spendingOf(book.entries, book.from, book.to, steps)
  book.cuts.set(steps, spending)
  return spending
}

export function drawCosts(screen: Screen, region: Region, facts: Facts): void {
  const book = bookOf(facts)
  const spent = book.totals.reduce((sum, total) => sum + total.micro, 0)
  if (spent === 0) {
    put(screen, region.x + 1, region.y, 'nothing has been spent yet', screen.ink.dim)
    return
  }
  put(screen, region.x + 1, region.y, cut(summary(book, spent, facts), region.width - 2), screen.ink.strong)
  const hasRates = region.width >= 100
  const legendWidth = hasRates ? 38 : 27
  const rest = { ...region, x: region.x + 1, y: region.y + 2, height: region.height - 2 }
  drawLegend(screen, { ...rest, x: region.x + region.width - legendWidth, width: legendWidth }, book, spent, hasRates)
  const charts = { ...rest, width: region.width - legendWidth - 3 }
  if (charts.height < BOTH_ROWS_MIN) {
    drawRate(screen, charts, book, facts)
    return
  }
  const half = Math.floor(charts.height / 2)
  drawRate(screen, { ...charts, height: half }, book, facts)
  drawSpent(screen, { ...charts, y: charts.y + half, height: charts.height - half }, book, spent, facts)
}

function summary(book: Book, spent: number, facts: Facts): string {
  const of = (...causes: string[]) =>
    book.totals.reduce((sum, total) => sum + (causes.includes(total.cause) ? total.micro : 0), 0)
  const perHour = book.totals.reduce((sum, total) => sum + total.perHour, 0)
  const wasted = of('failed', 'stuck', 'idle', 'held')
  const parts = [
    `${formatUsd(spent)} in ${formatClock(book.to - book.from)}`,
    perHour > 0 ? `${formatUsd(perHour)}/h now` : 'nothing is billed now',
    `${formatShare(of('render'), spent)} for rendering`,
  ]
  if (wasted > 0) parts.push(`${formatUsd(wasted)} wasted`)
  if (facts.runId === null && book.to - book.from >= WINDOW_MS) parts.push('last 24 h')
  return parts.join(' · ')
}

function drawLegend(screen: Screen, region: Region, book: Book, spent: number, hasRates: boolean): void {
  const { ink } = screen
  const row = (y: number, cells: readonly [string, string, string, string], attribute: number) => {
    put(screen, region.x + 2, y, cells[0], attribute, 9)
    put(screen, region.x + 11, y, cells[1].padStart(8), attribute, 8)
    put(screen, region.x + 19, y, cells[2].padStart(6), attribute, 6)
    if (hasRates) put(screen, region.x + 26, y, cells[3].padStart(9), attribute, 9)
  }
  row(region.y, ['CAUSE', 'SPENT', 'SHARE', '$/H NOW'], ink.dim)
  const rows = Math.max(0, region.height - 2)
  for (const [index, { cause, micro, perHour }] of book.totals.slice(0, rows).entries()) {
    const y = region.y + 1 + index
    const look = lookOf(cause, screen)
    put(screen, region.x, y, look.mark, usesMarks(screen) ? ink.key : attribute(look.colour), 1)
    row(y, [cause, formatUsd(micro), formatShare(micro, spent), perHour > 0 ? formatUsd(perHour) : ''], ink.plain)
  }
  const perHour = book.totals.reduce((sum, total) => sum + total.perHour, 0)
  const y = region.y + 1 + Math.min(rows, book.totals.length)
  row(y, ['total', formatUsd(spent), '', perHour > 0 ? formatUsd(perHour) : ''], ink.strong)
  drawDearest(screen, { ...region, y: y + 2, height: region.y + region.height - y - 2 }, book)
}

/** Where there is room below: the jobs that cost most. */
function drawDearest(screen: Screen, region: Region, book: Book): void {
  if (region.height < 3) return
  const dearest = book.dearest.slice(0, region.height - 1)
  if (dearest.length === 0) return
  put(screen, region.x + 2, region.y, 'DEAREST JOBS', screen.ink.dim)
  for (const [index, [key, micro]] of dearest.entries()) {
    const y = region.y + 1 + index
    put(screen, region.x + 2, y, cut(key.slice(key.indexOf('/') + 1), region.width - 14), screen.ink.plain)
    put(screen, region.x + region.width - 11, y, formatUsd(micro).padStart(8), screen.ink.plain, 8)
  }
}

function drawRate(screen: Screen, region: Region, book: Book, facts: Facts): void {
  put(screen, region.x, region.y, '$ an hour, by cause', screen.ink.strong)
  const chart = { ...region, y: region.y + 1, height: region.height - 1 }
  const columns = chart.width - LABEL_WIDTH - 1
  const spending = cutInto(book, columns)
  const perHour = (micro: number) => Math.max(0, (micro / spending.stepMs) * 3_600_000)
  const series = seriesOf(spending, screen, values => values.map(perHour))
  const max = niceCeiling(Math.max(...sums(series, columns)))
  const inside = drawAxes(screen, chart, LABEL_WIDTH, scale(max), timesOf(book, facts, columns))
  drawAreas(screen, inside, series, max)
}

function drawSpent(screen: Screen, region: Region, book: Book, spent: number, facts: Facts): void {
  put(screen, region.x, region.y, '$ spent, in all and by cause', screen.ink.strong)
  const chart = { ...region, y: region.y + 1, height: region.height - 1 }
  const columns = chart.width - LABEL_WIDTH - 1
  const spending = cutInto(book, columns * 2)
  const causes = seriesOf(spending, screen, addedUp)
  const total: Series = { values: sums(causes, columns * 2), colour: screen.ink.colours === 256 ? 255 : 15, mark: '*' }
  const max = niceCeiling(Math.max(spent, ...total.values))
  const inside = drawAxes(screen, chart, LABEL_WIDTH, scale(max), timesOf(book, facts, columns))
  drawLines(screen, inside, [...causes, total], max)
}

function seriesOf(spending: Spending, screen: Screen, of: (values: readonly number[]) => number[]): Series[] {
  return CAUSES.flatMap(cause => {
    const values = spending.byCause.get(cause)
    return values ? [{ values: of(values), ...lookOf(cause, screen) }] : []
  })
}

function sums(series: readonly Series[], columns: number): number[] {
  return Array.from({ length: columns }, (_, column) =>
    series.reduce((sum, { values }) => sum + (values[column] ?? 0), 0),
  )
}

function lookOf(cause: Cause, screen: Screen): { colour: number; mark: string } {
  const [full, sixteen, letter] = LOOKS[cause] ?? OTHER
  return { colour: screen.ink.colours === 256 ? full : sixteen, mark: usesMarks(screen) ? letter : '█' }
}

function scale(max: number): [string, string, string] {
  return [formatUsd(max), formatUsd(max / 2), '$0']
}

/** Start, middle and end; seconds where minutes would all be the same. */
function timesOf(book: Book, facts: Facts, columns: number): string[] {
  const length = book.to - book.from < 10 * 60_000 ? 8 : 5
  const at = (moment: Millis) => clockTime(moment, facts.zone(moment)).slice(0, length)
  const middle = columns >= 40 ? [at((book.from + book.to) / 2)] : []
  return [at(book.from), ...middle, at(book.to)]
}
