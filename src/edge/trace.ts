// What pods, providers and the engine say, kept in files: bounded, also after the pod is gone, readable by other processes.
import {
  appendFileSync,
  closeSync,
  constants,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Clock, Trace } from '../ports.ts'
import { makeFolderNow } from './folder.ts'

/** One older generation is kept, so that a log never takes more than twice this. */
const LOG_MAX_BYTES = 5_000_000
/** Longer lines (a base64 picture, a whole workflow) lose their end: a log of 5 MB keeps a thousand of the longest. */
const LINE_MAX = 4000
const PREVIEW_EVERY_MS = 500
/** More than any program means somebody to read; each is written at once, and a pod that floods must not keep the engine from its work. */
const LINES_A_SECOND_MAX = 2000

/** `lost` is told when a write fails that did not fail before, with its reason. */
export function openTrace(home: string, clock: Clock, lost: (why: string) => void = () => {}): Trace {
  const previews = new Map<string, number>()
  const floods = new Map<string, { second: number; lines: number; dropped: number }>()
  let isLosing = false
  const tried = (write: () => void) => {
    try {
      write()
      isLosing = false
    } catch (error) {
      if (!isLosing) lost(error instanceof Error ? error.message : String(error))
      isLosing = true
    }
  }
  tried(() => makeFolderNow(join(home, 'logs', 'pods'), 0o700))
  const append = (path: string, line: string) => {
    appendFileSync(path, `${new Date(clock.now()).toISOString()} ${oneLine(line)}\n`, { mode: 0o600 })
    if (statSync(path).size > LOG_MAX_BYTES) renameSync(path, `${path}.1`)
  }
  /** Whether one more line of the pod is kept; what was left out of a second is told with the first line after it. */
  const isKept = (podId: string): boolean => {
    const second = Math.floor(clock.now() / 1000)
    const before = floods.get(podId)
    const now = before?.second === second ? before : { second, lines: 0, dropped: 0 }
    if (before && before !== now && before.dropped > 0)
      append(podLogPath(home, podId), `… ${before.dropped} lines of one second are left out`)
    floods.set(podId, now)
    now.lines++
    if (now.lines > LINES_A_SECOND_MAX) now.dropped++
    return now.lines <= LINES_A_SECOND_MAX
  }
  return {
    pod(podId, line, cursor) {
      tried(() => {
        if (!isKept(podId)) return
        append(podLogPath(home, podId), line)
        // After the line: an engine that is killed in between repeats one line and loses none.
        if (cursor !== null) overwrite(cursorPath(home, podId), cursor)
      })
    },
    cursor: podId => readCursor(cursorPath(home, podId)),
    engine: line => tried(() => append(join(home, 'logs', 'autopod.log'), line)),
    preview(jobKey, image) {
      if (clock.now() - (previews.get(jobKey) ?? 0) < PREVIEW_EVERY_MS) return
      previews.set(jobKey, clock.now())
      const path = previewPath(home, jobKey)
      tried(() => {
        writeFileSync(`${path}.part`, image, { mode: 0o600 })
        renameSync(`${path}.part`, path)
      })
    },
  }
}

/** One line of bounded length; of a progress bar that was drawn over and over (tqdm), its last state. */
export function oneLine(text: string): string {
  const whole = text.replace(/[\r\n]+$/, '')
  const last = whole.slice(whole.lastIndexOf('\r') + 1).replaceAll('\n', ' ')
  return last.length > LINE_MAX ? `${last.slice(0, LINE_MAX).toWellFormed()}…` : last
}

/** In one write and in place: whoever reads, also after a kill, finds the old one or the new one, never none. */
function overwrite(path: string, cursor: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600)
  try {
    writeSync(file, `${cursor}\n`, 0)
  } finally {
    closeSync(file)
  }
}

function readCursor(path: string): string | null {
  try {
    // It goes into a header, which takes nothing else.
    return /^[\x21-\x7e]+/.exec(readFileSync(path, 'utf8'))?.[0] ?? null
  } catch {
    return null
  }
}

export function podLogPath(home: string, podId: string): string {
  return join(home, 'logs', 'pods', `${podId}.log`)
}

function cursorPath(home: string, podId: string): string {
  return join(home, 'logs', 'pods', `${podId}.cursor`)
}

export function previewPath(home: string, jobKey: string): string {
  return join(home, 'previews', jobKey.replaceAll('/', '-'))
}
