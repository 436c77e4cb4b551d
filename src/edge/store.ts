// Facts on disk: one append-only journal in SQLite, gauges beside it, and the engine's lease as a file lock.
import { chmodSync, existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Event, Fact } from '../domain/event.ts'
import { Fault } from '../domain/fault.ts'
import type { Store } from '../ports.ts'
import { makeFolderNow } from './folder.ts'
import { openGauges } from './store-gauges.ts'
import { damagedFault, onJournal, openDatabase } from './store-open.ts'

/** Other processes hold the journal for one commit at a time (1–3 ms measured); this is for a stalled disk. */
const BUSY_MS = 10_000

type Row = { seq: number; at: number; type: string; data: string }

/** Opens (or makes) the home's databases. Faults: operator `home_unusable`, and those of `onJournal`, as from all that it does. */
export function openStore(home: string): Store {
  makeHome(home)
  const path = join(home, 'journal.db')
  const journal = onJournal(path, () => openJournal(path))
  const gauges = openGauges(home, lock)
  const [selectAfter, insert, version] = onJournal(
    path,
    () =>
      [
        journal.prepare('SELECT seq, at, type, data FROM event WHERE seq > ? ORDER BY seq'),
        journal.prepare('INSERT INTO event (seq, at, type, data) VALUES (?, ?, ?, ?)'),
        journal.prepare('PRAGMA data_version'),
      ] as const,
  )
  let seen = 0
  let lastVersion: unknown = null

  const read = (afterSeq: number): Event[] => {
    const events = (selectAfter.all(afterSeq) as Row[]).map((row, index) => {
      if (row.seq !== afterSeq + index + 1) throw damagedFault(path, `event ${afterSeq + index + 1} is missing`)
      return eventOf(row, path)
    })
    seen = events.at(-1)?.seq ?? Math.max(seen, afterSeq)
    return events
  }
  return {
    append(decide, at) {
      onJournal(path, () => journal.exec('BEGIN IMMEDIATE'))
      let before = seen
      try {
        const foreign = onJournal(path, () => read(seen))
        before = seen
        const own: Event[] = []
        for (const fact of decide(foreign)) {
          const { type, ...data } = fact
          seen++
          const text = JSON.stringify(data)
          onJournal(path, () => insert.run(seen, at, type, text))
          own.push({ ...fact, seq: seen, at })
        }
        onJournal(path, () => journal.exec('COMMIT'))
        return own
      } catch (error) {
        // What is rolled back never had these numbers; the next append must leave no gap.
        seen = before
        if (journal.isTransaction) onJournal(path, () => journal.exec('ROLLBACK'))
        throw error
      }
    },
    read: afterSeq => onJournal(path, () => read(afterSeq)),
    changed() {
      const now = onJournal(path, () => (version.get() as { data_version: number }).data_version)
      const moved = now !== lastVersion
      lastVersion = now
      return moved
    },
    lease: () => lock(join(home, 'engine.lock')),
    leased: () => locked(join(home, 'engine.lock')),
    writeGauges: gauges.writeGauges,
    readGauges: gauges.readGauges,
    dropGauges: gauges.dropGauges,
    close() {
      journal.close()
      gauges.close()
    },
  }
}

/**
 * Looks at every page and every event of the journal and changes nothing. How many events there are; null: there is no journal. Faults
 * as `openStore`.
 */
export function examineJournal(home: string): number | null {
  const path = join(home, 'journal.db')
  if (!existsSync(path)) return null
  return onJournal(path, () => {
    const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS })
    try {
      const [found] = db.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[]
      if (found && found.quick_check !== 'ok') throw damagedFault(path, found.quick_check)
      // Its maker makes the file first and the table a moment later.
      if (!db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'event'").get()) return 0
      const rows = db.prepare('SELECT seq, at, type, data FROM event ORDER BY seq').all() as Row[]
      for (const row of rows) eventOf(row, path)
      return rows.length
    } finally {
      db.close()
    }
  })
}

function openJournal(path: string): DatabaseSync {
  const db = openDatabase(path, 'FULL', BUSY_MS)
  try {
    db.exec(
      `CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL) STRICT`,
    )
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function eventOf(row: Row, path: string): Event {
  try {
    return { seq: row.seq, at: row.at, type: row.type, ...JSON.parse(row.data) } as Event & Fact
  } catch (error) {
    throw damagedFault(path, `event ${row.seq} cannot be read`, error)
  }
}

/** Longer than any look at a lock takes, and than nobody would mind to wait. */
const LOOKED_AT_MS = 250

/**
 * An exclusive lock that the kernel drops with the process, however it ends: no heartbeat, no stale pid.
 * null when another holds it.
 */
export function lock(path: string): { release(): void } | null {
  const db = new DatabaseSync(path, { timeout: LOOKED_AT_MS })
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    chmodSync(path, 0o600)
    return { release: () => db.close() }
  } catch (error) {
    db.close()
    if (/locked|busy/i.test(String(error))) return null
    throw error
  }
}

/** Whether a process holds that lock. Looking shares it for a moment, so that lookers never take each other for a holder. */
export function locked(path: string): boolean {
  if (!existsSync(path)) return false
  const db = new DatabaseSync(path, { timeout: 0 })
  try {
    db.exec('BEGIN; SELECT 1 FROM sqlite_schema')
    return false
  } catch (error) {
    if (/locked|busy/i.test(String(error))) return true
    throw error
  } finally {
    db.close()
  }
}

function makeHome(home: string): void {
  try {
    makeFolderNow(home, 0o700)
    for (const part of ['logs', 'previews']) makeFolderNow(join(home, part), 0o700)
    if (!statSync(home).isDirectory()) throw new Error('not a folder')
  } catch (error) {
    throw new Fault({
      kind: 'operator',
      code: 'home_unusable',
      message: `the home ${home} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'Set AUTOPOD_HOME to a folder you may write.',
    })
  }
}
