// Time for an engine: the machine's, except that it never runs backwards. A meter that stands still because somebody set the clock
// is money that nobody counts, and a limit that comes an hour late.
import type { Millis } from '../domain/units.ts'
import type { Clock } from '../ports.ts'

export type SteadyClock = Clock & {
  /** The journal knows of this moment: it is past. */
  pass(moment: Millis): void
}

/** Where the machine's clock jumps back, this one goes on from where it was, ahead of the machine's from then on. */
export function createSteadyClock(clock: Clock): SteadyClock {
  let ahead = 0
  let last = Number.NEGATIVE_INFINITY
  const pass = (moment: Millis) => {
    ahead += Math.max(0, moment - (clock.now() + ahead))
    last = Math.max(last, moment)
  }
  return {
    sleep: (ms, signal) => clock.sleep(ms, signal),
    uuid: () => clock.uuid(),
    now() {
      pass(last)
      last = clock.now() + ahead
      return last
    },
    pass,
  }
}
