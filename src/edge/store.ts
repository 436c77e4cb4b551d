// Facts on disk: one append-only journal in SQLite, gauges beside it, and the engine's lease as a file lock.
import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Event, Fact } from '../domain/event.ts'
import { Fault } from '../domain/fault.ts'
import type { GaugeRows, Store } from '../ports.ts'

/** Other processes hold the journal for one commit at a time (1–3 ms measured); this is for a stalled disk. */
const BUSY_MS = 10_000

type Row = { seq: number; at: number; type: string; data: string }

/** Opens (or makes) the home's databases. Faults: operator `home_unusable`. */
export function openStore(home: string): Store {
  makeHome(home)
  const journal = open(join(home, 'journal.db'), 'FULL')
  journal.exec(
    `CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL) STRICT`,
  )
  const gauges = open(join(home, 'gauges.db'), 'OFF')
  gauges.exec(
    `CREATE TABLE IF NOT EXISTS gauge (kind TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT`,
  )
  const selectAfter = journal.prepare('SELECT seq, at, type, data FROM event WHERE seq > ? ORDER BY seq')
  const insert = journal.prepare('INSERT INTO event (seq, at, type, data) VALUES (?, ?, ?, ?)')
  const setGauge = gauges.prepare('INSERT OR REPLACE INTO gauge (kind, id, data) VALUES (?, ?, ?)')
  const allGauges = gauges.prepare('SELECT kind, id, data FROM gauge')
  const version = journal.prepare('PRAGMA data_version')
  let seen = 0
  let lastVersion: unknown = null

  const read = (afterSeq: number): Event[] => {
    const events = (selectAfter.all(afterSeq) as Row[]).map(eventOf)
    seen = events.at(-1)?.seq ?? Math.max(seen, afterSeq)
    return events
  }
  return {
    append(decide, at) {
      journal.exec('BEGIN IMMEDIATE')
      let before = seen
      try {
        const foreign = read(seen)
        before = seen
        const own: Event[] = []
        for (const fact of decide(foreign)) {
          const { type, ...data } = fact
          seen++
          insert.run(seen, at, type, JSON.stringify(data))
          own.push({ ...fact, seq: seen, at })
        }
        journal.exec('COMMIT')
        return own
      } catch (error) {
        if (journal.isTransaction) journal.exec('ROLLBACK')
        // What was rolled back never had these numbers; the next append must leave no gap.
        seen = before
        throw error
      }
    },
    read,
    changed() {
      const now = (version.get() as { data_version: number }).data_version
      const moved = now !== lastVersion
      lastVersion = now
      return moved
    },
    lease: () => lock(join(home, 'engine.lock')),
    leased: () => locked(join(home, 'engine.lock')),
    writeGauges(rows) {
      gauges.exec('BEGIN')
      for (const [id, gauge] of rows.jobs) setGauge.run('job', id, JSON.stringify(gauge))
      for (const [id, gauge] of rows.pods) setGauge.run('pod', id, JSON.stringify(gauge))
      if (rows.balance) setGauge.run('balance', '', JSON.stringify(rows.balance))
      gauges.exec('COMMIT')
    },
    readGauges() {
      const rows: GaugeRows = { jobs: [], pods: [], balance: null }
      for (const { kind, id, data } of allGauges.all() as { kind: string; id: string; data: string }[]) {
        if (kind === 'job') rows.jobs.push([id, JSON.parse(data)])
        else if (kind === 'pod') rows.pods.push([id, JSON.parse(data)])
        else rows.balance = JSON.parse(data)
      }
      return rows
    },
    close() {
      journal.close()
      gauges.close()
    },
  }
}

function eventOf(row: Row): Event {
  return { seq: row.seq, at: row.at, type: row.type, ...JSON.parse(row.data) } as Event & Fact
}

function open(path: string, synchronous: 'FULL' | 'OFF'): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_MS })
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`)
  chmodSync(path, 0o600)
  return db
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
    mkdirSync(home, { recursive: true, mode: 0o700 })
    for (const part of ['logs', 'previews'])
      if (!existsSync(join(home, part))) mkdirSync(join(home, part), { mode: 0o700 })
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
