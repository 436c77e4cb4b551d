// Opening a database of the home, and what its refusals mean: it is damaged, or this machine's disk takes nothing.
import { chmodSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Fault } from '../domain/fault.ts'

/** `busyMs`: how long another process may hold it before that is a refusal, too. */
export function openDatabase(path: string, synchronous: 'FULL' | 'OFF', busyMs: number): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: busyMs })
  try {
    makeWriteAhead(db, busyMs)
    db.exec(`PRAGMA synchronous = ${synchronous}`)
    chmodSync(path, 0o600)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

const RETRY_MS = 5

/**
 * Two processes that open a new database at once both make it a write-ahead log. SQLite refuses the later one without its busy timeout,
 * because a reader that becomes a writer could wait for ever (sqlite3BtreeSetVersion; seen on SQLite 3.53.4, Node 26.10): so it is asked again here.
 */
function makeWriteAhead(db: DatabaseSync, busyMs: number): void {
  for (const since = performance.now(); ; ) {
    try {
      db.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (codeOf(error) !== BUSY || performance.now() - since > busyMs) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    }
  }
}

/** Primary result codes (sqlite.org/rescode.html, 2026); the lower byte of what node:sqlite tells. */
const BUSY = 5
const CORRUPT = 11
const NOTADB = 26
const REFUSALS: ReadonlyMap<number, string> = new Map([
  [3, 'permission denied'],
  [BUSY, 'another process holds it'],
  [6, 'another process holds it'],
  [8, 'it is read-only'],
  [10, 'the disk fails, or is full'],
  [13, 'the disk is full'],
  [14, 'it cannot be opened, or the disk is full'],
])

/** null for what is not SQLite's. */
function codeOf(error: unknown): number | null {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode & 0xff : null
}

/** Does `work` with the journal at `path`. Faults: operator `journal_damaged` · `journal_unwritable`. */
export function onJournal<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const code = codeOf(error)
    if (code === CORRUPT || code === NOTADB) throw damagedFault(path, (error as Error).message, error)
    const why = REFUSALS.get(code ?? 0)
    if (!why) throw error
    throw new Fault(
      {
        kind: 'operator',
        code: 'journal_unwritable',
        message: `the journal ${path} cannot be written: ${why}`,
        hint: 'Make room on its disk and check its permissions, then give the command again.',
      },
      { cause: error },
    )
  }
}

export function damagedFault(path: string, why: string, cause?: unknown): Fault {
  return new Fault(
    {
      kind: 'operator',
      code: 'journal_damaged',
      message: `the journal ${path} is damaged: ${why}`,
      hint: `See with autopod reap which pods bear this home's mark; then move ${path} and the files beside it (-wal, -shm) aside and keep them: the next command begins a new journal.`,
    },
    { cause },
  )
}
