// The last values of what is only shown, for other processes. They may be lost: nothing here ever throws, or keeps anybody waiting.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Store } from '../ports.ts'
import { openDatabase } from './store-open.ts'

/** One write takes under a millisecond; an engine does not stand still for longer because of a figure. */
const BUSY_MS = 100

const TABLE =
  'CREATE TABLE IF NOT EXISTS gauge (kind TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT'

type Row = [rowid: number, kind: string, id: string, data: string]

/**
 * A damaged file is made anew, in the turn that `lock` gives (null: another process is at it); where there can be none, values are
 * those of this process alone.
 */
export function openGauges(
  home: string,
  lock: (path: string) => { release(): void } | null,
): Pick<Store, 'writeGauges' | 'readGauges' | 'dropGauges'> & { close(): void } {
  const path = join(home, 'gauges.db')
  const db = tried(() => open(path)) ?? remade(path, lock) ?? inMemory()
  const set = db.prepare('INSERT OR REPLACE INTO gauge (kind, id, data) VALUES (?, ?, ?)')
  // A row that is written again is a new one, with a rowid above all others (sqlite.org/autoinc.html, lang_replace.html, 2026).
  const newer = db.prepare('SELECT rowid, kind, id, data FROM gauge WHERE rowid > ? ORDER BY rowid')
  // Without the row written last, the next one would get its rowid, and whoever reads on from there would never see it.
  const drop = db.prepare('DELETE FROM gauge WHERE kind = ? AND id = ? AND rowid < (SELECT max(rowid) FROM gauge)')
  // A viewer reads thousands a second; as objects they take twice as long.
  newer.setReturnArrays(true)
  const together = (work: () => void) => {
    tried(() => {
      db.exec('BEGIN')
      work()
      db.exec('COMMIT')
    })
    tried(() => db.isTransaction && db.exec('ROLLBACK'))
  }
  return {
    writeGauges(rows) {
      together(() => {
        for (const [id, gauge] of rows.jobs) set.run('job', id, JSON.stringify(gauge))
        for (const [id, gauge] of rows.pods) set.run('pod', id, JSON.stringify(gauge))
        if (rows.balance) set.run('balance', '', JSON.stringify(rows.balance))
      })
    },
    dropGauges(jobs, pods) {
      together(() => {
        for (const key of jobs) drop.run('job', key)
        for (const id of pods) drop.run('pod', id)
      })
    },
    readGauges(after = 0) {
      const rows: ReturnType<Store['readGauges']> = { jobs: [], pods: [], balance: null, last: after }
      tried(() => {
        for (const [rowid, kind, id, data] of newer.all(after) as unknown as Row[]) {
          rows.last = rowid
          if (kind === 'job') rows.jobs.push([id, JSON.parse(data)])
          else if (kind === 'pod') rows.pods.push([id, JSON.parse(data)])
          else rows.balance = JSON.parse(data)
        }
      })
      return rows
    },
    close: () => db.close(),
  }
}

function tried<T>(work: () => T): T | null {
  try {
    return work()
  } catch {
    return null
  }
}

/** All of it is read: damage shows where it lies, and a file of one row for each job and pod is small. */
function open(path: string): DatabaseSync {
  const db = openDatabase(path, 'OFF', BUSY_MS)
  try {
    db.exec(TABLE)
    for (const { data } of db.prepare('SELECT kind, id, data FROM gauge').all()) JSON.parse(data as string)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function remade(path: string, lock: (path: string) => { release(): void } | null): DatabaseSync | null {
  const turn = tried(() => lock(`${path}.lock`))
  if (!turn) return null
  try {
    // Whoever had the turn before has made it.
    const theirs = tried(() => open(path))
    if (theirs) return theirs
    for (const part of [path, `${path}-wal`, `${path}-shm`]) tried(() => rmSync(part, { force: true }))
    return tried(() => open(path))
  } finally {
    turn.release()
  }
}

function inMemory(): DatabaseSync {
  const db = new DatabaseSync(':memory:')
  db.exec(TABLE)
  return db
}
