// How a screen ends when nobody is there: some seconds after its run, unless somebody presses a key or has something open to read.
import type { Facts, Model } from './model.ts'
import { runOfScreen } from './state.ts'

/** Long enough to read the line, short enough for scripts. */
const LINGER_MS = 10_000

/** Somebody reads or types, and is not to be interrupted. */
export function isBusy({ page, help, dialog, editing, command, frozen }: Model): boolean {
  return page !== null || help || dialog !== null || editing || command !== null || frozen
}

/** Until the screen leaves by itself, 0 or less when it is time; null: it stays. */
export function lingersMs(facts: Facts, model: Model): number | null {
  const closedAt = runOfScreen(facts)?.closedAt
  if (!facts.endWhenDone || !closedAt || model.touchedAt >= closedAt || isBusy(model)) return null
  return closedAt + LINGER_MS - facts.clock
}
