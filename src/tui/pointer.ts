// The mouse, when it is asked for: the wheel moves, a click selects a row or opens a panel. It never does anything that matters.
import { layoutOf } from './layout.ts'
import type { Facts, Model, PanelName } from './model.ts'
import { jobOrder, podOrder } from './order.ts'
import { tabsOf } from './panels/header.ts'

export type Pointer = { type: 'mouse'; what: 'wheel-up' | 'wheel-down' | 'press'; x: number; y: number }

/** Rows a notch of the wheel moves, as terminals scroll. */
export const WHEEL_ROWS = 3

/** A click, counted from 0; anywhere but on a row or a tab it means nothing. */
export function pressed(model: Model, { x, y }: Pointer, facts: Facts): Model {
  const layout = layoutOf(model, facts)
  if (!layout) return model
  if (y === layout.tabs.y) {
    const tab = tabsOf(facts).find(one => x >= one.x && x < one.x + one.width)
    return tab ? { ...model, panel: tab.name, page: null } : model
  }
  const panel: PanelName = model.panel
  if (model.page || (panel !== 'jobs' && panel !== 'pods')) return model
  const row = y - layout.main.y - 1
  if (row < 0 || row >= layout.main.height - 1) return model
  const order = panel === 'jobs' ? jobOrder(model, facts) : podOrder(model, facts)
  const index = model[panel].top + row
  const selected = order[index]
  return selected === undefined ? model : { ...model, [panel]: { ...model[panel], index, selected } }
}
