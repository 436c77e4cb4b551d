// The one key table: handling, footer, `?` overlay, manual and tests are all made from it.

import type { Job } from '../domain/job.ts'
import { isSettled, liveAttempt } from '../domain/job.ts'
import { mayBill, type Pod } from '../domain/pod.ts'
import type { Facts, Model } from './model.ts'
import { isOver, podOfJob } from './state.ts'

export type Mode = 'table' | 'events' | 'details' | 'log' | 'filter' | 'dialog' | 'help'

/** What the keys act on now. */
export type Context = {
  mode: Mode
  model: Model
  facts: Facts
  job: Job | null
  pod: Pod | null
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
  | 'panel-events'
  | 'details'
  | 'log'
  | 'open'
  | 'kill'
  | 'stop'
  | 'start'
  | 'cancel'
  | 'retry'
  | 'drain'
  | 'copy'
  | 'filter'
  | 'sort-left'
  | 'sort-right'
  | 'sort-reverse'
  | 'follow'
  | 'freeze'
  | 'wrap'
  | 'times'
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
}

const ROWS: readonly Mode[] = ['table', 'details', 'log']
const PAGES: readonly Mode[] = ['table', 'events', 'details', 'log']
const LISTS: readonly Mode[] = ['table', 'events', 'details', 'log', 'help']

