// At most so many at once; the rest wait in order.

export type Slots = {
  /** Resolves with the function that frees the slot again (calling it twice is harmless). */
  take(): Promise<() => void>
}

export function slots(max: number): Slots {
  let free = max
  const waiting: (() => void)[] = []
  const release = () => {
    const next = waiting.shift()
    if (next) next()
    else free += 1
  }
  return {
    async take() {
      if (free > 0) free -= 1
      else await new Promise<void>(resolve => waiting.push(resolve))
      let held = true
      return () => {
        if (held) release()
        held = false
      }
    },
  }
}
