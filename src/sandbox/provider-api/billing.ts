// Billing routes: what was billed, cut into time buckets whose sums are exact to the micro-dollar (RunPod REST v2 OpenAPI, 2026-08).
// Without the live service's lag: what is billed shows at once.
import { type Amounts, type Bill, billed } from '../bills.ts'
import { type Answer, type Call, json, problem, type Route } from './answer.ts'

type Size = 'hour' | 'day' | 'week' | 'month' | 'year'
const sizes: Size[] = ['hour', 'day', 'week', 'month', 'year']
const dayMs = 86_400_000

/** Start of the bucket that `ms` lies in, shifted by `steps` buckets; UTC, weeks from Monday. */
function bucketStart(ms: number, size: Size, steps = 0): number {
  const date = new Date(ms)
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  switch (size) {
    case 'hour':
      return Math.floor(ms / 3_600_000 + steps) * 3_600_000
    case 'day':
      return Date.UTC(year, month, day + steps)
    case 'week':
      return Date.UTC(year, month, day - ((date.getUTCDay() + 6) % 7) + 7 * steps)
    case 'month':
      return Date.UTC(year, month + steps, 1)
    case 'year':
      return Date.UTC(year + steps, 0, 1)
  }
}

type Window = { size: Size; fromMs: number; toMs: number }
function windowOf(query: URLSearchParams, nowMs: number): Window | Answer {
  const size = (query.get('bucketSize') ?? 'day') as Size
  const [start, end, lastN] = [query.get('startTime'), query.get('endTime'), query.get('lastN')]
  const invalid = (error: string) => problem(422, 'Request validation failed.', [error])
  if (!sizes.includes(size)) return invalid("bucketSize: value must be one of 'hour', 'day', 'week', 'month', 'year'")
  const last = bucketStart(nowMs, size, 1)
  if (lastN !== null) {
    const count = Number(lastN)
    if (start !== null || end !== null) return problem(400, 'lastN excludes startTime and endTime')
    if (!Number.isInteger(count) || count < 1 || count > 10_000) return invalid('lastN: must be an integer from 1')
    return { size, fromMs: bucketStart(nowMs, size, 1 - count), toMs: last }
  }
  const fromMs = start === null ? nowMs - 30 * dayMs : Date.parse(start)
  const toMs = end === null ? nowMs : Date.parse(end)
  if (Number.isNaN(fromMs) || Number.isNaN(toMs)) return invalid('startTime or endTime: not a date-time')
  const snapped = bucketStart(toMs, size)
  return { size, fromMs: bucketStart(fromMs, size), toMs: snapped === toMs ? toMs : bucketStart(toMs, size, 1) }
}

type Row = Amounts & { bill: Bill; fromMs: number; toMs: number }
function rowsOf(bills: Bill[], { size, fromMs, toMs }: Window, nowMs: number): Row[] {
  return bills.flatMap(bill => {
    const rows: Row[] = []
    const beganMs = bill.meters[0]?.fromMs ?? nowMs
    let at = Math.max(fromMs, bucketStart(beganMs, size))
    while (at < Math.min(toMs, nowMs)) {
      const next = bucketStart(at, size, 1)
      const [before, after] = [billed(bill, Math.min(at, nowMs)), billed(bill, Math.min(next, nowMs))]
      const row = { gpu: after.gpu - before.gpu, cpu: after.cpu - before.cpu, disk: after.disk - before.disk }
      const total = after.total - before.total
      if (total > 0) rows.push({ ...row, total, bill, fromMs: at, toMs: next })
      at = next
    }
    return rows
  })
}

const dollars = (micro: number) => micro / 1e6
const iso = (ms: number) => new Date(ms).toISOString()
const range = (part: { fromMs: number; toMs: number }) => ({ startTime: iso(part.fromMs), endTime: iso(part.toMs) })
const totalOf = (rows: Amounts[], kind: keyof Amounts) => rows.reduce((sum, row) => sum + row[kind], 0)
const podAmounts = (rows: Amounts[]) => ({
  totalAmount: dollars(totalOf(rows, 'total')),
  gpuAmount: dollars(totalOf(rows, 'gpu')),
  cpuAmount: dollars(totalOf(rows, 'cpu')),
  diskAmount: dollars(totalOf(rows, 'disk')),
})

export const getPodBilling: Route = ({ keeper, query }) => {
  const nowMs = Date.now()
  const window = windowOf(query, nowMs)
  if ('kind' in window) return window
  const podId = query.get('podId')
  const bills = Object.values(keeper.cloud().bills).filter(bill => podId === null || bill.id === podId)
  const rows = rowsOf(bills, window, nowMs).sort((a, b) => a.fromMs - b.fromMs)
  return json({
    records: rows.map(row => ({ ...range(row), podId: row.bill.id, ...podAmounts([row]) })),
    metadata: {
      query: { ...range(window), bucketSize: window.size, podId },
      recordCount: rows.length,
      uniquePodCount: new Set(rows.map(row => row.bill.id)).size,
      totals: podAmounts(rows),
    },
  })
}

const allAmounts = (pods: Amounts[], storage: { standard: number; fast: number }) => ({
  totalAmount: dollars(totalOf(pods, 'total') + storage.standard + storage.fast),
  podGpuAmount: dollars(totalOf(pods, 'gpu')),
  podCpuAmount: dollars(totalOf(pods, 'cpu')),
  podDiskAmount: dollars(totalOf(pods, 'disk')),
  serverlessGpuAmount: 0,
  serverlessCpuAmount: 0,
  serverlessDiskAmount: 0,
  serverlessFeeAmount: 0,
  storageStandardAmount: dollars(storage.standard),
  storageHighPerformanceAmount: dollars(storage.fast),
  endpointAmount: 0,
  clusterGpuAmount: 0,
  clusterDiskAmount: 0,
  clusterNetworkingAmount: 0,
})

export const getBilling: Route = ({ keeper, query }: Call) => {
  const nowMs = Date.now()
  const window = windowOf(query, nowMs)
  if ('kind' in window) return window
  const { bills, volumeBills, volumes } = keeper.cloud()
  const pods = rowsOf(Object.values(bills), window, nowMs)
  const storage = rowsOf(Object.values(volumeBills), window, nowMs)
  const isFast = (row: Row) => volumes[row.bill.id]?.type === 'HIGH_PERFORMANCE'
  const amountsOf = (keep: (row: Row) => boolean) => {
    const kept = storage.filter(keep)
    const fast = totalOf(kept.filter(isFast), 'total')
    return allAmounts(pods.filter(keep), { fast, standard: totalOf(kept, 'total') - fast })
  }
  const starts = [...new Set([...pods, ...storage].map(row => row.fromMs))].sort((a, b) => a - b)
  const records = starts.map(fromMs => ({
    ...range({ fromMs, toMs: bucketStart(fromMs, window.size, 1) }),
    ...amountsOf(row => row.fromMs === fromMs),
  }))
  return json({
    records,
    metadata: {
      query: { ...range(window), bucketSize: window.size },
      recordCount: records.length,
      totals: amountsOf(() => true),
    },
  })
}
