// The S3 calls that a bucket needs, without the package that makes them: what r2.ts hands to its two neighbours.
import type { Readable } from 'node:stream'
import type { Clock } from '../../ports.ts'
import { stopIfAborted } from '../transfer-fault.ts'
import { bucketFault, isTransient } from './r2-fault.ts'

export type Body = Readable | string
export type Condition = { onlyNew: boolean }

export type S3Calls = {
  put(key: string, body: Body, bytes: number, sha256: string, condition: Condition, signal?: AbortSignal): Promise<void>
  head(key: string): Promise<{ bytes: number; sha256: string | null; etag: string } | null>
  /** From byte `from` on, only while the object still has `etag`. */
  read(key: string, from: number, etag: string, signal?: AbortSignal): Promise<Readable>
  begin(key: string, sha256: string | null): Promise<string>
  part(
    key: string,
    upload: string,
    number: number,
    body: Readable,
    bytes: number,
    signal?: AbortSignal,
  ): Promise<string>
  complete(key: string, upload: string, etags: string[], condition: Condition): Promise<void>
  abort(key: string, upload: string): Promise<void>
}

export type Again = <T>(what: string, work: (attempt: number) => Promise<T>, signal?: AbortSignal) => Promise<T>

/** One try and three more; what still fails then is the engine's to wait for. */
const TRIES = 4
const FIRST_PAUSE_MS = 250

/**
 * Repeats what failed for a passing reason, with pauses of 0.25, 0.5 and 1 s (at least half of each, the rest by chance, so that
 * many do not come back at once) or as long as the other side asked for, 10 s at most. Rejects with a Fault.
 */
export function again(clock: Clock, chance: () => number): Again {
  return async (what, work, signal) => {
    for (let attempt = 1; ; attempt++) {
      stopIfAborted(signal)
      try {
        return await work(attempt)
      } catch (error) {
        stopIfAborted(signal)
        const fault = bucketFault(error, what)
        if (attempt === TRIES || !isTransient(error)) throw fault
        const asked = (fault as { data?: { retryAfterMs?: number } }).data?.retryAfterMs ?? 0
        const pause = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + chance() / 2)
        await clock.sleep(Math.min(10_000, Math.max(pause, asked)), signal)
      }
    }
  }
}
