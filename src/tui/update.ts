// Model and key → model and effects. Pure; `settle` then brings selection and scrolling in line with what is known now.

import { type Action, bindingOf, type Context, contextOf, modeOf, unavailable } from './keys.ts'
import { rowsOf } from './layout.ts'
import type { Dialog, Effect, Facts, Model, Page, PanelName, Question, Table } from './model.ts'
import { PANEL_NAMES } from './model.ts'
import { JOB_SORTS, jobOrder, POD_SORTS, podOrder } from './order.ts'
import { LINGER_MS } from './panels/banner.ts'
import { detailLines, sshLine } from './panels/detail.ts'
import { asksOnLeave, dialogText } from './panels/dialog.ts'
import { eventsTop, shownEvents } from './panels/events.ts'
import { helpScroll } from './panels/footer.ts'
import { anchorAt, anchorIndex } from './panels/log.ts'
import { isOver, runOfScreen } from './state.ts'
import { clean } from './text.ts'

export type Input = { type: 'key'; name: string } | { type: 'paste'; text: string }
export type Update = { model: Model; effects: Effect[] }

/** A key that was on its way when the dialog opened was meant for something else. */
export const DIALOG_DEAF_MS = 300
/** Between the second ctrl-c (drain) and its effect: room for the third (terminate). */
export const DRAIN_GRACE_MS = 1500
const NOTICE_MS = 4000
const FILTER_MAX = 60

const NONE: Effect[] = []
const only = (model: Model): Update => ({ model, effects: NONE })

export function update(before: Model, input: Input, facts: Facts): Update {
  const model = { ...before, touchedAt: facts.clock, notice: null }
  if (input.type === 'paste') return only(model.editing ? typed(model, input.text) : model)
  const context = contextOf(model, facts)
  if (model.dialog) return dialogKey(model, model.dialog, input.name, context)
  const binding = bindingOf(input.name, context)
  if (binding) return thawed(act(binding.action, context))
  if (context.mode === 'filter') return only(filterKey(model, input.name))
  const known = unavailable(input.name, context)
  return only(known ? noticed(model, facts, why(known.help, context)) : model)
}

/** Brings the model in line with a new size, new facts and the time. To be called before every frame. */
export function settle(before: Model, facts: Facts, width: number, height: number): Update {
  const model: Model = { ...before, width, height }
  const rows = rowsOf({ ...model, page: null }, facts)
  if (model.panel === 'jobs') model.jobs = settleTable(model.jobs, jobOrder(model, facts), rows, model.follow)
  if (model.panel === 'pods') model.pods = settleTable(model.pods, podOrder(model, facts), rows, model.follow)
  if (model.dialog?.drainAt && facts.clock >= model.dialog.drainAt)
    return { model: { ...model, dialog: null }, effects: [{ type: 'leave', how: 'drain' }] }
  // Asked about a run that is over meanwhile: nothing is left to decide.
  if (model.dialog?.ask === 'leave' && !asksOnLeave(facts)) model.dialog = null
  const closedAt = runOfScreen(facts)?.closedAt
  if (
    isOver(facts) &&
    closedAt &&
    facts.endWhenDone &&
    model.touchedAt < closedAt &&
    facts.clock >= closedAt + LINGER_MS
  )
    return { model, effects: [{ type: 'leave', how: 'ended' }] }
  return only(model)
}

function settleTable(table: Table, order: readonly string[], rows: number, follow: boolean): Table {
  if (order.length === 0) return { ...table, selected: null, index: 0, top: 0 }
  const found = table.selected === null ? -1 : order.indexOf(table.selected)
  const index = found === -1 ? Math.min(table.index, order.length - 1) : found
  const top = Math.max(0, Math.min(table.top, order.length - rows))
  return { ...table, selected: order[index] ?? null, index, top: follow ? reveal(top, index, rows) : top }
}

function reveal(top: number, index: number, rows: number): number {
  return index < top ? index : index >= top + rows ? index - rows + 1 : top
}

