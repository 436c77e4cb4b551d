// Lines of a log → rows of a screen: wrapped or cut, marked, with the hint beside them. Reads only the lines that rows are made of.
import { coloured } from './colour.ts'
import type { Anchor, Facts, Log, LogPage, Mark, PlacedLine } from './model.ts'
import { FRAME_WIDTH } from './screen.ts'
import { clean, textWidth, wrapSpans } from './text.ts'

export type Row = {
  line: PlacedLine
  /** Which row of its line, from 0. */
  row: number
  /** The stretch of the line's text that it shows; empty for a row that is all hint. */
  from: number
  to: number
  /** Words of our own behind it. */
  hint: string
  mark: Mark | null
}

/** What a row is made with. */
export type Measure = { log: Log; facts: Facts; page: LogPage; width: number }

export const TIME_WIDTH = 10
export const MARK_WIDTH = 2
const HINT_GAP = 3
/** A traceback of ComfyUI has some twenty lines (recording 07). */
const MOMENT_LINES = 30

export function measureOf(page: LogPage, facts: Facts, width: number): Measure {
  return { log: facts.log(page.subject), facts, page, width }
}

/** Cells for the text of a line: a frame, the mark and the time take the rest. */
export function textCells({ page, width }: Measure): number {
  return Math.max(2, width - FRAME_WIDTH - MARK_WIDTH - (page.times ? TIME_WIDTH : 0))
}

/** Up to `count` rows from `top` on. */
export function rowsFrom(top: Anchor, count: number, measure: Measure): Row[] {
  const { log } = measure
  const rows: Row[] = []
  for (const line of log.forward(Math.max(top.from, log.start), count)) {
    const all = rowsOfLine(line, measure)
    rows.push(...(line.from === top.from ? all.slice(Math.min(top.row, all.length - 1)) : all))
    if (rows.length >= count) break
  }
  return rows.slice(0, count)
}

/** Up to `count` rows before `end`, in reading order. */
export function rowsBefore(end: Anchor, count: number, measure: Measure): Row[] {
  const { log } = measure
  const own = end.row > 0 ? log.forward(end.from, 1).flatMap(line => rowsOfLine(line, measure).slice(0, end.row)) : []
  const rows = own.toReversed()
  for (const line of log.backward(end.from, count).toReversed()) {
    if (rows.length >= count) break
    rows.push(...rowsOfLine(line, measure).toReversed())
  }
  return rows.slice(0, count).toReversed()
}

export function anchorOf(row: Row): Anchor {
  return { from: row.line.from, row: row.row }
}

function rowsOfLine(line: PlacedLine, measure: Measure): Row[] {
  const width = textCells(measure)
  const { text } = coloured(line.text, 0, 0)
  const mark = measure.facts.mark(text)
  const spans: [number, number][] = measure.page.wrap ? wrapSpans(text, width) : [[0, text.length]]
  const rows: Row[] = spans.map(([from, to], row) => ({ line, row, from, to, hint: '', mark }))
  const last = rows.at(-1)
  if (!mark || !last || isRepeated(line, mark, measure)) return rows
  const hint = `${mark.title}: ${mark.hint}`
  if (textWidth(text.slice(last.from, last.to)) + HINT_GAP + textWidth(hint) <= width) last.hint = hint
  else
    for (const [from, to] of wrapSpans(hint, width))
      rows.push({ line, row: rows.length, from: 0, to: 0, hint: hint.slice(from, to), mark })
  return rows
}

/** Where the same was said a moment before, as above and below a traceback, the first one has the hint. */
function isRepeated(line: PlacedLine, mark: Mark, { log, facts }: Measure): boolean {
  return log.backward(line.from, MOMENT_LINES).some(before => facts.mark(clean(before.text))?.title === mark.title)
}
