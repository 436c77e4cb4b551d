// What the home's journal says, without becoming its engine.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Event } from '../domain/event.ts'
import type { Fleet } from '../domain/fleet.ts'
import { systemClock } from '../edge/clock.ts'
import { openStore } from '../edge/store.ts'
import { openJournal } from '../engine/journal.ts'
import type { Home } from './home.ts'

/** A run of this home is not over. */
export function isUnderWay(home: Home): boolean {
  return [...(pastOf(home)?.runs.values() ?? [])].some(run => run.status === 'running')
}

/** Everything that happened in this home, oldest first. */
export function eventsOf(home: Home): Event[] {
  if (!existsSync(join(home.dir, 'journal.db'))) return []
  const store = openStore(home.dir)
  const events = store.read(0)
  store.close()
  return events
}

/** null where there is no journal yet: looking must not make a home. */
export function pastOf(home: Home): Fleet | null {
  if (!existsSync(join(home.dir, 'journal.db'))) return null
  const store = openStore(home.dir)
  const { fleet } = openJournal(store, systemClock)
  store.close()
  return fleet
}
