// What things cost: meters that run between two moments, and sums over them in whole micro-dollars. Pure.
// Per second from the create request, fractions of seconds counted, rounded up once per pod and kind at the very end.

/** One stretch of time at fixed rates, in micro-dollars an hour. `toMs: null` while it runs. */
export type Meter = { fromMs: number; toMs: number | null; gpu: number; cpu: number; disk: number }
export type Bill = { id: string; name: string; meters: Meter[] }
export type Amounts = { gpu: number; cpu: number; disk: number; total: number }

const hourMs = 3_600_000n

function sum(meters: Meter[], kind: 'gpu' | 'cpu' | 'disk', untilMs: number): number {
  let product = 0n
  for (const meter of meters) {
    const ms = Math.min(meter.toMs ?? untilMs, untilMs) - meter.fromMs
    if (ms > 0) product += BigInt(meter[kind]) * BigInt(Math.ceil(ms))
  }
  return Number((product + hourMs - 1n) / hourMs)
}

/** Everything billed before `untilMs`, in micro-dollars. Differences between two moments add up without loss. */
export function billed(bill: Bill, untilMs: number): Amounts {
  const gpu = sum(bill.meters, 'gpu', untilMs)
  const cpu = sum(bill.meters, 'cpu', untilMs)
  const disk = sum(bill.meters, 'disk', untilMs)
  return { gpu, cpu, disk, total: gpu + cpu + disk }
}

/** Seconds a pod's GPU or CPU was billed for, with fractions. */
export function billedSeconds(bill: Bill, untilMs: number): number {
  let ms = 0
  for (const meter of bill.meters) {
    if (meter.gpu + meter.cpu > 0) ms += Math.max(0, Math.min(meter.toMs ?? untilMs, untilMs) - meter.fromMs)
  }
  return ms / 1000
}

/** Ends the running meter at `atMs` (never before it began) and starts the next one, if there is one. */
export function turn(bill: Bill, atMs: number, next: Omit<Meter, 'fromMs' | 'toMs'> | null): Bill {
  const meters = bill.meters.map(meter =>
    meter.toMs === null ? { ...meter, toMs: Math.max(atMs, meter.fromMs) } : meter,
  )
  return { ...bill, meters: next ? [...meters, { ...next, fromMs: atMs, toMs: null }] : meters }
}

/** Micro-dollars an hour that the running meters of these bills take together. */
export function hourly(bills: Iterable<Bill>): number {
  let micro = 0
  for (const bill of bills) {
    const last = bill.meters.at(-1)
    if (last?.toMs === null) micro += last.gpu + last.cpu + last.disk
  }
  return micro
}

/** Micro-dollars an hour for storage; a month is 730 hours. */
export function storageRate(sizeGb: number, microPerGbMonth: number): number {
  return Math.ceil((sizeGb * microPerGbMonth) / 730)
}
