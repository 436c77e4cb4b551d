// The one key table: handling, footer, `?` overlay, manual and tests are all made from it.

import { type Job, liveAttempt } from '../domain/job.ts'
import type { Pod } from '../domain/pod.ts'
import type { Facts, Model } from './model.ts'
import { isOver, podOfJob, runToSum, stallOf } from './state.ts'
import { countFor, markedRows, type Rows, type Verb } from './targets.ts'

export type Mode =
  | 'table'
  | 'costs'
  | 'events'
  | 'summary'
  | 'details'
  | 'log'
  | 'filter'
  | 'find'
  | 'command'
  | 'dialog'
  | 'word'
  | 'help'

/** What the keys act on now. */
export type Context = {
  mode: Mode
  model: Model
  facts: Facts
  job: Job | null
  pod: Pod | null
  /** The marked rows, else the selected one: what dangerous keys act on. */
  rows: Rows
}

export type Action =
  | 'up'
  | 'down'
  | 'page-up'
  | 'page-down'
  | 'first'
  | 'last'
  | 'next-panel'
  | 'previous-panel'
  | 'panel-jobs'
  | 'panel-pods'
  | 'panel-costs'
  | 'panel-events'
  | 'panel-summary'
  | 'view'
  | 'mark'
  | 'mark-rows'
  | 'details'
  | 'log'
  | 'open'
  | 'kill'
  | 'stop'
  | 'start'
  | 'cancel'
  | 'retry'
  | 'wait'
  | 'drain'
  | 'copy'
  | 'filter'
  | 'sort-left'
  | 'sort-right'
  | 'sort-reverse'
  | 'sort-by'
  | 'command'
  | 'complete'
  | 'faster'
  | 'slower'
  | 'mouse'
  | 'ascii'
  | 'follow'
  | 'freeze'
  | 'wrap'
  | 'times'
  | 'save'
  | 'find'
  | 'find-next'
  | 'find-previous'
  | 'repaint'
  | 'suspend'
  | 'help'
  | 'back'
  | 'accept'
  | 'leave'

export type Binding = {
  keys: readonly string[]
  /** How the keys are written for people. */
  shown: string
  /** One or two words for the footer. */
  word: string
  help: string
  modes: readonly Mode[]
  action: Action
  /** Place in the footer: lower stays longer on narrow terminals; null = never there. */
  footer: number | null
  /** Changes something outside: absent with `--readonly`. */
  changes?: true
  valid?(context: Context): boolean
  /** Its word after `:`; and what may follow it: rows, some of `words`, or any text. */
  command?: string
  takes?: 'jobs' | 'pods' | 'words' | 'text'
  words?: readonly string[]
}

const ROWS: readonly Mode[] = ['table', 'details', 'log']
export const PAGES: readonly Mode[] = ['table', 'costs', 'events', 'summary', 'details', 'log']
const PANELS: readonly Mode[] = ['table', 'costs', 'events', 'summary']
const LISTS: readonly Mode[] = ['table', 'events', 'summary', 'details', 'log', 'help']

