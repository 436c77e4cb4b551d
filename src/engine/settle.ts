// The one catch of Fault: what an edge threw becomes a value. Anything else thrown is a bug and goes on to the top.
import { Fault, type FaultData } from '../domain/fault.ts'
import type { Clock } from '../ports.ts'

export type Settled<T> = { ok: true; value: T } | { ok: false; fault: FaultData }

export async function settle<T>(work: () => Promise<T>): Promise<Settled<T>> {
  try {
    return { ok: true, value: await work() }
  } catch (error) {
    if (error instanceof Fault) return { ok: false, fault: error.data }
    throw error
  }
}

/** The journal takes no facts, or gives none back: whatever was under way, nothing can be decided. */
export function isOfJournal(error: unknown): error is Fault {
  return error instanceof Fault && (error.data.code === 'journal_unwritable' || error.data.code === 'journal_damaged')
}

/** 1, 2, 4 … 30 s, or what the other side asked for. */
export async function backOff(
  clock: Clock,
  tries: number,
  fault: FaultData | null,
  signal: AbortSignal,
): Promise<void> {
  await clock.sleep(fault?.retryAfterMs ?? Math.min(30_000, 1000 * 2 ** Math.min(tries, 10)), signal)
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** What comes of `work` within `ms`, null when nothing does, or when `signal` aborts first; its own signal aborts then. */
export async function within<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Settled<T> | null> {
  const late = new AbortController()
  const over = new AbortController()
  const all = AbortSignal.any([signal, late.signal])
  void clock.sleep(ms, over.signal).then(() => late.abort('late'))
  const asked = settle(() => work(all)).catch((error: unknown) => {
    if (all.aborted) return null
    throw error
  })
  const result = await Promise.race([asked, aborted(all).then(() => null)])
  over.abort('over')
  return result
}
