// The ledger over time: money in equal steps, by cause. Worked out from the facts each time, so that nothing grows with the night.
import type { Cause, Entry } from './ledger.ts'
import type { Micro, Millis } from './units.ts'

export type Spending = {
  from: Millis
  stepMs: number
  /** Micro-dollars of each step, fractions allowed; causes that cost nothing are absent. A bill below our meter is a negative step. */
  byCause: ReadonlyMap<Cause, readonly number[]>
}

// Micro-dollars a millisecond: what rounding leaves of rates that rose and fell. The cheapest pod costs a million times as much.
const NOTHING = 1e-9

/** `steps` ≥ 1 steps between `from` and `to`; what lies outside is left out. */
export function spendingOf(entries: readonly Entry[], from: Millis, to: Millis, steps: number): Spending {
  const stepMs = Math.max(1, to - from) / steps
  const stepOf = (at: Millis) => Math.max(0, Math.min(steps - 1, Math.floor((at - from) / stepMs)))
  const byCause = new Map<Cause, number[]>()
  // By how much the rate rises or falls with each step: an entry costs the same to add, however many steps it lasts.
  const rises = new Map<Cause, number[]>()
  for (const { cause, micro, from: start, to: end } of entries) {
    if (micro === 0 || end < from || start > to) continue
    const values = valuesOf(byCause, cause, steps)
    const first = stepOf(start)
    const last = stepOf(end)
    // A correction has no length: all of it belongs to its moment.
    const perMs = end > start ? micro / (end - start) : 0
    if (perMs === 0) values[first]! += micro
    else if (first === last) values[first]! += perMs * Math.max(0, Math.min(end, to) - Math.max(start, from))
    else {
      values[first]! += perMs * (from + (first + 1) * stepMs - Math.max(start, from))
      values[last]! += perMs * (Math.min(end, to) - (from + last * stepMs))
      const changes = valuesOf(rises, cause, steps)
      changes[first + 1]! += perMs
      changes[last]! -= perMs
    }
  }
  for (const [cause, changes] of rises) {
    const values = valuesOf(byCause, cause, steps)
    for (const [step, perMs] of addedUp(changes).entries())
      if (Math.abs(perMs) > NOTHING) values[step]! += perMs * stepMs
  }
  return { from, stepMs, byCause }
}

function valuesOf(byCause: Map<Cause, number[]>, cause: Cause, steps: number): number[] {
  const present = byCause.get(cause)
  if (present) return present
  const values = new Array<number>(steps).fill(0)
  byCause.set(cause, values)
  return values
}

/** Running sums: what had been spent at the end of each step. */
export function addedUp(values: readonly number[]): number[] {
  let sum = 0
  return values.map(value => (sum += value))
}

export type CauseSpend = {
  cause: Cause
  micro: Micro
  /** What runs for it now, an hour. */
  perHour: Micro
}

/** Of a ledger, whose entries of one pod follow each other. In the order in which a pod's life meets them; `rateOf` is the price of a pod's open meter, 0 when it is not billed now. */
export function totalsByCause(
  entries: readonly Entry[],
  order: readonly Cause[],
  rateOf: (podId: string) => Micro,
): CauseSpend[] {
  const totals = new Map<Cause, CauseSpend>()
  for (const cause of order) totals.set(cause, { cause, micro: 0, perHour: 0 })
  for (let index = 0; index < entries.length; index++) {
    const { podId, cause, micro } = entries[index]!
    const total = totals.get(cause)
    if (!total) continue
    total.micro += micro
    if (entries[index + 1]?.podId !== podId) total.perHour += rateOf(podId)
  }
  return order.flatMap(cause => totals.get(cause) ?? []).filter(({ micro, perHour }) => micro !== 0 || perHour !== 0)
}
