// Selection, marks and order of the two tables: the parts of the model that are about rows.
import type { Context } from './keys.ts'
import type { Model, Table } from './model.ts'
import { JOB_SORTS, jobOrder, POD_SORTS, podOrder } from './order.ts'

export function settleTable(table: Table, order: readonly string[], rows: number, follow: boolean): Table {
  if (order.length === 0) return { ...table, selected: null, index: 0, top: 0 }
  const found = table.selected === null ? -1 : order.indexOf(table.selected)
  const index = found === -1 ? Math.min(table.index, order.length - 1) : found
  const top = Math.max(0, Math.min(table.top, order.length - rows))
  return { ...table, selected: order[index] ?? null, index, top: follow ? reveal(top, index, rows) : top }
}

/** The first row shown, so that `index` is among the `rows` that are. */
export function reveal(top: number, index: number, rows: number): number {
  return index < top ? index : index >= top + rows ? index - rows + 1 : top
}

/** The model with a change to the table of the open panel; the jobs' where that has none. */
export function tabled(model: Model, change: (table: Table) => Table): Model {
  return model.panel === 'pods' ? { ...model, pods: change(model.pods) } : { ...model, jobs: change(model.jobs) }
}

export function toggled(table: Table): Table {
  if (table.selected === null) return table
  const marked = new Set(table.marked)
  if (!marked.delete(table.selected)) marked.add(table.selected)
  return { ...table, marked }
}

export function unmarked(model: Model): Model {
  return tabled(model, table => (table.marked.size === 0 ? table : { ...table, marked: new Set() }))
}

export function rowsToMark(which: string, { model, facts }: Context): readonly string[] {
  if (which === 'none') return []
  const order = model.panel === 'pods' ? podOrder(model, facts) : jobOrder(model, facts)
  const isFailed = (id: string) =>
    facts.fleet.jobs.get(id)?.status === 'failed' || Boolean(facts.fleet.pods.get(id)?.broken)
  return which === 'failed' ? order.filter(isFailed) : order
}

export function sorted(model: Model, step: number): Model {
  const sorts = model.panel === 'pods' ? POD_SORTS : JOB_SORTS
  return tabled(model, table => {
    const at = (sorts.indexOf(table.sort) + step + sorts.length) % sorts.length
    return { ...table, sort: sorts[at] ?? '' }
  })
}

export function sortedBy(model: Model, word: string): Model {
  if (word === 'reverse') return tabled(model, table => ({ ...table, reverse: !table.reverse }))
  return tabled(model, table => ({ ...table, sort: word === 'attention' ? '' : word }))
}
