// One stretch of an engine's work, in which every fact was written. When the journal refuses one the stretch is over, as if the program
// had died: what its effects have still to say is not heard, and the next stretch asks again, as every engine does that takes over.

import type { Fact } from '../domain/event.ts'
import type { Fault } from '../domain/fault.ts'
import type { Fleet } from '../domain/fleet.ts'
import type { Context } from './context.ts'
import { isOfJournal } from './settle.ts'

export type Life = {
  /** What effects of this stretch are handed. */
  context: Context
  /** Why it is over; null while it is not. */
  refusal: Fault | null
  end(refusal: Fault): void
}

/** `ended` is called once, when the journal refuses what an effect tells. */
export function beginLife(context: Context, ended: () => void): Life {
  const { journal } = context
  const life: Life = {
    context: { ...context, journal: { ...journal, record } },
    refusal: null,
    end(refusal) {
      if (life.refusal) return
      life.refusal = refusal
      ended()
    },
  }
  return life

  function record(decide: (fleet: Fleet) => Fact[]): void {
    if (life.refusal) return
    try {
      journal.record(decide)
    } catch (error) {
      if (!isOfJournal(error)) throw error
      life.end(error)
    }
  }
}
