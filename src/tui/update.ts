// Model and key → model and effects. Pure; `settle` then brings selection and scrolling in line with what is known now.

import { plural } from '../domain/units.ts'
import { completed, meaningOf } from './command.ts'
import { bindingOf, unavailable } from './key-lookup.ts'
import { type Action, type Binding, type Context, contextOf } from './keys.ts'
import { rowsOf } from './layout.ts'
import { edited, extended } from './line.ts'
import { isBusy, lingersMs } from './lingering.ts'
import type { Dialog, Effect, Facts, LogPage, Model, Page, PanelName } from './model.ts'
import { REFRESHES_MS } from './model.ts'
import { jobOrder, podOrder } from './order.ts'
import { detailLines, pictureOf, sshLine, wordsWidth } from './panels/detail.ts'
import { asksOnLeave } from './panels/dialog.ts'
import { eventsTop, shownEvents } from './panels/events.ts'
import { helpScroll } from './panels/footer.ts'
import { panelsOf } from './panels/header.ts'
import { summaryLines } from './panels/summary.ts'
import { type Pointer, pressed, WHEEL_ROWS } from './pointer.ts'
import { FRAME_WIDTH } from './screen.ts'
import { isOver, jobState, podState, stallOf } from './state.ts'
import { isEverything, questionsFor, type Verb } from './targets.ts'
import { clean } from './text.ts'
import { dialogKey } from './update-dialog.ts'
import { endSearch, findNext, moveLog, newLogPage, settleSearch, startSearch } from './update-log.ts'
import { reveal, rowsToMark, settleTable, sorted, sortedBy, tabled, toggled, unmarked } from './update-rows.ts'
import { viewingOf } from './viewing.ts'

export type Input = { type: 'key'; name: string } | { type: 'paste'; text: string } | Pointer
export type Update = { model: Model; effects: Effect[] }

const NOTICE_MS = 4000
/** What has to be typed before every pod is ended. */
const WORD = 'terminate'

const NONE: Effect[] = []
const only = (model: Model): Update => ({ model, effects: NONE })

export function update(before: Model, input: Input, facts: Facts): Update {
  const model = { ...before, touchedAt: facts.clock, notice: null }
  if (input.type === 'paste') return only(pasted(model, input.text))
  const context = contextOf(model, facts)
  if (input.type === 'mouse') return only(pointed(input, context))
  if (model.dialog) return dialogKey(model, model.dialog, input.name, context)
  const binding = bindingOf(input.name, context)
  if (binding) return thawed(act(binding.action, context))
  if (context.mode === 'filter' || context.mode === 'command' || context.mode === 'find')
    return only(lineKey(model, input.name))
  const known = unavailable(input.name, context)
  return only(known ? noticed(model, facts, why(known, context)) : model)
}

/** Brings the model in line with a new size, new facts and the time. To be called before every frame. */
export function settle(before: Model, facts: Facts, width: number, height: number): Update {
  const model: Model = { ...before, width, height }
  const rows = rowsOf({ ...model, page: null }, facts)
  if (model.panel === 'jobs') model.jobs = settleTable(model.jobs, jobOrder(model, facts), rows, model.follow)
  if (model.panel === 'pods') model.pods = settleTable(model.pods, podOrder(model, facts), rows, model.follow)
  if (model.page?.type === 'log' && model.page.search?.wanted) {
    const { page, missed } = settleSearch(model.page, facts, rowsOf(model, facts), width)
    model.page = page
    if (missed) model.notice = noticed(model, facts, missed).notice
  }
  if (model.dialog?.drainAt && facts.clock >= model.dialog.drainAt)
    return { model: { ...model, dialog: null }, effects: [{ type: 'leave', how: 'drain' }] }
  // Asked about a run that is over meanwhile: nothing is left to decide.
  if (model.dialog?.ask === 'leave' && !asksOnLeave(facts)) model.dialog = null
  // The end of a run is not to be overlooked; somebody who reads or types is not interrupted.
  if (isOver(facts) && model.summaryTop === null && !isBusy(model))
    Object.assign(model, { panel: 'summary', summaryTop: 0 })
  const lingers = lingersMs(facts, model)
  if (lingers !== null && lingers <= 0) return { model, effects: [{ type: 'leave', how: 'ended' }] }
  return only(model)
}

