// The fleet and the journal behind it, kept in step: nothing is known here that is not written there.
import type { Event, Fact } from '../domain/event.ts'
import { apply, emptyFleet, type Fleet } from '../domain/fleet.ts'
import type { Clock, Store } from '../ports.ts'

export type Journal = {
  readonly fleet: Fleet
  /** Takes in what other processes wrote; true when there was something. */
  refresh(): boolean
  /**
   * Writes what `decide` makes of the newest fleet, in the same transaction that read it: a command that another process gave a
   * moment ago is already folded in, so an outcome or a decision that no longer fits is not written.
   */
  record(decide: (fleet: Fleet) => Fact[]): void
  /** Called after each event was folded. */
  onEvent(listener: (event: Event) => void): () => void
}

export function openJournal(store: Store, clock: Clock): Journal {
  const fleet = emptyFleet()
  const listeners = new Set<(event: Event) => void>()
  const fold = (events: Event[]) => {
    for (const event of events) {
      apply(fleet, event)
      for (const listener of listeners) listener(event)
    }
  }
  fold(store.read(0))
  return {
    fleet,
    refresh() {
      if (!store.changed()) return false
      const events = store.read(fleet.seq)
      fold(events)
      return events.length > 0
    },
    record(decide) {
      const own = store.append(foreign => {
        fold(foreign)
        return decide(fleet)
      }, clock.now())
      fold(own)
    },
    onEvent(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
