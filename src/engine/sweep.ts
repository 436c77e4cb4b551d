// Leases of pods that are gone leave the bucket. Nothing waits for it: what is left behind the next engine finds.
import { isLeaseOver } from '../domain/lease.ts'
import type { Context } from './context.ts'
import { aborted, settle } from './settle.ts'

/** At the begin, and whenever a pod is gone, until `signal` aborts. */
export async function sweepLeases(
  { clock, guard, home8, journal, limits, trace }: Omit<Context, 'startedAt'>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const gone = Promise.withResolvers<void>()
    const unlisten = journal.onEvent(({ type }) => type === 'pod.gone' && gone.resolve())
    const swept = await settle(() => guard.sweep(`autopod-${home8}-`, name => isLeaseOver(journal.fleet, name)))
    if (swept.ok) await Promise.race([gone.promise, aborted(signal)])
    else {
      trace.engine(`leases: ${swept.fault.message}`)
      await clock.sleep(limits.sweepRetryMs, signal)
    }
    unlisten()
  }
}
