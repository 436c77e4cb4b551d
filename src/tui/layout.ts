// Where everything goes: pure arithmetic from the size of the terminal and what is open. A panel has one entry in `view`.
import type { Facts, Model, PanelName } from './model.ts'
import { bannersOf } from './panels/banner.ts'
import type { Region } from './screen.ts'

export const WIDTH_MIN = 60
export const HEIGHT_MIN = 15
/** The detail pane hides below: two panes of less than 50 columns say nothing. */
export const PANE_WIDTH_MIN = 100
const PANE_HEIGHT_SCREEN_MIN = 22
const PANE_HEIGHT = 7

export type Layout = {
  header: Region
  tabs: Region
  banners: Region
  main: Region
  /** Summary of the selected row, below the table; null where there is no room. */
  pane: Region | null
  footer: Region
}

/** null = the terminal is too small for anything but a card that says so. */
export function layoutOf(model: Model, facts: Facts): Layout | null {
  const { width, height } = model
  if (width < WIDTH_MIN || height < HEIGHT_MIN) return null
  const row = (y: number, rows: number): Region => ({ x: 0, y, width, height: rows })
  const bannerRows = bannersOf(facts, model).length
  const top = 2 + bannerRows
  const hasPane =
    model.page === null && hasRows(model.panel) && width >= PANE_WIDTH_MIN && height >= PANE_HEIGHT_SCREEN_MIN
  // On a tall terminal the pane grows to a quarter, so that pictures get room.
  const paneRows = hasPane ? Math.max(PANE_HEIGHT, Math.floor(height / 4)) : 0
  return {
    header: row(0, 1),
    tabs: row(1, 1),
    banners: row(2, bannerRows),
    main: row(top, height - top - paneRows - 1),
    pane: hasPane ? row(height - 1 - paneRows, paneRows) : null,
    footer: row(height - 1, 1),
  }
}

/** Panels with a table and a selected row. */
export function hasRows(panel: PanelName): boolean {
  return panel === 'jobs' || panel === 'pods'
}

/** Rows of a table, its head not counted; rows of a page or list. At least 1. */
export function rowsOf(model: Model, facts: Facts): number {
  const layout = layoutOf(model, facts)
  const rows = layout?.main.height ?? 1
  const isTable = model.page === null && hasRows(model.panel)
  const isFramed = model.page !== null || model.panel === 'summary'
  return Math.max(1, isTable ? rows - 1 : isFramed ? rows - 2 : rows)
}
