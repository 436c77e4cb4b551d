// What goes into a decision besides the fleet, and what comes out of it.
import type { Fact } from './event.ts'
import type { Limits } from './limits.ts'
import type { Need } from './placement.ts'
import type { Offer } from './pod.ts'
import type { Millis } from './units.ts'

/** What the shell knows besides the journal: answers that cost nothing to lose. */
export type World = {
  /** `needKey` → what was offered and when; `unknown`: the provider could not say. */
  offers: ReadonlyMap<string, { offers: readonly Offer[]; at: Millis; unknown?: boolean }>
  /** First eight characters of the home's owner token: whose pods these are. */
  home8: string
  limits: Limits
}

export type Plan = {
  facts: Fact[]
  /** Offers to ask for before the next decision. */
  needs: Need[]
}
