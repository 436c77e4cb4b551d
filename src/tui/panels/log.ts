// The full-screen log of a job or pod: only the lines that are visible are looked at, whatever the buffer holds.
import type { Anchor, Facts, LogLine, Page } from '../model.ts'
import { frame, put, type Region, type Screen } from '../screen.ts'
import { clockTime } from '../story.ts'
import { clean, cut, wrap } from '../text.ts'
import { nameOf } from './detail.ts'

type LogPage = Extract<Page, { type: 'log' }>

/** Where an anchor is now; lines may have come at the end and gone at the start. */
export function anchorIndex(lines: readonly LogLine[], anchor: Anchor): number {
  let low = 0
  let high = lines.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((lines[middle]?.at ?? 0) < anchor.at) low = middle + 1
    else high = middle
  }
  return Math.min(Math.max(0, lines.length - 1), low + anchor.nth)
}

export function anchorAt(lines: readonly LogLine[], index: number): Anchor {
  const at = lines[index]?.at ?? 0
  let first = index
  while (first > 0 && lines[first - 1]?.at === at) first--
  return { at, nth: index - first }
}

export function drawLog(screen: Screen, region: Region, facts: Facts, page: LogPage): void {
  const lines = facts.logs(page.subject)
  const inside = frame(screen, region, `log of ${nameOf(page.subject, facts)}`)
  if (lines.length === 0) {
    put(screen, inside.x, inside.y, 'no line yet', screen.ink.dim)
    return
  }
  const rows = page.anchor
    ? forward(lines, anchorIndex(lines, page.anchor), inside, facts, page)
    : backward(lines, inside, facts, page)
  for (const [row, line] of rows.entries()) {
    const x = put(screen, inside.x, inside.y + row, line.time, screen.ink.dim)
    put(screen, x, inside.y + row, line.text, screen.ink[line.isError ? 'bad' : 'plain'], inside.x + inside.width - x)
  }
  const first = page.anchor ? anchorIndex(lines, page.anchor) : Math.max(0, lines.length - rows.length)
  const place = page.anchor
    ? ` line ${first + 1} of ${lines.length} · G follows `
    : ` ${lines.length} lines · following `
  put(screen, region.x + region.width - place.length - 2, region.y + region.height - 1, place, screen.ink.dim)
}

type Row = { time: string; text: string; isError: boolean }

function rowsOf(line: LogLine, inside: Region, facts: Facts, page: LogPage): Row[] {
  const time = page.times ? `${clockTime(line.at, facts.zone(line.at))}  ` : ''
  const text = clean(line.text)
  const isError = /\b(error|exception|traceback|out of memory|cuda error|killed)\b/i.test(text)
  const width = inside.width - time.length
  const pieces = page.wrap ? wrap(text, width) : [cut(text, width)]
  return pieces.map((piece, index) => ({ time: index === 0 ? time : ' '.repeat(time.length), text: piece, isError }))
}

function forward(lines: readonly LogLine[], from: number, inside: Region, facts: Facts, page: LogPage): Row[] {
  const rows: Row[] = []
  for (let index = from; index < lines.length && rows.length < inside.height; index++)
    rows.push(...rowsOf(lines[index]!, inside, facts, page))
  return rows.slice(0, inside.height)
}

function backward(lines: readonly LogLine[], inside: Region, facts: Facts, page: LogPage): Row[] {
  const rows: Row[] = []
  for (let index = lines.length - 1; index >= 0 && rows.length < inside.height; index--)
    rows.unshift(...rowsOf(lines[index]!, inside, facts, page))
  return rows.slice(-inside.height)
}
