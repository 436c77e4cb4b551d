// The last lines that a pod's container and its host have written, for the log route. Lives in memory only.

export type LogSource = 'container' | 'system'
/** `id` is the moment and a rising number: exclusive cursor of the log stream. */
export type LogLine = { id: string; ts: string; atMs: number; source: LogSource; line: string }
export type PodLog = {
  add(source: LogSource, line: string): void
  lines(): readonly LogLine[]
  /** Calls back for each new line until the returned function is called. */
  follow(listener: (line: LogLine) => void): () => void
}

const linesMax = 10_000 // twice the 5,000 lines of one source that the route may be asked for

export function newPodLog(): PodLog {
  const lines: LogLine[] = []
  const listeners = new Set<(line: LogLine) => void>()
  let count = 0
  return {
    add: (source, text) => {
      const atMs = Date.now()
      const ts = new Date(atMs).toISOString()
      for (const line of text.replace(/\r?\n$/, '').split('\n')) {
        const entry = { id: `${ts}/${String(++count).padStart(12, '0')}`, ts, atMs, source, line }
        lines.push(entry)
        for (const listener of listeners) listener(entry)
      }
      if (lines.length > linesMax) lines.splice(0, lines.length - linesMax)
    },
    lines: () => lines,
    follow: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
