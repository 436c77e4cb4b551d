// Many files, one bar: bytes moved so far of all that are to move.
import type { Transfer } from '../ports.ts'

export type Meter = {
  /** Bytes of file `index` so far; a file that starts again takes its bytes back. */
  set(index: number, bytes: number): void
}

export function meter(phase: Transfer['phase'], sizes: number[], on: (t: Transfer) => void): Meter {
  const bytesTotal = sizes.reduce((sum, size) => sum + size, 0)
  const at = sizes.map(() => 0)
  let bytes = 0
  return {
    set(index, now) {
      const capped = Math.min(Math.round(now), sizes[index] ?? 0)
      bytes += capped - (at[index] ?? 0)
      at[index] = capped
      on({ phase, bytes, bytesTotal })
    },
  }
}
