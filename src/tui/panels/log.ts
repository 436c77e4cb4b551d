// The full-screen log of a job or pod: only the lines that are visible are looked at, however many there are.
import { formatBytes } from '../../domain/units.ts'
import { coloured } from '../colour.ts'
import { anchorOf, MARK_WIDTH, measureOf, type Row, rowsBefore, rowsFrom, TIME_WIDTH, textCells } from '../log-rows.ts'
import type { Facts, LogPage, Search } from '../model.ts'
import { frame, put, type Region, type Screen } from '../screen.ts'
import { podOfJob } from '../state.ts'
import { clockTime } from '../story.ts'
import { clean, cut, textWidth } from '../text.ts'
import { nameOf } from './detail.ts'

export function drawLog(screen: Screen, region: Region, facts: Facts, page: LogPage): void {
  const inside = frame(screen, region, titleOf(facts, page))
  const measure = measureOf(page, facts, region.width)
  const { log } = measure
  const end = { from: log.end, row: 0 }
  const rows = page.anchor ? rowsFrom(page.anchor, inside.height, measure) : rowsBefore(end, inside.height, measure)
  if (rows.length === 0) put(screen, inside.x, inside.y, 'no line yet', screen.ink.dim)
  const x = inside.x + MARK_WIDTH + (page.times ? TIME_WIDTH : 0)
  for (const [index, row] of rows.entries()) {
    const y = inside.y + index
    if (row.row === 0) {
      if (row.mark) put(screen, inside.x, y, '!', screen.ink.bad)
      if (page.times && row.line.at > 0)
        put(screen, inside.x + MARK_WIDTH, y, clockTime(row.line.at, facts.zone(row.line.at)), screen.ink.dim)
    }
    const after = drawText(screen, x, y, row, textCells(measure), page.search)
    if (row.hint) put(screen, row.to > row.from ? after + 3 : x, y, row.hint, screen.ink.wait)
  }
  const bottom = region.y + region.height - 1
  const isAtEnd = rows.at(-1)?.line.to === log.end
  const top = rows[0]
  const percent = top ? Math.floor(((anchorOf(top).from - log.start) / Math.max(1, log.end - log.start)) * 100) : 0
  const size = formatBytes(log.end - log.start)
  const place = page.anchor ? ` ${isAtEnd ? 'end' : `${percent} %`} of ${size} · G follows ` : ` ${size} · following `
  const placeAt = region.x + region.width - textWidth(place) - 2
  put(screen, placeAt, bottom, place, screen.ink.dim)
  if (page.search)
    put(screen, region.x + 2, bottom, cut(searchLine(facts, page, page.search), placeAt - 4), screen.ink.key)
}

function titleOf(facts: Facts, { subject }: LogPage): string {
  const name = `log of ${nameOf(subject, facts)}`
  const job = 'jobKey' in subject ? facts.fleet.jobs.get(subject.jobKey) : undefined
  const pod = job && podOfJob(job, facts)
  return pod ? `${name} on ${clean(pod.id)}` : name
}

function searchLine(facts: Facts, page: LogPage, search: Search): string {
  const { positions, isDone } = facts.find(page.subject, search.text)
  const count = `${positions.length}${isDone ? '' : '+'}`
  // Counted from the start of the log, which is known only when all of it is searched.
  const nth = isDone && search.at !== null ? positions.indexOf(search.at) + 1 : 0
  const hits = positions.length === 1 ? 'hit' : 'hits'
  const place = nth > 0 ? `hit ${nth} of ${count}` : `${count} ${hits}`
  return ` /${clean(search.text)} ${isDone ? place : `searching, ${place}`} `
}

/** The text of one row in its own colours, hits laid over; answers the column after it. */
function drawText(screen: Screen, x: number, y: number, row: Row, width: number, search: Search | null): number {
  const { ink } = screen
  const { text, stretches } = coloured(row.line.text, row.mark ? ink.bad : ink.plain, ink.colours)
  const shown = cut(text.slice(row.from, row.to), width)
  const hits = search ? hitsOf(text, search.text) : []
  const isHere = search?.at === row.line.from
  let column = x
  let at = row.from
  const end = row.from + shown.length
  while (at < end) {
    const stretch = stretches.findLastIndex(one => one.from <= at)
    const hit = hits.find(one => one.to > at)
    const isHit = hit !== undefined && hit.from <= at
    const bounds = [end, stretches[stretch + 1]?.from ?? end, hit ? (isHit ? hit.to : hit.from) : end]
    const to = Math.max(at + 1, Math.min(...bounds))
    const attribute = isHit ? (isHere ? ink.title : ink.key) : (stretches[stretch]?.attribute ?? ink.plain)
    column = put(screen, column, y, shown.slice(at - row.from, to - row.from), attribute, x + width - column)
    at = to
  }
  return column
}

function hitsOf(text: string, wanted: string): { from: number; to: number }[] {
  const hits: { from: number; to: number }[] = []
  const lower = text.toLowerCase()
  const needle = wanted.toLowerCase()
  for (let at = lower.indexOf(needle); at !== -1; at = lower.indexOf(needle, at + needle.length))
    hits.push({ from: at, to: at + needle.length })
  return hits
}