function act(action: Action, context: Context, words: readonly string[] = []): Update {
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
      const panels = panelsOf(facts)
      const at = panels.indexOf(model.panel) + (action === 'next-panel' ? 1 : panels.length - 1)
      return only({ ...model, panel: panels[at % panels.length] ?? 'jobs' })
    }
    case 'panel-jobs':
      return only(opened(model, 'jobs'))
    case 'panel-pods':
      return only(opened(model, 'pods'))
    case 'panel-costs':
      return only(opened(model, 'costs'))
    case 'panel-events':
      return only(opened(model, 'events'))
    case 'panel-summary':
      return only({ ...opened(model, 'summary'), summaryTop: 0 })
    case 'view': {
      const { notice, commands } = viewingOf(context)
      return { model: noticed(model, facts, notice), effects: commands.map(command => ({ type: 'send', command })) }
    }
    case 'details':
    case 'log': {
      const subject =
        model.page?.subject ?? (model.panel === 'pods' && pod ? { podId: pod.id } : job && { jobKey: job.key })
      if (!subject) return only(model)
      const page: Page = action === 'log' ? newLogPage(subject) : { type: 'details', subject, top: 0 }
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
    case 'stop':
    case 'start':
    case 'drain':
    case 'cancel':
    case 'retry':
      return asked(action, context)
    case 'wait': {
      const stuck = context.rows.jobs.filter(stallOf)
      const names = stuck.length === 1 ? stuck[0]?.spec.jobId : plural(stuck.length, 'job')
      return {
        model: noticed(model, facts, `${names}: given more time`),
        effects: stuck.map(({ key, attempts }) => ({
          type: 'send',
          command: { type: 'wait-job', jobKey: key, attempt: attempts.length },
        })),
      }
    }
    case 'mark':
      return only(moved('down', { ...context, model: tabled(model, toggled) }))
    case 'mark-rows':
      return only(tabled(model, table => ({ ...table, marked: new Set(rowsToMark(words[0] ?? '', context)) })))
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
      return only(words.length > 0 ? { ...model, filter: clean(words.join(' ')) } : { ...model, editing: true })
    case 'command':
      return only({ ...model, command: { text: '', error: '' } })
    case 'complete':
      return only(lined(model, completed(model.command?.text ?? '', under(context))))
    case 'accept':
      if (model.command) return obeyed(model.command.text, context)
      return only(
        context.mode === 'find' ? paged(model, page => startSearch(page, facts)) : { ...model, editing: false },
      )
    case 'sort-left':
      return only(sorted(model, -1))
    case 'sort-right':
      return only(sorted(model, 1))
    case 'sort-reverse':
      return only(tabled(model, table => ({ ...table, reverse: !table.reverse })))
    case 'sort-by':
      return only(words.reduce(sortedBy, model))
    case 'faster':
    case 'slower': {
      const at = REFRESHES_MS.indexOf(model.refreshMs) + (action === 'slower' ? 1 : -1)
      const refreshMs = REFRESHES_MS[Math.max(0, Math.min(REFRESHES_MS.length - 1, at))] ?? model.refreshMs
      return only(noticed({ ...model, refreshMs }, facts, `a frame every ${refreshMs / 1000} s`))
    }
    case 'mouse': {
      const text = model.mouse
        ? 'the mouse is the terminal’s again'
        : 'wheel and clicks select; :mouse again gives them back'
      return only(noticed({ ...model, mouse: !model.mouse }, facts, text))
    }
    case 'ascii':
      return only({ ...model, ascii: !model.ascii })
    case 'follow': {
      const text = model.follow ? 'the view stays where it is' : 'the view follows the selected row'
      return only(noticed({ ...model, follow: !model.follow }, facts, text))
    }
    case 'freeze':
      return only({ ...model, frozen: !model.frozen })
    case 'wrap':
      return only(
        paged(model, page => ({ ...page, wrap: !page.wrap, anchor: page.anchor && { ...page.anchor, row: 0 } })),
      )
    case 'times':
      return only(
        paged(model, page => ({ ...page, times: !page.times, anchor: page.anchor && { ...page.anchor, row: 0 } })),
      )
    case 'find':
      return only(paged(model, page => ({ ...page, typing: '' })))
    case 'find-next':
    case 'find-previous':
      return only(paged(model, page => findNext(page, action === 'find-next' ? 'next' : 'previous', facts)))
    case 'save': {
      const subject = model.page?.subject
      if (!subject) return only(model)
      return {
        model: noticed(model, facts, 'saving the log …'),
        effects: [{ type: 'save-log', subject }],
      }
    }
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
  return { ask, openedAt: facts.clock, choice: 0, typed: '', drainAt: null }
}

/** One row is asked about by its own words, several together. To run one job again needs no question. */
function asked(verb: Verb, context: Context): Update {
  const { model, facts, rows } = context
  const questions = questionsFor(verb, rows)
  const [first] = questions
  if (!first) return only(model)
  if (questions.length === 1 && first.type === 'retry-job') {
    const notice = `${first.jobKey.slice(first.jobKey.indexOf('/') + 1)} is to be run again`
    return { model: noticed(unmarked(model), facts, notice), effects: [{ type: 'send', command: first }] }
  }
  const word = isEverything(questions, facts) ? WORD : null
  return only({
    ...model,
    dialog: newDialog(questions.length === 1 ? first : { type: 'many', questions, word }, facts),
  })
}

/** What a command line acts on: the page below it. */
function under({ model, facts }: Context): Context {
  return contextOf({ ...model, command: null }, facts)
}

function obeyed(line: string, context: Context): Update {
  const below = under(context)
  if (line.trim() === '') return only(below.model)
  const meaning = meaningOf(line, below)
  if (typeof meaning === 'string') return only({ ...context.model, command: { text: line, error: meaning } })
  const { rows, words, binding } = meaning
  const chosen = rows ? { ...below, rows, job: rows.jobs[0] ?? null, pod: rows.pods[0] ?? null } : below
  return thawed(act(binding.action, chosen, words))
}

