// A table of which only the visible rows exist: columns that fit, head, rows, selection.
import { put, type Region, type Screen, select } from './screen.ts'
import type { Ink } from './style.ts'
import { cut, cutClean, textWidth } from './text.ts'

export type Cell = {
  text: string
  ink: Ink
  /** May run on over empty cells to its right: sentences among figures. */
  runsOn?: boolean
}

export type Column<Row> = {
  id: string
  title: string
  min: number
  max: number
  /** 0 = always there; the highest goes first on a narrow terminal. */
  drop: number
  /** Order in which leftover width is given out; the first ones grow to their maximum first. */
  grow?: number
  right?: true
  cell(row: Row, width: number): Cell
}

export type Fitted<Row> = { column: Column<Row>; x: number; width: number }

/** Columns that fit into `width` at their minimum, the leftover given out by `grow`, else from the left. */
export function fitColumns<Row>(columns: readonly Column<Row>[], width: number): Fitted<Row>[] {
  const gap = width >= 100 ? 2 : 1
  const kept = new Set<Column<Row>>()
  let used = 0
  for (const column of columns.toSorted((a, b) => a.drop - b.drop)) {
    if (kept.size > 0 && used + column.min + gap > width) break
    kept.add(column)
    used += column.min + gap
  }
  let left = width - used + gap
  const widths = new Map<Column<Row>, number>()
  for (const column of [...kept].sort((a, b) => (a.grow ?? 9) - (b.grow ?? 9))) {
    const extra = Math.max(0, Math.min(left, column.max - column.min))
    left -= extra
    widths.set(column, column.min + extra)
  }
  const fitted: Fitted<Row>[] = []
  let x = 0
  for (const column of columns) {
    const columnWidth = widths.get(column)
    if (columnWidth === undefined) continue
    fitted.push({ column, x, width: columnWidth })
    x += columnWidth + gap
  }
  return fitted
}

export type TableOptions<Row> = {
  columns: readonly Column<Row>[]
  /** Visible rows only, the first one at the top. */
  rows: readonly Row[]
  /** Row among the visible ones; -1 = none. */
  selected: number
  isMarked(row: Row): boolean
  sort: string
  reverse: boolean
  empty: string
}

export function drawTable<Row>(screen: Screen, region: Region, options: TableOptions<Row>): void {
  const { ink } = screen
  const fitted = fitColumns(options.columns, region.width - 2)
  for (const { column, x, width } of fitted) {
    const isSorted = column.id === options.sort
    const title = isSorted ? `${column.title}${options.reverse ? '↑' : '↓'}` : column.title
    const indent = column.right ? Math.max(0, width - title.length) : 0
    put(screen, region.x + 1 + x + indent, region.y, title, isSorted ? ink.key : ink.dim, width)
  }
  if (options.rows.length === 0) put(screen, region.x + 1, region.y + 1, cut(options.empty, region.width - 2), ink.dim)
  for (const [index, row] of options.rows.entries()) {
    const y = region.y + 1 + index
    if (y >= region.y + region.height) break
    drawRow(screen, region, y, fitted, row)
    const isMarked = options.isMarked(row)
    if (isMarked) put(screen, region.x, y, '●', ink.key)
    if (index === options.selected) {
      if (!isMarked) put(screen, region.x, y, '›', ink.key)
      select(screen, region.x, y, region.width)
    }
  }
}

function drawRow<Row>(screen: Screen, region: Region, y: number, fitted: Fitted<Row>[], row: Row): void {
  let busyUntil = 0
  for (let index = 0; index < fitted.length; index++) {
    const { column, x, width } = fitted[index]!
    if (x < busyUntil) continue
    const cell = column.cell(row, width)
    if (cell.text === '') continue
    const room = cell.runsOn ? roomOf(fitted, index, row) : width
    const text = cutClean(cell.text, room)
    const start = column.right ? Math.max(0, width - textWidth(text)) : 0
    const end = put(screen, region.x + 1 + x + start, y, text, screen.ink[cell.ink], room)
    busyUntil = end - region.x - 1
  }
}

function roomOf<Row>(fitted: Fitted<Row>[], index: number, row: Row): number {
  const from = fitted[index]!
  let end = from.x + from.width
  for (const next of fitted.slice(index + 1)) {
    if (next.column.cell(row, next.width).text !== '') break
    end = next.x + next.width
  }
  return end - from.x
}
