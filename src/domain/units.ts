// Money, time and bytes: whole numbers with the unit in the name, and how they are written for people.

/** Whole micro-dollars: $1 = 1_000_000. Never a fraction. */
export type Micro = number

/** Milliseconds since 1970-01-01 UTC. */
export type Millis = number

const HOUR_MS = 3_600_000n

/** What `durationMs` costs at `perHour`, rounded up to the next micro-dollar: a bill is never shown too small. */
export function accrue(perHour: Micro, durationMs: number): Micro {
  if (durationMs <= 0 || perHour <= 0) return 0
  const exact = perHour * Math.round(durationMs)
  if (exact <= Number.MAX_SAFE_INTEGER) return Math.ceil(exact / 3_600_000)
  // $20/h over five days leaves the exact range of a double.
  const product = BigInt(perHour) * BigInt(Math.round(durationMs))
  return Number((product + HOUR_MS - 1n) / HOUR_MS)
}

/** Dollars as other people's APIs write them (a float) → micro-dollars; rounds up what lies below a micro-dollar. */
export function microFromUsd(usd: number): Micro {
  return Math.ceil(Number((usd * 1_000_000).toFixed(3)))
}

/** Micro-dollars → dollars with six decimals at most; for documents, never for arithmetic. */
export function usdFromMicro(micro: Micro): number {
  return Number((micro / 1_000_000).toFixed(6))
}

/**
 * `$1.24`; under ten cents `$0.0087`, so that a short job's meter is seen to run. Rounded up: nothing spent shows as nothing.
 */
export function formatUsd(micro: Micro): string {
  const amount = Math.abs(micro)
  const digits = amount > 0 && amount < 100_000 ? 4 : 2
  const scale = 10 ** (6 - digits)
  const text = String(Math.ceil(amount / scale)).padStart(digits + 1, '0')
  return `${micro < 0 ? '-' : ''}$${text.slice(0, -digits)}.${text.slice(-digits)}`
}

/** A limit as it was set, `$5.00` or `$0.000001`: rounded, it would be told as another. */
export function formatLimit(micro: Micro): string {
  return `$${(micro / 1_000_000).toFixed(6).replace(/0{1,4}$/, '')}`
}

/** A limit of time as it was set: `45 min`, `1.5 min`, `20 s`. */
export function formatSpan(durationMs: number): string {
  return durationMs < 60_000 ? `${durationMs / 1000} s` : `${Number((durationMs / 60_000).toFixed(2))} min`
}

/** `38 %`; what is there is never told as nothing. `–` of nothing. */
export function formatShare(part: number, whole: number): string {
  const percents = Math.round((part / Math.max(1, whole)) * 100)
  return whole === 0 ? '–' : percents === 0 && part > 0 ? '< 1 %' : `${percents} %`
}

/** `0:42`, `14:22`, `3:05:00`. */
export function formatClock(durationMs: number): string {
  const total = Math.max(0, Math.floor(durationMs / 1000))
  const seconds = String(total % 60).padStart(2, '0')
  const minutes = Math.floor(total / 60) % 60
  const hours = Math.floor(total / 3600)
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`
}

/** `640 B`, `23 kB`, `1.4 MB`; decimal units, as bills and disks count. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  // 999 600 B would round to 1000 kB.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `1 pod`, `3 pods`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