export const BINDINGS: readonly Binding[] = [
  bind(['up', 'ctrl-p'], '↑', '', 'row up', LISTS, 'up', null),
  bind(['down', 'ctrl-n'], '↓', '', 'row down', LISTS, 'down', null),
  bind(['pgup'], 'PgUp', '', 'page up', LISTS, 'page-up', null),
  bind(['pgdn'], 'PgDn', '', 'page down', LISTS, 'page-down', null),
  bind(['g', 'home'], 'g', '', 'first row', LISTS, 'first', null),
  bind(['G', 'end'], 'G', 'end', 'last row; a log then follows its end', LISTS, 'last', null),
  bind(['tab'], 'tab', 'next', 'next panel', PANELS, 'next-panel', 13),
  bind(['shift-tab'], 'S-tab', '', 'previous panel', PANELS, 'previous-panel', null),
  { ...bind(['1'], '1', '', 'jobs', PAGES, 'panel-jobs', null), command: 'jobs' },
  { ...bind(['2'], '2', '', 'pods', PAGES, 'panel-pods', null), command: 'pods' },
  { ...bind(['3'], '3', '', 'costs: spend and rate by cause', PAGES, 'panel-costs', null), command: 'costs' },
  { ...bind(['4'], '4', '', 'events', PAGES, 'panel-events', null), command: 'events' },
  {
    ...bind(['S'], 'S', 'summary', 'what a run came to, once it is over', PAGES, 'panel-summary', 12, c =>
      Boolean(c.model.panel !== 'summary' && runToSum(c.facts)),
    ),
    command: 'summary',
  },
  bind(['space'], 'space', 'mark', 'mark the row; keys then act on all marked', ['table'], 'mark', 11, c => has(c)),
  {
    ...bind([], ':mark', '', 'mark all, the failed or no rows', [], 'mark-rows', null),
    command: 'mark',
    takes: 'words',
    words: ['all', 'failed', 'none'],
  },
  bind(['enter'], 'enter', 'leave', 'leave the summary of a run that is over', ['summary'], 'leave', 2, c =>
    isOver(c.facts),
  ),
  {
    ...bind(['enter'], 'enter', 'details', 'everything about the selected row', ['table'], 'details', 3, c => has(c)),
    command: 'details',
    takes: 'jobs',
  },
  {
    ...bind(['l', '5'], 'l', 'logs', 'the log, also after the pod is gone', ['table', 'details'], 'log', 4, c =>
      has(c),
    ),
    command: 'logs',
    takes: 'jobs',
  },
  {
    ...bind(['o'], 'o', 'open GUI', 'open ComfyUI in the browser, copy address', ROWS, 'open', 5, c =>
      Boolean(c.pod && c.pod.status === 'ready' && c.pod.localPort),
    ),
    command: 'open',
    takes: 'pods',
  },
  {
    ...bind(['v'], 'v', 'report', 'open the report with the system’s browser', ['summary'], 'view', 1),
    command: 'report',
  },
  {
    ...bind(['v'], 'v', 'view', 'open the first output with your viewer', ['table', 'details'], 'view', 5, c =>
      Boolean(c.job?.published.some(file => file.path !== null)),
    ),
    command: 'view',
    takes: 'jobs',
  },
  dangerous('kill', 'k', 'terminate the pods (asks)', 6, 'pods'),
  dangerous('stop', 's', 'stop = pause the pods (asks)', 9, 'pods'),
  dangerous('start', 's', 'start stopped pods again (asks)', 9, 'pods', c => countFor('stop', c.rows) === 0),
  dangerous('cancel', 'c', 'cancel the jobs (asks)', 7, 'jobs'),
  dangerous('retry', 'r', 'run failed or cancelled jobs again', 6, 'jobs'),
  {
    ...bind(['w'], 'w', 'wait', 'give a job that shows no life more time', ['table', 'details'], 'wait', 5, c =>
      c.rows.jobs.some(stallOf),
    ),
    changes: true,
    command: 'wait',
    takes: 'jobs',
  },
  dangerous('drain', 'd', 'finish the job, then end the pod (asks)', 10, 'pods'),
  {
    ...bind(['y'], 'y', 'copy', 'copy the GUI’s address, or the ssh line', ROWS, 'copy', 14, c =>
      Boolean(c.pod?.localPort || c.pod?.address),
    ),
    command: 'copy',
    takes: 'pods',
  },
  {
    ...bind(['/'], '/', 'filter', 'show only rows with this text; esc clears', ['table'], 'filter', 8),
    command: 'filter',
    takes: 'text',
  },
  bind([':'], ':', 'command', 'type a command; tab completes it', PAGES, 'command', 16),
  bind(['<'], '<', '', 'sort by the column before', ['table'], 'sort-left', null),
  bind(['>'], '>', '', 'sort by the next column', ['table'], 'sort-right', null),
  bind(['R'], 'R', '', 'reverse the order', ['table'], 'sort-reverse', null),
  {
    ...bind([], ':sort', '', 'sort by column or attention, or reverse', [], 'sort-by', null),
    command: 'sort',
    takes: 'words',
  },
  {
    ...bind(['f'], 'f', '', 'the view follows the selected row, or not', ['table'], 'follow', null),
    command: 'follow',
  },
  {
    ...bind(['z'], 'z', 'freeze', 'freeze the screen; the engine goes on', PAGES, 'freeze', 15, c => !c.model.frozen),
    command: 'freeze',
  },
  {
    ...bind(['z'], 'z', 'go on', 'the frozen screen goes on', PAGES, 'freeze', 1, c => c.model.frozen),
    command: 'freeze',
  },
  { ...bind(['+'], '+', '', 'more frames a second', PAGES, 'faster', null), command: 'faster' },
  { ...bind(['-'], '-', '', 'fewer frames a second', PAGES, 'slower', null), command: 'slower' },
  {
    ...bind([], ':mouse', '', 'wheel and clicks select; off by default', [], 'mouse', null),
    command: 'mouse',
  },
  { ...bind([], ':ascii', '', 'nothing but ASCII, and back', [], 'ascii', null), command: 'ascii' },
  bind(['w'], 'w', 'wrap', 'wrap long lines', ['log'], 'wrap', 4),
  bind(['t'], 't', 'times', 'show or hide times', ['log'], 'times', 4),
  bind(['s'], 's', 'save', 'save the whole log in the working folder', ['log'], 'save', 5),
  bind(['/'], '/', 'find', 'find a text in the log; esc ends it', ['log'], 'find', 3),
  bind(['n'], 'n', 'next', 'next line with that text', ['log'], 'find-next', 3, c => isSearching(c)),
  bind(['N'], 'N', 'previous', 'previous line with that text', ['log'], 'find-previous', 3, c => isSearching(c)),
  { ...bind(['ctrl-l'], 'ctrl-l', '', 'paint the screen anew', PAGES, 'repaint', null), command: 'repaint' },
  {
    ...bind(['ctrl-z'], 'ctrl-z', '', 'suspend this program; pods go on and cost', PAGES, 'suspend', null),
    command: 'suspend',
  },
  { ...bind(['?'], '?', 'keys', 'this list', PAGES, 'help', 1), command: 'help' },
  bind(['esc', '?', 'q', 'enter', 'ctrl-c'], 'esc', 'back', 'one step back; never leaves', ['help'], 'back', 2),
  bind(['esc'], 'esc', 'back', 'one step back; never leaves', ['details', 'log'], 'back', 2),
  bind(['esc'], 'esc', 'unmark', 'unmark all rows', ['table'], 'back', 2, c => hasMarks(c)),
  bind(
    ['esc'],
    'esc',
    'clear filter',
    'clear the filter',
    ['table'],
    'back',
    2,
    c => !hasMarks(c) && c.model.filter !== '',
  ),
  { ...bind(['q'], 'q', 'leave', 'leave; asks what becomes of the pods', PAGES, 'leave', 2), command: 'quit' },
  bind(['ctrl-c'], 'ctrl-c', '', 'leave; a second drains, a third terminates', PAGES, 'leave', null),
  bind(['enter'], 'enter', 'find', 'go to the nearest line with this text', ['find'], 'accept', 1),
  bind(['esc', 'ctrl-c'], 'esc', 'back', 'search for nothing', ['find'], 'back', 2),
  bind(['enter'], 'enter', 'keep', 'keep the filter', ['filter'], 'accept', 1),
  bind(['esc', 'ctrl-c'], 'esc', 'clear', 'clear the filter', ['filter'], 'back', 2),
  bind(['enter'], 'enter', 'do it', 'do what the line says', ['command'], 'accept', 1),
  bind(['tab'], 'tab', 'complete', 'complete the word', ['command'], 'complete', 2),
  bind(['esc', 'ctrl-c'], 'esc', 'back', 'do nothing', ['command'], 'back', 3),
  bind(['enter'], 'enter', 'do it', 'do it, once the word is there', ['word'], 'accept', 1),
  bind(['esc', 'ctrl-c'], 'esc', 'back', 'change nothing', ['word'], 'back', 2),
  bind(['up', 'left', 'shift-tab', 'ctrl-p'], '↑', '', 'choose', ['dialog'], 'up', null),
  bind(['down', 'right', 'tab', 'ctrl-n'], '↓', '', 'choose', ['dialog'], 'down', null),
  bind(['enter'], 'enter', 'do it', 'do what is chosen', ['dialog'], 'accept', 1),
  bind(['esc', 'n', 'q'], 'esc', 'back', 'change nothing', ['dialog'], 'back', 2),
]