function act(action: Action, context: Context): Update {
  const { model, facts, job, pod } = context
  switch (action) {
    case 'up':
    case 'down':
    case 'page-up':
    case 'page-down':
    case 'first':
    case 'last':
      return only(moved(action, context))
    case 'next-panel':
    case 'previous-panel': {
      const at = PANEL_NAMES.indexOf(model.panel) + (action === 'next-panel' ? 1 : PANEL_NAMES.length - 1)
      return only({ ...model, panel: PANEL_NAMES[at % PANEL_NAMES.length] ?? 'jobs' })
    }
    case 'panel-jobs':
      return only(opened(model, 'jobs'))
    case 'panel-pods':
      return only(opened(model, 'pods'))
    case 'panel-events':
      return only(opened(model, 'events'))
    case 'details':
    case 'log': {
      const subject =
        model.page?.subject ?? (model.panel === 'pods' && pod ? { podId: pod.id } : job && { jobKey: job.key })
      if (!subject) return only(model)
      const page: Page =
        action === 'log'
          ? { type: 'log', subject, anchor: null, wrap: false, times: true }
          : { type: 'details', subject, top: 0 }
      return only({ ...model, page })
    }
    case 'open':
      if (!pod?.localPort) return only(model)
      return {
        model: noticed(model, facts, `opening http://127.0.0.1:${pod.localPort}; the address is copied`),
        effects: [
          { type: 'send', command: { type: 'open', podId: pod.id } },
          { type: 'send', command: { type: 'copy', text: `http://127.0.0.1:${pod.localPort}` } },
        ],
      }
    case 'kill':
      return only(pod ? asked(model, facts, { type: 'kill-pod', podId: pod.id }) : model)
    case 'stop':
      return only(pod ? asked(model, facts, { type: 'stop-pod', podId: pod.id }) : model)
    case 'start':
      return only(pod ? asked(model, facts, { type: 'start-pod', podId: pod.id }) : model)
    case 'drain':
      return only(pod ? asked(model, facts, { type: 'drain-pod', podId: pod.id }) : model)
    case 'cancel':
      return only(job ? asked(model, facts, { type: 'cancel-job', jobKey: job.key }) : model)
    case 'retry':
      if (!job) return only(model)
      return {
        model: noticed(model, facts, `${job.spec.jobId} is to be run again`),
        effects: [{ type: 'send', command: { type: 'retry-job', jobKey: job.key } }],
      }
    case 'copy': {
      const address = pod?.localPort ? `http://127.0.0.1:${pod.localPort}` : null
      const text = pod && (model.panel === 'pods' ? (sshLine(pod) ?? address) : (address ?? sshLine(pod)))
      if (!text) return only(model)
      return {
        model: noticed(model, facts, `copied: ${text}`),
        effects: [{ type: 'send', command: { type: 'copy', text } }],
      }
    }
    case 'filter':
      return only({ ...model, editing: true })
    case 'accept':
      return only({ ...model, editing: false })
    case 'sort-left':
      return only(sorted(model, -1))
    case 'sort-right':
      return only(sorted(model, 1))
    case 'sort-reverse':
      return only(tabled(model, table => ({ ...table, reverse: !table.reverse })))
    case 'follow': {
      const text = model.follow ? 'the view stays where it is' : 'the view follows the selected row'
      return only(noticed({ ...model, follow: !model.follow }, facts, text))
    }
    case 'freeze':
      return only({ ...model, frozen: !model.frozen })
    case 'wrap':
      return only(model.page?.type === 'log' ? { ...model, page: { ...model.page, wrap: !model.page.wrap } } : model)
    case 'times':
      return only(model.page?.type === 'log' ? { ...model, page: { ...model.page, times: !model.page.times } } : model)
    case 'repaint':
      return { model, effects: [{ type: 'repaint' }] }
    case 'suspend':
      return { model, effects: [{ type: 'suspend' }] }
    case 'help':
      return only({ ...model, help: true, helpTop: 0 })
    case 'back':
      return only(backed(model))
    case 'leave':
      return leaving(model, facts)
  }
}

/** Nobody decides on old figures: a dialog ends the freeze. */
function thawed(result: Update): Update {
  return result.model.dialog ? { ...result, model: { ...result.model, frozen: false } } : result
}

function leaving(model: Model, facts: Facts): Update {
  if (asksOnLeave(facts)) return only({ ...model, dialog: newDialog('leave', facts) })
  return { model, effects: [{ type: 'leave', how: isOver(facts) ? 'ended' : 'viewer' }] }
}

function newDialog(ask: Dialog['ask'], facts: Facts): Dialog {
  return { ask, openedAt: facts.clock, choice: 0, drainAt: null }
}

function asked(model: Model, facts: Facts, ask: Question): Model {
  return { ...model, dialog: newDialog(ask, facts) }
}

