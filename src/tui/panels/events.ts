// The events panel: what happened, oldest first, following the end until it is scrolled.
import type { Event } from '../../domain/event.ts'
import type { Facts, Model } from '../model.ts'
import { put, type Region, type Screen } from '../screen.ts'
import { clockTime, tell } from '../story.ts'
import { clean, cut } from '../text.ts'

/** The events of this screen; of other runs nothing is said. */
export function shownEvents(facts: Facts): readonly Event[] {
  const { runId, fleet } = facts
  if (runId === null) return fleet.recent
  return fleet.recent.filter(event => {
    if ('runId' in event) return event.runId === runId
    if ('jobKey' in event) return event.jobKey.startsWith(`${runId}/`)
    if ('podId' in event) return fleet.pods.get(event.podId)?.runId === runId
    return true
  })
}

/** First event shown, as a place in `events`. */
export function eventsTop(events: readonly Event[], from: number | null, rows: number): number {
  const last = Math.max(0, events.length - rows)
  if (from === null) return last
  const at = events.findIndex(event => event.seq >= from)
  return Math.min(last, at === -1 ? last : at)
}

export function drawEvents(screen: Screen, region: Region, facts: Facts, model: Model): void {
  const events = shownEvents(facts)
  const top = eventsTop(events, model.eventsFrom, region.height)
  if (events.length === 0) put(screen, region.x + 1, region.y, 'nothing has happened yet', screen.ink.dim)
  for (const [row, event] of events.slice(top, top + region.height).entries()) {
    const { text, ink } = tell(event)
    const x = put(screen, region.x + 1, region.y + row, clockTime(event.at, facts.zone(event.at)), screen.ink.dim)
    put(screen, x + 2, region.y + row, cut(clean(text), region.width - x - 3), screen.ink[ink])
  }
}
