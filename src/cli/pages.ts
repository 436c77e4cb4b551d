// Sees to it that every run that ends while this process looks on has its report, and that a late bill gets into it.
import type { Event } from '../domain/event.ts'
import type { Fleet } from '../domain/fleet.ts'
import { jobsOfRun, podsOfRun } from '../domain/review.ts'
import type { Trace } from '../ports.ts'
import type { Home } from './home.ts'

export type Pages = {
  /** Where the report of a run that is over lies; null when it could not be written. */
  of(runId: string): Promise<string | null>
  /** Waits for what is being written. */
  close(): Promise<void>
}

type Watched = { fleet: Fleet; onEvent(listener: (event: Event) => void): () => void }

/** `eager`: at each run's end, as the engine does; else only the pages that are asked for. */
export function openPages(home: Home, { fleet, onEvent }: Watched, eager: boolean, trace: Trace): Pages {
  const written = new Map<string, Promise<string | null>>()
  const stale = new Set<string>()
  const write = async (runId: string, before: Promise<unknown> | undefined): Promise<string | null> => {
    await before
    stale.delete(runId)
    const run = fleet.runs.get(runId)
    // One that found everything done already did nothing; the page of the run that did it stays.
    if (!run || (podsOfRun(fleet, run).length === 0 && jobsOfRun(fleet, run).every(job => job.runId !== runId)))
      return null
    try {
      // Loaded when the first run ends: a page is nothing that a start should wait for.
      const { writeReport } = await import('./page.ts')
      return await writeReport(home, fleet, run)
    } catch (error) {
      // A full disk, say: what was rented and made is safe without a page about it.
      trace.engine(`no report of ${runId}: ${error instanceof Error ? error.message : String(error)}`)
      return null
    }
  }
  const renew = (runId: string) => {
    // One that waits for its turn will see this event, too.
    if (stale.has(runId)) return
    stale.add(runId)
    written.set(runId, write(runId, written.get(runId)))
  }
  const unlisten = onEvent(event => {
    const runId =
      event.type === 'run.closed' ? event.runId : 'podId' in event ? fleet.pods.get(event.podId)?.runId : undefined
    if (runId === undefined || fleet.runs.get(runId)?.status === 'running') return
    if (event.type === 'run.closed' ? eager : written.has(runId)) renew(runId)
  })
  return {
    of(runId) {
      if (!written.has(runId)) renew(runId)
      return written.get(runId) as Promise<string | null>
    },
    async close() {
      unlisten()
      await Promise.all(written.values())
    },
  }
}