function dialogKey(model: Model, dialog: Dialog, key: string, context: Context): Update {
  const { facts } = context
  if (facts.clock - dialog.openedAt < DIALOG_DEAF_MS) return only(model)
  if (key === 'ctrl-c') {
    if (dialog.ask !== 'leave') return only({ ...model, dialog: null })
    if (dialog.drainAt !== null)
      return { model: { ...model, dialog: null }, effects: [{ type: 'leave', how: 'terminate' }] }
    return only({ ...model, dialog: { ...dialog, choice: 1, drainAt: facts.clock + DRAIN_GRACE_MS } })
  }
  const { buttons } = dialogText(dialog, facts)
  const choice = Math.min(dialog.choice, buttons.length - 1)
  switch (bindingOf(key, context)?.action) {
    case 'up':
      return only({
        ...model,
        dialog: { ...dialog, drainAt: null, choice: (choice + buttons.length - 1) % buttons.length },
      })
    case 'down':
      return only({ ...model, dialog: { ...dialog, drainAt: null, choice: (choice + 1) % buttons.length } })
    case 'back':
      return only({ ...model, dialog: null })
    case 'accept': {
      const effect = buttons[choice]?.effect
      return { model: { ...model, dialog: null }, effects: effect ? [effect] : NONE }
    }
    default:
      return only(model)
  }
}

function moved(action: Action, context: Context): Model {
  const { model, facts, mode } = context
  const rows = rowsOf(model, facts)
  const step =
    { up: -1, down: 1, 'page-up': 1 - rows, 'page-down': rows - 1, first: -1e9, last: 1e9 }[action as 'up'] ?? 0
  const page = model.page
  if (mode === 'help')
    return { ...model, helpTop: Math.max(0, Math.min(helpScroll(model, facts), model.helpTop + step)) }
  if (page?.type === 'log') {
    const lines = facts.logs(page.subject)
    const end = Math.max(0, lines.length - rows)
    const from = page.anchor ? anchorIndex(lines, page.anchor) : end
    const to = Math.max(0, from + step)
    // Back at the end it follows again; wrapped lines need more room than rows, so there only `G` and the very last line do.
    const isEnd = action === 'last' || to >= (page.wrap ? lines.length : end)
    return { ...model, page: { ...page, anchor: isEnd ? null : anchorAt(lines, to) } }
  }
  if (page?.type === 'details') {
    const last = Math.max(0, detailLines(page.subject, facts, Math.floor(model.width * 0.6)).length - rows)
    return { ...model, page: { ...page, top: Math.max(0, Math.min(last, page.top + step)) } }
  }
  if (model.panel === 'events') {
    const events = shownEvents(facts)
    const to = Math.max(0, eventsTop(events, model.eventsFrom, rows) + step)
    return { ...model, eventsFrom: to >= events.length - rows ? null : (events[to]?.seq ?? null) }
  }
  const order = model.panel === 'jobs' ? jobOrder(model, facts) : podOrder(model, facts)
  return tabled(model, table => {
    const index = Math.max(0, Math.min(order.length - 1, table.index + step))
    return { ...table, index, selected: order[index] ?? null, top: reveal(table.top, index, rows) }
  })
}

function tabled(model: Model, change: (table: Table) => Table): Model {
  return model.panel === 'pods' ? { ...model, pods: change(model.pods) } : { ...model, jobs: change(model.jobs) }
}

function sorted(model: Model, step: number): Model {
  const sorts = model.panel === 'pods' ? POD_SORTS : JOB_SORTS
  return tabled(model, table => {
    const at = (sorts.indexOf(table.sort) + step + sorts.length) % sorts.length
    return { ...table, sort: sorts[at] ?? '' }
  })
}

function opened(model: Model, panel: PanelName): Model {
  return { ...model, panel, page: null }
}

/** One step back: overlay, filter line, page, filter; then nothing. */
function backed(model: Model): Model {
  if (model.help) return { ...model, help: false }
  if (model.editing) return { ...model, editing: false, filter: '' }
  if (model.page) return { ...model, page: null }
  return { ...model, filter: '' }
}

function filterKey(model: Model, key: string): Model {
  if (key === 'backspace') return { ...model, filter: [...model.filter].slice(0, -1).join('') }
  if (key === 'ctrl-u') return { ...model, filter: '' }
  if (key === 'space') return typed(model, ' ')
  return [...key].length === 1 ? typed(model, key) : model
}

function typed(model: Model, text: string): Model {
  return { ...model, filter: [...model.filter, ...clean(text)].slice(0, FILTER_MAX).join('') }
}

function noticed(model: Model, facts: Facts, text: string): Model {
  return { ...model, notice: { text, until: facts.clock + NOTICE_MS } }
}

/** Why a key that exists does nothing for this row. */
function why(help: string, context: Context): string {
  const { facts, job, pod } = context
  if (facts.readonly) return 'this screen is read only'
  if (job && !pod && modeOf(context.model) !== 'filter')
    return `${job.spec.jobId} has no pod now; not possible: ${help}`
  return `not possible here: ${help}`
}
