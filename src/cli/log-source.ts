// The logs that a dashboard shows: one file open at a time, a search on it, and the whole of it as a file of the user's.
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../edge/clock.ts'
import { type LogFile, openLogFile } from '../edge/logs/file.ts'
import { openMarks } from '../edge/logs/marks.ts'
import { openSearch } from '../edge/logs/search.ts'
import type { Source, Subject } from '../tui/dashboard.ts'
import { clean } from '../tui/text.ts'
import type { Follow } from './follow.ts'
import type { Home } from './home.ts'

export type LogSource = Pick<Source, 'log' | 'find' | 'mark'> & {
  /** Writes the log into the working folder; answers, for people, where it is or why not. */
  save(subject: Subject): Promise<string>
}

const EMPTY = { start: 0, end: 0, forward: () => [], backward: () => [] }
const NOTHING = { positions: [], from: 0, isDone: true }
/** Between two slices the screen and the engine have their turn. */
const SAVE_LINES = 2000
/** The pods whose logs one screen looks at by turns, while it is on one of them. */
const OPEN_MAX = 8

export function openLogSource(follow: Follow, home: Home): LogSource {
  const files = new Map<string, LogFile>()
  let search: { name: string; found: ReturnType<typeof openSearch> } | null = null

  function podOf(subject: Subject): string | null {
    if ('podId' in subject) return subject.podId
    return follow.fleet.jobs.get(subject.jobKey)?.attempts.at(-1)?.podId ?? null
  }

  function fileOf(podId: string): LogFile {
    const file = files.get(podId) ?? openLogFile(home.dir, podId)
    // Last used, last in the map.
    files.delete(podId)
    files.set(podId, file)
    for (const [oldest, unused] of files) {
      if (files.size <= OPEN_MAX) break
      unused.close()
      files.delete(oldest)
    }
    return file
  }

  return {
    mark: openMarks(),
    log(subject) {
      const podId = podOf(subject)
      if (!podId) return EMPTY
      const file = fileOf(podId)
      return { ...file.span(), forward: file.forward, backward: file.backward }
    },
    find(subject, text) {
      const podId = podOf(subject)
      if (!podId) return NOTHING
      const name = `${podId} ${text}`
      if (search?.name !== name) {
        const wanted = text.toLowerCase()
        const matches = (line: string) => bare(line).toLowerCase().includes(wanted)
        search = { name, found: openSearch(fileOf(podId), matches, systemClock) }
      }
      return search.found()
    },
    async save(subject) {
      const podId = podOf(subject)
      if (!podId) return 'there is no log to save'
      const stamp = new Date(systemClock.now()).toISOString().slice(0, 19).replaceAll(':', '')
      const path = join(process.cwd(), `${podId}-${stamp}.log`)
      try {
        await writeWhole(home, podId, path)
        return `saved as ${path}`
      } catch (error) {
        return `not saved: ${(error as Error).message}`
      }
    },
  }
}

/** The text of a line as the screen shows it; what nearly all lines are takes a tenth of the time of `clean`. */
function bare(line: string): string {
  const text = line.includes('\x1b') ? line.replace(/\x1b\[[\d;]*m/g, '') : line
  return /[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u206f]/.test(text) ? clean(text) : text
}

/** What `autopod logs` prints: a saved log does nothing to the terminal that shows it. */
async function writeWhole(home: Home, podId: string, path: string): Promise<void> {
  const log = openLogFile(home.dir, podId)
  const file = openSync(path, 'wx', 0o600)
  try {
    const { start, end } = log.span()
    let at = start
    while (at < end) {
      const lines = log.forward(at, SAVE_LINES)
      if (lines.length === 0) return
      writeSync(file, lines.map(line => `${new Date(line.at).toISOString()} ${clean(line.text)}\n`).join(''))
      at = lines.at(-1)?.to ?? end
      await new Promise(resolve => setImmediate(resolve))
    }
  } finally {
    closeSync(file)
    log.close()
  }
}
