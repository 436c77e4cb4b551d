// What the dashboard remembers between keys (Model), what it is told each frame (Facts), and what it answers (Effect). Data only.
import { type Allocation, allocate } from '../domain/cost.ts'
import type { Fleet } from '../domain/fleet.ts'
import type { Gauges } from '../domain/gauge.ts'
import type { Limits } from '../domain/limits.ts'
import type { Millis } from '../domain/units.ts'

/** Decoded pixels, row by row, three bytes each; small (a preview, not a photograph). */
export type Picture = { width: number; height: number; rgb: Uint8Array }

export type LogLine = { at: Millis; text: string }
/** A line and where it begins and ends in its log: positions rise, and stay true while lines come and go. */
export type PlacedLine = LogLine & { from: number; to: number }

/** A log as the screen reads it: any window of it, never all of it. */
export type Log = {
  /** The log is what lies between; it moves on as lines come at the end and go at the start. */
  start: number
  end: number
  /** Up to `count` lines from the one at `from` on. */
  forward(from: number, count: number): PlacedLine[]
  /** Up to `count` lines that end at or before `to`, oldest first. */
  backward(to: number, count: number): PlacedLine[]
}

/** What a search has found up to now. */
export type Found = {
  /** Where the lines begin, ascending. */
  positions: readonly number[]
  /** Searched from here to the end: searches go backwards, and go on while they are asked for. */
  from: number
  isDone: boolean
}

/** A line that means trouble: in a few words, and what to do. */
export type Mark = { title: string; hint: string }
export type Subject = { podId: string } | { jobKey: string }

export type Command =
  | { type: 'kill-pod'; podId: string }
  | { type: 'stop-pod'; podId: string }
  | { type: 'start-pod'; podId: string }
  | { type: 'drain-pod'; podId: string }
  | { type: 'cancel-job'; jobKey: string }
  | { type: 'wait-job'; jobKey: string; attempt: number }
  | { type: 'retry-job'; jobKey: string }
  | { type: 'open'; podId: string }
  | { type: 'copy'; text: string }
  /** A file for the system's viewer. */
  | { type: 'view'; path: string }

/** How the screen was left. `ended`: the run is over and a key was pressed on its summary; `viewer`: a plain leave. */
export type Leave = 'background' | 'drain' | 'terminate' | 'ended' | 'viewer'

export type Effect =
  | { type: 'send'; command: Command }
  | { type: 'leave'; how: Leave }
  | { type: 'repaint' }
  | { type: 'suspend' }
  | { type: 'save-log'; subject: Subject }

export type Facts = {
  fleet: Fleet
  gauges: Gauges
  /** The moment the figures are from. */
  now: Millis
  /** The time itself: differs from `now` on a frozen screen. For dialogs and notices. */
  clock: Millis
  /** The run this screen belongs to; null = everything in the home. */
  runId: string | null
  /** Those that the engine decides by. */
  limits: Limits
  engineAlive: boolean
  /** What keeps the home from being written. */
  homeTrouble?: string | null
  readonly: boolean
  /** The screen leaves by itself after a run that ended unattended. */
  endWhenDone: boolean
  /** The last few lines, for a glance. */
  logs(subject: Subject): readonly LogLine[]
  /** All lines, of the job's last pod or of the pod, also after it is gone. */
  log(subject: Subject): Log
  /** Lines with this text, whatever their case. */
  find(subject: Subject, text: string): Found
  /** What a cleaned line of a log means; null for most. */
  mark(text: string): Mark | null
  preview(jobKey: string): Picture | null
  /** Where the page about a run that is over lies; null until it is written. */
  report(runId: string): string | null
  /** Minutes east of UTC at a moment: clock times are shown in the user's zone. */
  zone(at: Millis): number
  /** Worked out for this frame already, see `once`. */
  frame: Map<string, unknown>
  /** Worked out since the last event, see `sinceEvent`. */
  lasting: Map<string, unknown>
  /** Worked out in earlier frames, see `forAWhile`; held by this screen for life, so its names are few. */
  held: Map<string, unknown>
}

/** Facts do not change while a frame is made: what several panels need is worked out by the first. `name` says what from. */
export function once<T>(facts: Facts, name: string, make: () => T): T {
  return kept(facts.frame, name, make)
}

/** As `once`, for what follows from the fleet alone: it holds until the next event, over many frames. */
export function sinceEvent<T>(facts: Facts, name: string, make: () => T): T {
  return kept(facts.lasting, name, make)
}

