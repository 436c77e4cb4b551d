// What the home's journal says, without becoming its engine.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Event } from '../domain/event.ts'
import type { Fleet } from '../domain/fleet.ts'
import { systemClock } from '../edge/clock.ts'
import { openStore } from '../edge/store.ts'
import { openJournal } from '../engine/journal.ts'
import { isOfJournal } from '../engine/settle.ts'
import type { Home } from './home.ts'

/** A run of this home is not over. */
export function isUnderWay(home: Home): boolean {
  return [...(pastOf(home)?.runs.values() ?? [])].some(run => run.status === 'running')
}

/** Everything that happened in this home, oldest first. */
export function eventsOf(home: Home): Event[] {
  if (!existsSync(join(home.dir, 'journal.db'))) return []
  const store = openStore(home.dir)
  try {
    return store.read(0)
  } finally {
    store.close()
  }
}

/** Something happened in the home in that folder. A journal that cannot be read says more than none: it counts. */
export function hasHistory(dir: string): boolean {
  if (!existsSync(join(dir, 'journal.db'))) return false
  try {
    const store = openStore(dir)
    try {
      return store.read(0).length > 0
    } finally {
      store.close()
    }
  } catch (error) {
    if (!isOfJournal(error)) throw error
    return true
  }
}

/** null where there is no journal yet: looking must not make a home. */
export function pastOf(home: Home): Fleet | null {
  if (!existsSync(join(home.dir, 'journal.db'))) return null
  const store = openStore(home.dir)
  try {
    return openJournal(store, systemClock).fleet
  } finally {
    store.close()
  }
}

/** The same, where a journal that cannot be read must not stand in the way: it is told, and counts as none. */
export function readablePastOf(home: Home): Fleet | null {
  try {
    return pastOf(home)
  } catch (error) {
    if (!isOfJournal(error)) throw error
    process.stderr.write(`${error.message}; every pod with this home's mark is taken for one that no journal knows\n`)
    return null
  }
}
