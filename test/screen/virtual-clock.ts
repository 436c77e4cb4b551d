// Timers in time of our own, for a dashboard that is to live through a night in seconds.

export type VirtualClock = {
  every(ms: number, fn: () => void): () => void
  /** Moves time on and calls what is due on the way, in order. */
  pass(ms: number): void
  now(): number
  /** Timers that were asked for and not ended. */
  open(): number
}

export function virtualClock(start: number): VirtualClock {
  const timers = new Set<{ at: number; ms: number; fn: () => void }>()
  let now = start
  return {
    every(ms, fn) {
      const timer = { at: now + ms, ms, fn }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    pass(ms) {
      const end = now + ms
      for (;;) {
        let next: { at: number; ms: number; fn: () => void } | null = null
        for (const timer of timers) if (timer.at <= end && (!next || timer.at < next.at)) next = timer
        if (!next) break
        now = next.at
        next.at += next.ms
        next.fn()
      }
      now = end
    },
    now: () => now,
    open: () => timers.size,
  }
}