/** As `once`, for what is dear to work out and slow to change: good for `ms`, whatever happens meanwhile. */
export function forAWhile<T>(facts: Facts, name: string, ms: number, make: () => T): T {
  const period = Math.floor(facts.now / ms)
  const before = facts.held.get(name) as { period: number; value: T } | undefined
  if (before?.period === period) return before.value
  const value = make()
  facts.held.set(name, { period, value })
  return value
}

function kept<T>(memo: Map<string, unknown>, name: string, make: () => T): T {
  if (!memo.has(name)) memo.set(name, make())
  return memo.get(name) as T
}

/** Whose money each stretch of a pod's meter was. */
export function allocationOf(facts: Facts): Allocation {
  return sinceEvent(facts, 'allocation', () => allocate(facts.fleet))
}

export type PanelName = 'jobs' | 'pods' | 'costs' | 'events' | 'summary'
/** Those there always are; `summary` only once a run is over. */
export const PANEL_NAMES: readonly PanelName[] = ['jobs', 'pods', 'costs', 'events']

export type Table = {
  /** A job key or pod id, never a row number. */
  selected: string | null
  /** Where it stood last: only used when it is gone. */
  index: number
  top: number
  /** Ids of marked rows: what is done next is done to all of them, shown or not. */
  marked: ReadonlySet<string>
  /** Id of a column; `''` = the order that needs attention first. */
  sort: string
  reverse: boolean
}

/** What a dialog is about; it keeps the id it was opened for, whatever the selection does meanwhile. */
export type Question = Extract<
  Command,
  { type: 'kill-pod' | 'stop-pod' | 'start-pod' | 'drain-pod' | 'cancel-job' | 'retry-job' }
>
/** The same question about several rows. `word` has to be typed before the answer counts; null = a button is enough. */
export type Many = { type: 'many'; questions: readonly Question[]; word: string | null }
export type Dialog = {
  ask: Question | Many | 'leave'
  openedAt: Millis
  choice: number
  /** What was typed of the word that is wanted. */
  typed: string
  /** Second ctrl-c: drains at this moment unless a third one comes. */
  drainAt: Millis | null
}

/** The row at the top of a log: the position of its line, and which row of that line when it is wrapped. */
export type Anchor = { from: number; row: number }

export type Search = {
  text: string
  /** The line it stands on; null = none yet. */
  at: number | null
  /** Where it is to go when that is known: from `base` on, or back from there. */
  wanted: 'next' | 'previous' | null
  base: number
}

export type LogPage = {
  type: 'log'
  subject: Subject
  /** null = the end is followed. */
  anchor: Anchor | null
  wrap: boolean
  times: boolean
  /** The text being typed behind `/`. */
  typing: string | null
  search: Search | null
}

export type Page = { type: 'details'; subject: Subject; top: number } | LogPage

export type Model = {
  width: number
  height: number
  panel: PanelName
  jobs: Table
  pods: Table
  /** Sequence number of the first event shown; null = the end is followed. */
  eventsFrom: number | null
  /** First line shown; null = it was not opened by itself yet. */
  summaryTop: number | null
  page: Page | null
  help: boolean
  helpTop: number
  dialog: Dialog | null
  filter: string
  /** The filter line takes the keys. */
  editing: boolean
  /** The line behind `:` while it takes the keys, and why it was not understood. */
  command: { text: string; error: string } | null
  /** The view goes where the selected row goes. */
  follow: boolean
  frozen: boolean
  /** Between frames. */
  refreshMs: number
  /** Wheel and clicks are asked for: off by default, the terminal's own selecting and copying needs the mouse. */
  mouse: boolean
  /** Nothing but ASCII, by wish; a terminal without Unicode has no choice. */
  ascii: boolean
  notice: { text: string; until: Millis } | null
  touchedAt: Millis
}

/** Ways to go through time; + and - walk along. */
export const REFRESHES_MS: readonly number[] = [100, 250, 500, 1000, 2000, 5000]

const TABLE: Table = { selected: null, index: 0, top: 0, marked: new Set(), sort: '', reverse: false }

export function newModel(width: number, height: number): Model {
  return {
    width,
    height,
    panel: 'jobs',
    jobs: TABLE,
    pods: TABLE,
    eventsFrom: null,
    summaryTop: null,
    page: null,
    help: false,
    helpTop: 0,
    dialog: null,
    filter: '',
    editing: false,
    command: null,
    follow: true,
    frozen: false,
    refreshMs: 250,
    mouse: false,
    ascii: false,
    notice: null,
    touchedAt: 0,
  }
}
