// The rate limit of an account: three windows, told in the headers of every answer (RunPod REST v2 OpenAPI, 2026-08).

export type Limits = { minute: number; hour: number; day: number }
/** High, so that nobody meets it by accident; RunPod's own example is 60, 3,000 and 50,000. */
export const wideLimits: Limits = { minute: 60_000, hour: 1_000_000, day: 10_000_000 }

const windows = [
  { name: 'minute', seconds: 60 },
  { name: 'hour', seconds: 3600 },
  { name: 'day', seconds: 86_400 },
] as const

export type Quota = { headers: Record<string, string>; exceeded: { window: string; retryAfterS: number } | null }

/** Counts one request and says how things stand. Windows are fixed: they begin at whole multiples of their length. */
export function newLimiter(limits: Limits): (nowMs: number) => Quota {
  const counts = windows.map(() => ({ window: -1, used: 0 }))
  return nowMs => {
    let exceeded: Quota['exceeded'] = null
    const rests: string[] = []
    const policies: string[] = []
    for (const [index, { name, seconds }] of windows.entries()) {
      const count = counts[index]
      if (!count) continue
      const window = Math.floor(nowMs / 1000 / seconds)
      if (count.window !== window) Object.assign(count, { window, used: 0 })
      count.used++
      const resetS = Math.max(1, Math.ceil((window + 1) * seconds - nowMs / 1000))
      if (count.used > limits[name] && !exceeded) exceeded = { window: name, retryAfterS: resetS }
      rests.push(`"${name}";r=${Math.max(0, limits[name] - count.used)};t=${resetS}`)
      policies.push(`"${name}";q=${limits[name]};w=${seconds}`)
    }
    return { headers: { RateLimit: rests.join(', '), 'RateLimit-Policy': policies.join(', ') }, exceeded }
  }
}
