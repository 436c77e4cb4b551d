// Looks for lines in a pod's log, from its end backwards, a slice at a time between other work. It rests when nobody asks any more.
import type { Clock } from '../../ports.ts'
import type { LogFile } from './file.ts'

export type Found = {
  /** Where the lines begin, ascending. */
  positions: readonly number[]
  /** The log is searched from here to its end. */
  from: number
  /** No more will be found in what there is now: searched to its beginning, or there are too many to list. */
  isDone: boolean
}

/** A slice takes some 3 ms: no frame and no key waits longer. */
const SLICE_LINES = 2000
/** More hits than anybody steps through; the list stays under a megabyte. */
const FOUND_MAX = 100_000
/** A screen asks four times a second. */
const REST_AFTER_MS = 1500

/** Answers what is found up to now; each call keeps the search going. */
export function openSearch(log: LogFile, matches: (text: string) => boolean, clock: Clock): () => Found {
  const { start, end } = log.span()
  let positions: number[] = []
  let from = end
  let to = end
  let isBusy = false
  let askedAt = 0

  const isDone = () => from <= start || positions.length >= FOUND_MAX

  async function work(): Promise<void> {
    isBusy = true
    while (!isDone() && clock.now() - askedAt < REST_AFTER_MS) {
      const lines = log.backward(from, SLICE_LINES)
      const hits = lines.filter(line => matches(line.text)).map(line => line.from)
      if (hits.length > 0) positions = [...hits, ...positions]
      from = lines[0]?.from ?? start
      await new Promise(resolve => setImmediate(resolve))
    }
    isBusy = false
  }

  /** Lines that came since; a flood of them over several calls. */
  function goOn(): void {
    log.span()
    const lines = log.forward(to, SLICE_LINES)
    for (const line of lines)
      if (positions.length < FOUND_MAX && matches(line.text)) positions = [...positions, line.from]
    to = lines.at(-1)?.to ?? to
  }

  return () => {
    askedAt = clock.now()
    goOn()
    if (!isBusy && !isDone()) void work()
    return { positions, from, isDone: isDone() }
  }
}