function pointed(input: Pointer, context: Context): Model {
  const { model, mode } = context
  if (!model.mouse || mode === 'dialog' || mode === 'word' || mode === 'filter' || mode === 'command') return model
  if (input.what === 'press') return mode === 'help' ? model : pressed(model, input, context.facts)
  let after = model
  for (let row = 0; row < WHEEL_ROWS; row++)
    after = moved(input.what === 'wheel-up' ? 'up' : 'down', { ...context, model: after })
  return after
}

function moved(action: Action, context: Context): Model {
  const { model, facts, mode } = context
  const rows = rowsOf(model, facts)
  const step =
    {
      up: -1,
      down: 1,
      'page-up': 1 - rows,
      'page-down': rows - 1,
      first: Number.NEGATIVE_INFINITY,
      last: Number.POSITIVE_INFINITY,
    }[action as 'up'] ?? 0
  const page = model.page
  if (mode === 'help')
    return { ...model, helpTop: Math.max(0, Math.min(helpScroll(model, facts), model.helpTop + step)) }
  if (page?.type === 'log') return { ...model, page: moveLog(page, step, facts, rows, model.width) }
  if (page?.type === 'details') {
    const width = wordsWidth(pictureOf(page.subject, facts), { width: model.width - FRAME_WIDTH, height: rows })
    const last = Math.max(0, detailLines(page.subject, facts, width).length - rows)
    return { ...model, page: { ...page, top: Math.max(0, Math.min(last, page.top + step)) } }
  }
  if (model.panel === 'events') {
    const events = shownEvents(facts)
    const to = Math.max(0, eventsTop(events, model.eventsFrom, rows) + step)
    return { ...model, eventsFrom: to >= events.length - rows ? null : (events[to]?.seq ?? null) }
  }
  if (model.panel === 'costs') return model
  if (model.panel === 'summary') {
    const last = Math.max(0, summaryLines(facts, model.width - FRAME_WIDTH).length - rows)
    return { ...model, summaryTop: Math.max(0, Math.min(last, (model.summaryTop ?? 0) + step)) }
  }
  const order = model.panel === 'jobs' ? jobOrder(model, facts) : podOrder(model, facts)
  return tabled(model, table => {
    const index = Math.max(0, Math.min(order.length - 1, table.index + step))
    return { ...table, index, selected: order[index] ?? null, top: reveal(table.top, index, rows) }
  })
}

function opened(model: Model, panel: PanelName): Model {
  return { ...model, panel, page: null }
}

/** One step back: overlay, filter line, page, filter; then nothing. */
function backed(model: Model): Model {
  if (model.help) return { ...model, help: false }
  if (model.editing) return { ...model, editing: false, filter: '' }
  if (model.command) return { ...model, command: null }
  if (model.page?.type === 'log' && endSearch(model.page)) return paged(model, page => endSearch(page) ?? page)
  if (model.page) return { ...model, page: null }
  const cleared = unmarked(model)
  const hadMarks = cleared.jobs !== model.jobs || cleared.pods !== model.pods
  return hadMarks ? cleared : { ...model, filter: '' }
}

function paged(model: Model, change: (page: LogPage) => Page): Model {
  return model.page?.type === 'log' ? { ...model, page: change(model.page) } : model
}

function lineKey(model: Model, key: string): Model {
  if (model.page?.type === 'log' && model.page.typing !== null)
    return paged(model, page => ({ ...page, typing: edited(page.typing ?? '', key) }))
  if (!model.command) return { ...model, filter: edited(model.filter, key) }
  // Backspace in an empty line leaves it, as in vim.
  if (key === 'backspace' && model.command.text === '') return { ...model, command: null }
  return lined(model, edited(model.command.text, key))
}

function lined(model: Model, text: string): Model {
  return { ...model, command: { text, error: '' } }
}

/** Pasted text goes into the line that takes the keys, and nowhere else; not into the word that guards every pod. */
function pasted(model: Model, text: string): Model {
  if (model.dialog || model.help) return model
  if (model.editing) return { ...model, filter: extended(model.filter, text) }
  if (model.page?.type === 'log' && model.page.typing !== null)
    return paged(model, page => ({ ...page, typing: extended(page.typing ?? '', text) }))
  return model.command ? lined(model, extended(model.command.text, text)) : model
}

/** With a word in the last line for some seconds. */
export function noticed(model: Model, facts: Facts, text: string): Model {
  return { ...model, notice: { text, until: facts.clock + NOTICE_MS } }
}

/** Why a key that exists does nothing for this row. */
function why({ word, help, changes }: Binding, { facts, model, job, pod }: Context): string {
  if (facts.readonly && changes) return 'this screen is read only'
  const what = `not possible: ${word || help}`
  if (pod && (model.panel === 'pods' || !job)) return `${pod.id} is ${podState(pod).word}; ${what}`
  return job ? `${job.spec.jobId} is ${jobState(job, facts).word}${pod ? '' : ' and has no pod'}; ${what}` : what
}
