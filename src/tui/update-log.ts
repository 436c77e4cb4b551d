// Keys in a log: scrolling by rows, and the search with its next and previous. Pure, as all of `update`.
import { anchorOf, measureOf, rowsBefore, rowsFrom } from './log-rows.ts'
import type { Anchor, Facts, LogPage, Search, Subject } from './model.ts'
import { clean } from './text.ts'

export function newLogPage(subject: Subject): LogPage {
  return { type: 'log', subject, anchor: null, wrap: false, times: true, typing: null, search: null }
}

/** `step` rows down, or up when negative; ±Infinity = to the ends. Back at the end it follows again. */
export function moveLog(page: LogPage, step: number, facts: Facts, rows: number, width: number): LogPage {
  const measure = measureOf(page, facts, width)
  const { log } = measure
  const end: Anchor = { from: log.end, row: 0 }
  const [first] = rowsBefore(end, rows, measure)
  if (!first || step === Number.POSITIVE_INFINITY) return { ...page, anchor: null }
  const top = page.anchor ?? anchorOf(first)
  if (step < 0) {
    const before =
      step === Number.NEGATIVE_INFINITY
        ? rowsFrom({ from: log.start, row: 0 }, 1, measure)
        : rowsBefore(top, -step, measure)
    const anchor = before[0] ? anchorOf(before[0]) : top
    // A log that fits on the screen has nowhere to scroll to.
    const isWhole = page.anchor === null && anchor.from === top.from && anchor.row === top.row
    return { ...page, anchor: isWhole ? null : anchor }
  }
  const below = rowsFrom(top, rows + step + 1, measure)
  const next = below[step]
  return { ...page, anchor: below.length <= rows + step || !next ? null : anchorOf(next) }
}

/** Enter behind `/`: down from the top row, or, where the end is followed, up from the end. */
export function startSearch(page: LogPage, facts: Facts): LogPage {
  const text = clean(page.typing ?? '')
  if (text === '') return { ...page, typing: null }
  const search: Search = page.anchor
    ? { text, at: null, wanted: 'next', base: page.anchor.from }
    : { text, at: null, wanted: 'previous', base: facts.log(page.subject).end }
  return { ...page, typing: null, search }
}

/** From the line it stands on; when that has been scrolled away, from what is on the screen. */
export function findNext(page: LogPage, wanted: 'next' | 'previous', facts: Facts): LogPage {
  const { search } = page
  if (!search) return page
  const top = page.anchor?.from ?? facts.log(page.subject).end
  const from = search.at ?? top
  return { ...page, search: { ...search, wanted, base: wanted === 'next' ? from + 1 : from } }
}

/** Esc: the page without what is typed or searched for; null when there is nothing of the kind. */
export function endSearch(page: LogPage): LogPage | null {
  if (page.typing !== null) return { ...page, typing: null }
  return page.search ? { ...page, search: null } : null
}

/** Goes to the wanted line as soon as it is known; `missed` tells that there is none. */
export function settleSearch(
  page: LogPage,
  facts: Facts,
  rows: number,
  width: number,
): { page: LogPage; missed: string | null } {
  const { search } = page
  if (!search?.wanted) return { page, missed: null }
  const { text, base, wanted } = search
  const found = facts.find(page.subject, text)
  const at =
    wanted === 'previous'
      ? found.positions.findLast(position => position < base)
      : // What is not searched yet may hold a nearer one.
        found.from <= base || found.isDone
        ? found.positions.find(position => position >= base)
        : undefined
  if (at !== undefined)
    return {
      page: showLine({ ...page, search: { ...search, at, wanted: null } }, at, facts, rows, width),
      missed: null,
    }
  const isOpen = wanted === 'next' ? found.from > base && !found.isDone : !found.isDone
  if (isOpen) return { page, missed: null }
  // The first look goes the other way when there is nothing in its own.
  if (wanted === 'next' && search.at === null && found.positions.length > 0)
    return { page: { ...page, search: { ...search, wanted: 'previous' } }, missed: null }
  const missed =
    found.positions.length === 0 ? `no line with ${text}` : wanted === 'next' ? 'no more below' : 'no more above'
  return { page: { ...page, search: { ...search, wanted: null } }, missed }
}

/** Scrolls so that the line is in the upper third, unless it is on the screen already. */
function showLine(page: LogPage, at: number, facts: Facts, rows: number, width: number): LogPage {
  const measure = measureOf(page, facts, width)
  const end: Anchor = { from: measure.log.end, row: 0 }
  const last = rowsBefore(end, rows, measure)
  const shown = page.anchor ? rowsFrom(page.anchor, rows, measure) : last
  const firstShown = shown[0]
  if (!firstShown) return page
  if (shown.some(row => row.line.from === at)) return { ...page, anchor: anchorOf(firstShown) }
  const line: Anchor = { from: at, row: 0 }
  const [top] = rowsBefore(line, Math.floor(rows / 3), measure)
  const anchor = top ? anchorOf(top) : line
  // Near the end the screen is filled rather than scrolled beyond it.
  const isBeyond = last[0] !== undefined && rowsFrom(anchor, rows, measure).length < rows
  return { ...page, anchor: isBeyond && last[0] ? anchorOf(last[0]) : anchor }
}