export const BINDINGS: readonly Binding[] = [
  bind(['up', 'ctrl-p'], '↑', '', 'row up', LISTS, 'up', null),
  bind(['down', 'ctrl-n'], '↓', '', 'row down', LISTS, 'down', null),
  bind(['pgup'], 'PgUp', '', 'page up', LISTS, 'page-up', null),
  bind(['pgdn'], 'PgDn', '', 'page down', LISTS, 'page-down', null),
  bind(['g', 'home'], 'g', '', 'first row', LISTS, 'first', null),
  bind(['G', 'end'], 'G', 'end', 'last row; a log then follows its end', LISTS, 'last', null),
  bind(['tab'], 'tab', 'next', 'next panel', ['table', 'events'], 'next-panel', 13),
  bind(['shift-tab'], 'S-tab', '', 'previous panel', ['table', 'events'], 'previous-panel', null),
  bind(['1'], '1', '', 'jobs', PAGES, 'panel-jobs', null),
  bind(['2'], '2', '', 'pods', PAGES, 'panel-pods', null),
  bind(['4'], '4', '', 'events', PAGES, 'panel-events', null),
  bind(['enter'], 'enter', 'leave', 'leave the summary of a run that is over', ['table', 'events'], 'leave', 2, c =>
    isOver(c.facts),
  ),
  bind(['enter'], 'enter', 'details', 'everything about the selected row', ['table'], 'details', 3, c => has(c)),
  bind(['l'], 'l', 'logs', 'log of the job or pod, also after it is gone', ['table', 'details'], 'log', 4, c => has(c)),
  bind(['o'], 'o', 'open GUI', 'open ComfyUI in the browser, copy its address', ROWS, 'open', 5, c =>
    Boolean(c.pod && c.pod.status === 'ready' && c.pod.localPort),
  ),
  {
    ...bind(['k'], 'k', 'kill', 'terminate the pod (asks)', ROWS, 'kill', 6, c => c.pod !== null && mayBill(c.pod)),
    changes: true,
  },
  {
    ...bind(['s'], 's', 'stop', 'stop = pause the pod (asks)', ROWS, 'stop', 9, c => c.pod?.status === 'ready'),
    changes: true,
  },
  {
    ...bind(
      ['s'],
      's',
      'start',
      'start the stopped pod again (asks)',
      ROWS,
      'start',
      9,
      c => c.pod?.status === 'stopped',
    ),
    changes: true,
  },
  {
    ...bind(['c'], 'c', 'cancel', 'cancel the job (asks)', ROWS, 'cancel', 7, c =>
      Boolean(c.job && !isSettled(c.job) && !c.job.cancelRequested),
    ),
    changes: true,
  },
  {
    ...bind(['r'], 'r', 'retry', 'run a failed or cancelled job again', ROWS, 'retry', 6, c =>
      Boolean(c.job && (c.job.status === 'failed' || c.job.status === 'cancelled')),
    ),
    changes: true,
  },
  {
    ...bind(['d'], 'd', 'drain', 'finish the present job, then terminate the pod (asks)', ROWS, 'drain', 10, c =>
      Boolean(c.pod && (c.pod.status === 'ready' || c.pod.status === 'booting') && !c.pod.draining),
    ),
    changes: true,
  },
  bind(['y'], 'y', 'copy', 'copy the address of the GUI, or the ssh line of a pod', ROWS, 'copy', 14, c =>
    Boolean(c.pod?.localPort || c.pod?.address),
  ),
  bind(['/'], '/', 'filter', 'show only rows with this text; esc clears', ['table'], 'filter', 8),
  bind(['<'], '<', '', 'sort by the column before', ['table'], 'sort-left', null),
  bind(['>'], '>', '', 'sort by the next column', ['table'], 'sort-right', null),
  bind(['R'], 'R', '', 'reverse the order', ['table'], 'sort-reverse', null),
  bind(['f'], 'f', '', 'the view follows the selected row, or stays', ['table'], 'follow', null),
  bind(['z'], 'z', 'freeze', 'freeze the screen; the engine goes on', PAGES, 'freeze', 15, c => !c.model.frozen),
  bind(['z'], 'z', 'go on', 'the frozen screen goes on', PAGES, 'freeze', 1, c => c.model.frozen),
  bind(['w'], 'w', 'wrap', 'wrap long lines', ['log'], 'wrap', 4),
  bind(['t'], 't', 'times', 'show or hide times', ['log'], 'times', 4),
  bind(['ctrl-l'], 'ctrl-l', '', 'paint the screen anew', PAGES, 'repaint', null),
  bind(['ctrl-z'], 'ctrl-z', '', 'suspend this program; pods go on and are billed', PAGES, 'suspend', null),
  bind(['?'], '?', 'keys', 'this list', PAGES, 'help', 1),
  bind(['esc', '?', 'q', 'enter', 'ctrl-c'], 'esc', 'back', 'one step back; never leaves', ['help'], 'back', 2),
  bind(['esc'], 'esc', 'back', 'one step back; never leaves', ['details', 'log'], 'back', 2),
  bind(['esc'], 'esc', 'clear filter', 'one step back; never leaves', ['table'], 'back', 2, c => c.model.filter !== ''),
  bind(['q'], 'q', 'leave', 'leave; asks what becomes of the pods', PAGES, 'leave', 2),
  bind(['ctrl-c'], 'ctrl-c', '', 'leave; a second one drains, a third terminates', PAGES, 'leave', null),
  bind(['enter'], 'enter', 'keep', 'keep the filter', ['filter'], 'accept', 1),
  bind(['esc', 'ctrl-c'], 'esc', 'clear', 'clear the filter', ['filter'], 'back', 2),
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

function has(context: Context): boolean {
  return context.job !== null || context.pod !== null
}

export function modeOf(model: Model): Mode {
  if (model.dialog) return 'dialog'
  if (model.help) return 'help'
  if (model.editing) return 'filter'
  if (model.page) return model.page.type
  return model.panel === 'events' ? 'events' : 'table'
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
  return { mode: modeOf(model), model, facts, job, pod }
}

function isValid(binding: Binding, context: Context): boolean {
  return (
    binding.modes.includes(context.mode) &&
    !(binding.changes && context.facts.readonly) &&
    (binding.valid?.(context) ?? true)
  )
}

/** What a key means now; null = nothing. */
export function bindingOf(key: string, context: Context): Binding | null {
  return BINDINGS.find(binding => binding.keys.includes(key) && isValid(binding, context)) ?? null
}

/** A key that exists here but not for this row, for a word of explanation. */
export function unavailable(key: string, context: Context): Binding | null {
  return BINDINGS.find(binding => binding.keys.includes(key) && binding.modes.includes(context.mode)) ?? null
}

/** What the footer can show now, in reading order. */
export function footerOf(context: Context): Binding[] {
  const shown = BINDINGS.filter(binding => binding.footer !== null && binding.word && isValid(binding, context))
  return shown.filter((binding, index) => shown.findIndex(other => other.keys[0] === binding.keys[0]) === index)
}

/** What the overlay shows: the keys of the page below it, whether or not the selected row allows them. */
export function helpOf(mode: Mode, readonly: boolean): Binding[] {
  return BINDINGS.filter(binding => binding.modes.includes(mode) && !(binding.changes && readonly))
}
