// The dashboard on a home: facts in, commands out, pictures decoded on the side.
import { readFileSync, statSync } from 'node:fs'
import type { Fact } from '../domain/event.ts'
import { every, systemClock } from '../edge/clock.ts'
import { terminalHints } from '../edge/config.ts'
import { pixelsOf } from '../edge/picture.ts'
import { openTrace, previewPath } from '../edge/trace.ts'
import { isOfJournal } from '../engine/settle.ts'
import { type Command, type Dashboard, openDashboard, type Picture } from '../tui/dashboard.ts'
import { limitsOf } from './compose.ts'
import type { Follow } from './follow.ts'
import type { Home } from './home.ts'
import { openLogSource } from './log-source.ts'
import { keepTerminal } from './tty.ts'
import { openWithSystem } from './viewer.ts'

const REFRESH_MS = 250
/** The lease and the disk are asked about in the file system: once a second is soon enough, whatever the pace of frames. */
const LOOK_MS = 1000
/** Half-block cells: wider pictures would not be seen any better. */
const PREVIEW_WIDTH = 64
/** Some kilobytes each: who walks through thousands of jobs has the last ones at hand. */
const PREVIEWS_MAX = 100

export type ScreenOptions = { readonly: boolean; ascii: boolean; mouse: boolean }

export function screen(follow: Follow, home: Home, runId: string | null, options: ScreenOptions): Dashboard {
  const { term, colorTerm, noColor, locale, tmux } = terminalHints()
  const previews = createPreviews(home)
  const logs = openLogSource(follow, home)
  const unmuffle = muffle(line => openTrace(home.dir, systemClock).engine(line))
  const letGo = keepTerminal()
  const dashboard = openDashboard({
    source: {
      fleet: () => follow.fleet,
      gauges: () => follow.gauges(),
      now: () => systemClock.now(),
      log: logs.log,
      find: logs.find,
      mark: logs.mark,
      preview: previews,
      engineAlive: seldom(() => follow.alive()),
      trouble: seldom(() => follow.trouble()),
    },
    report: createReports(follow),
    send: commands => send(follow, commands),
    save: logs.save,
    runId,
    limits: limitsOf(home),
    every,
    input: process.stdin,
    output: process.stdout,
    ascii: options.ascii || !/utf-?8/i.test(locale),
    colours: noColor ? 0 : /256|kitty|ghostty|alacritty|wezterm|direct/.test(term) || colorTerm ? 256 : 16,
    readonly: options.readonly,
    refreshMs: REFRESH_MS,
    mouse: options.mouse,
    tmux,
    endWhenDone: runId !== null,
  })
  void dashboard.left.then(() => {
    unmuffle()
    letGo()
  })
  return {
    ...dashboard,
    close() {
      unmuffle()
      dashboard.close()
      letGo()
    },
  }
}

/** The last answer, until it is `LOOK_MS` old. */
function seldom<T>(ask: () => T): () => T {
  let last: { at: number; answer: T } | null = null
  return () => {
    const at = performance.now()
    if (!last || at - last.at >= LOOK_MS) last = { at, answer: ask() }
    return last.answer
  }
}

/** A stray line of some package would lie on the screen until the next full repaint: such lines go to the log while it is up. */
function muffle(write: (line: string) => void): () => void {
  const { log, info, warn, error } = console
  const told = (...parts: unknown[]) => write(parts.map(String).join(' '))
  Object.assign(console, { log: told, info: told, warn: told, error: told })
  // With a listener of our own, Node prints no warning itself once its own is gone.
  const own = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', told)
  return () => {
    Object.assign(console, { log, info, warn, error })
    process.off('warning', told)
    for (const listener of own.splice(0)) process.on('warning', listener)
  }
}

function send(follow: Follow, commands: readonly Command[]): void {
  const facts = commands.flatMap(factsOf)
  try {
    if (facts.length > 0) follow.command(facts)
  } catch (error) {
    // What keeps it from being written stands above; a screen that ends would help nobody.
    if (!isOfJournal(error)) throw error
  }
  for (const command of commands) {
    const port = command.type === 'open' ? follow.fleet.pods.get(command.podId)?.localPort : null
    if (port) openWithSystem(`http://127.0.0.1:${port}`)
    if (command.type === 'view') openWithSystem(command.path)
  }
}

function factsOf(command: Command): Fact[] {
  switch (command.type) {
    case 'kill-pod':
      return [{ type: 'pod.release_requested', podId: command.podId, cause: 'killed by hand' }]
    case 'stop-pod':
      return [{ type: 'pod.stop_requested', podId: command.podId }]
    case 'start-pod':
      return [{ type: 'pod.start_requested', podId: command.podId }]
    case 'drain-pod':
      return [{ type: 'pod.drain_requested', podId: command.podId }]
    case 'cancel-job':
      return [{ type: 'job.cancel_requested', jobKey: command.jobKey }]
    case 'wait-job':
      return [{ type: 'attempt.wait_requested', jobKey: command.jobKey, attempt: command.attempt }]
    case 'retry-job':
      return [{ type: 'job.retry_requested', jobKey: command.jobKey }]
    case 'open':
    case 'copy':
    case 'view':
      return []
  }
}

/** Asks for the page at the first look, and knows it from the moment it is written. */
function createReports(follow: Follow): (runId: string) => string | null {
  const known = new Map<string, string | null>()
  return runId => {
    if (!known.has(runId)) {
      known.set(runId, null)
      void follow.report(runId).then(path => known.set(runId, path))
    }
    return known.get(runId) ?? null
  }
}

/** The last decoded picture of a job; a newer file is decoded on the side and shown at the next look. */
function createPreviews(home: Home): (jobKey: string) => Picture | null {
  const known = new Map<string, { mtimeMs: number; picture: Picture | null }>()
  return jobKey => {
    const path = previewPath(home.dir, jobKey)
    const mtimeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (mtimeMs === undefined) return null
    const present = known.get(jobKey)
    if (present?.mtimeMs !== mtimeMs) {
      const [oldest = jobKey] = known.keys()
      if (!present && known.size >= PREVIEWS_MAX) known.delete(oldest)
      known.set(jobKey, { mtimeMs, picture: present?.picture ?? null })
      void pixelsOf(readFileSync(path), PREVIEW_WIDTH).then(picture => known.set(jobKey, { mtimeMs, picture }))
    }
    return known.get(jobKey)?.picture ?? null
  }
}
