// At most so many at once; the rest wait in order.

export type Slots = {
  /** Resolves with the function that frees the slot again (calling it twice is harmless), or null when `signal` was aborted first. */
  take(signal?: AbortSignal): Promise<(() => void) | null>
}

export function slots(max: number): Slots {
  let free = max
  const waiting = new Set<() => void>()
  const taken = () => {
    let held = true
    return () => {
      if (!held) return
      held = false
      const [next] = waiting
      if (next) next()
      else free += 1
    }
  }
  return {
    take: signal =>
      new Promise(resolve => {
        if (signal?.aborted) return resolve(null)
        if (free > 0) {
          free -= 1
          return resolve(taken())
        }
        const leave = () => {
          waiting.delete(turn)
          signal?.removeEventListener('abort', onAbort)
        }
        const turn = () => {
          leave()
          resolve(taken())
        }
        const onAbort = () => {
          leave()
          resolve(null)
        }
        waiting.add(turn)
        signal?.addEventListener('abort', onAbort, { once: true })
      }),
  }
}
