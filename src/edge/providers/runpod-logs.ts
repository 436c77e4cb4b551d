// RunPod's log stream of one pod: server-sent events, from where the last stream of this pod broke off.
import { Fault } from '../../domain/fault.ts'
import { LogLine } from '../../wire/runpod.ts'
import { jsonOf, type RunpodOptions, refusal, send } from './runpod-api.ts'

/** The stream has no end and, before its first line, not even a head: silence this long may as well be a dead connection. */
const SILENCE_MAX_MS = 15 * 60_000
/** Lines of the past with the first stream of a pod: its boot, which nobody followed yet. */
const TAIL = 200

/**
 * Calls `onLine` with each line after `cursor` until `signal` aborts or the stream ends. `refusing` are the pods whose cursor
 * the service did not take; it outlives a stream. Faults: transient, operator.
 */
export async function followLogs(
  options: RunpodOptions,
  refusing: Set<string>,
  ref: string,
  cursor: string | null,
  onLine: (line: string, cursor: string | null) => void,
  signal: AbortSignal,
): Promise<void> {
  const call = {
    method: 'GET',
    // With `since` the stream leaves out all that came before, and ignores `tail` (REST v2 OpenAPI, 2026-08).
    path: `/pods/${ref}/logs?tail=${TAIL}`,
    headers: { accept: 'text/event-stream', ...(cursor && !refusing.has(ref) && { 'last-event-id': cursor }) },
    timeoutMs: SILENCE_MAX_MS,
    signal,
  }
  try {
    const answer = await send(options, call)
    if (answer.status >= 300) {
      // The published type of the cursor (a date) and its own example differ: where it is not taken, go without.
      if (answer.status === 400 || answer.status === 422) refusing.add(ref)
      throw refusal(call, answer, await answer.text())
    }
    let id = ''
    await readEvents(answer.stream, signal, (field, value) => {
      if (field === 'id') id = value
      if (field !== 'data') return
      const entry = LogLine.safeParse(jsonOf(value))
      if (!entry.success) return
      const { source, line } = entry.data
      onLine(source === 'system' ? `[${source}] ${line}` : line, id || null)
    })
  } catch (error) {
    if (signal.aborted) return
    if (error instanceof Fault) throw error
    throw new Fault({ kind: 'transient', code: 'log_broken', message: `the log stream broke: ${String(error)}` })
  }
}

/** Fields of server-sent events, line by line. */
async function readEvents(
  stream: AsyncIterable<Buffer>,
  signal: AbortSignal,
  onField: (field: string, value: string) => void,
): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    if (signal.aborted) return
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/)
    rest = (lines.pop() ?? '').slice(0, 65_536)
    for (const line of lines) {
      const colon = line.indexOf(':')
      if (colon > 0) onField(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''))
    }
  }
}
