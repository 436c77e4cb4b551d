// The ledger over time: money in equal steps, by cause. Worked out from the facts each time, so that nothing grows with the night.
import type { Cause, Entry } from './ledger.ts'
import type { Micro, Millis } from './units.ts'

export type Spending = {
  from: Millis
  stepMs: number
  /** Micro-dollars of each step, fractions allowed; causes that cost nothing are absent. A bill below our meter is a negative step. */
  byCause: ReadonlyMap<Cause, readonly number[]>
}

/** `steps` ≥ 1 steps between `from` and `to`; what lies outside is left out. */
export function spendingOf(entries: readonly Entry[], from: Millis, to: Millis, steps: number): Spending {
  const stepMs = Math.max(1, to - from) / steps
  const byCause = new Map<Cause, number[]>()
  for (const entry of entries) {
    if (entry.micro === 0 || entry.to < from || entry.from > to) continue
    const values = byCause.get(entry.cause) ?? new Array<number>(steps).fill(0)
    byCause.set(entry.cause, values)
    const stepOf = (at: Millis) => Math.max(0, Math.min(steps - 1, Math.floor((at - from) / stepMs)))
    const perMs = entry.to > entry.from ? entry.micro / (entry.to - entry.from) : 0
    // A correction has no length: all of it belongs to its moment.
    if (perMs === 0) values[stepOf(entry.from)]! += entry.micro
    else
      for (let step = stepOf(entry.from); step <= stepOf(entry.to); step++) {
        const start = Math.max(entry.from, from + step * stepMs)
        const end = Math.min(entry.to, from + (step + 1) * stepMs)
        values[step]! += perMs * Math.max(0, end - start)
      }
  }
  return { from, stepMs, byCause }
}

/** Running sums: what had been spent at the end of each step. */
export function addedUp(values: readonly number[]): number[] {
  let sum = 0
  return values.map(value => (sum += value))
}

export type CauseTotal = {
  cause: Cause
  micro: Micro /** Micro-dollars an hour that run for it now. */
  perHour: Micro
}

/** In the order in which a pod's life meets them; `rateOf` is the price of a pod's open meter, 0 when it is not billed now. */
export function totalsByCause(
  entries: readonly Entry[],
  order: readonly Cause[],
  rateOf: (podId: string) => Micro,
): CauseTotal[] {
  const totals = new Map<Cause, CauseTotal>()
  const last = new Map<string, Entry>()
  for (const entry of entries) {
    const total = totals.get(entry.cause) ?? { cause: entry.cause, micro: 0, perHour: 0 }
    total.micro += entry.micro
    totals.set(entry.cause, total)
    last.set(entry.podId, entry)
  }
  for (const { podId, cause } of last.values()) totals.get(cause)!.perHour += rateOf(podId)
  return order.flatMap(cause => totals.get(cause) ?? []).filter(({ micro, perHour }) => micro !== 0 || perHour !== 0)
}