function bind(
  keys: readonly string[],
  shown: string,
  word: string,
  help: string,
  modes: readonly Mode[],
  action: Action,
  footer: number | null,
  valid?: (context: Context) => boolean,
): Binding {
  return { keys, shown, word, help, modes, action, footer, ...(valid ? { valid } : {}) }
}

/** Asks first; acts on the marked rows, else on the selected one. */
function dangerous(
  verb: Verb,
  key: string,
  help: string,
  footer: number,
  takes: 'jobs' | 'pods',
  also: (context: Context) => boolean = () => true,
): Binding {
  const valid = (context: Context) => countFor(verb, context.rows) > 0 && also(context)
  // In a log `s` saves.
  const modes = key === 's' ? ROWS.filter(mode => mode !== 'log') : ROWS
  return { ...bind([key], key, verb, help, modes, verb, footer, valid), changes: true, command: verb, takes }
}

function hasMarks({ model }: Context): boolean {
  return (model.panel === 'jobs' || model.panel === 'pods') && model[model.panel].marked.size > 0
}

function has(context: Context): boolean {
  return context.job !== null || context.pod !== null
}

function isSearching({ model: { page } }: Context): boolean {
  return page?.type === 'log' && page.search !== null
}

export function modeOf(model: Model): Mode {
  if (model.dialog)
    return typeof model.dialog.ask === 'object' && 'word' in model.dialog.ask && model.dialog.ask.word
      ? 'word'
      : 'dialog'
  if (model.help) return 'help'
  if (model.editing) return 'filter'
  if (model.command) return 'command'
  if (model.page?.type === 'log' && model.page.typing !== null) return 'find'
  if (model.page) return model.page.type
  return model.panel === 'jobs' || model.panel === 'pods' ? 'table' : model.panel
}

export function contextOf(model: Model, facts: Facts): Context {
  const subject = model.page?.subject
  const selected =
    subject ??
    (model.panel === 'jobs' && model.jobs.selected !== null
      ? { jobKey: model.jobs.selected }
      : model.panel === 'pods' && model.pods.selected !== null
        ? { podId: model.pods.selected }
        : null)
  let job: Job | null = null
  let pod: Pod | null = null
  if (selected && 'jobKey' in selected) {
    job = facts.fleet.jobs.get(selected.jobKey) ?? null
    // Only a live attempt's pod: the one of an earlier attempt may do somebody else's work by now.
    pod = job && liveAttempt(job) ? podOfJob(job, facts) : null
  } else if (selected) {
    pod = facts.fleet.pods.get(selected.podId) ?? null
    job = pod?.jobKey ? (facts.fleet.jobs.get(pod.jobKey) ?? null) : null
  }
  const rows = markedRows(model, facts) ?? { jobs: job ? [job] : [], pods: pod ? [pod] : [] }
  return { mode: modeOf(model), model, facts, job, pod, rows }
}
