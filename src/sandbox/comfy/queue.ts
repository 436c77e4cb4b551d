// Waiting, running and finished prompts, in memory only: a restart loses them all, as on the real server.
import type { Prompt } from './graph.ts'

export type QueueItem = [
  number: number,
  promptId: string,
  prompt: Prompt,
  extraData: Record<string, unknown>,
  outputs: string[],
]
export type StatusMessage = [event: string, data: Record<string, unknown>]
export type Finished = {
  outputs: Record<string, Record<string, unknown[]>>
  meta: Record<string, unknown>
  status: { status_str: 'success' | 'error'; completed: boolean; messages: StatusMessage[] }
}
export type HistoryEntry = Finished & { prompt: QueueItem }

/** The real server's cap; the oldest go first. */
const historyMax = 10_000

/** Order of Python tuples. Equal number and id would compare two dicts, which throws there; so it does here (recording 20). */
function isLess(a: QueueItem, b: QueueItem): boolean {
  if (a[0] !== b[0]) return a[0] < b[0]
  if (a[1] !== b[1]) return a[1] < b[1]
  throw new TypeError("'<' not supported between instances of 'dict' and 'dict'")
}

// Python's heapq, because GET /queue shows the heap as it lies, not in run order (recording 10).
function siftDown(heap: QueueItem[], start: number, from: number): void {
  const item = heap[from]!
  let at = from
  while (at > start) {
    const parent = (at - 1) >> 1
    if (!isLess(item, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = item
}

function siftUp(heap: QueueItem[], from: number): void {
  const item = heap[from]!
  let at = from
  for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
    const right = child + 1
    if (right < heap.length && !isLess(heap[child]!, heap[right]!)) child = right
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = item
  siftDown(heap, from, at)
}

export type PromptQueue = ReturnType<typeof createQueue>

/** @param changed called after every change of what waits or runs */
export function createQueue(changed: () => void) {
  const pending: QueueItem[] = []
  const history = new Map<string, HistoryEntry>()
  let running: QueueItem | null = null

  return {
    running: () => running,
    pending: () => [...pending],
    remaining: () => pending.length + (running ? 1 : 0),
    history: () => history,

    /** Throws a TypeError for the same number and id as one that waits; it is queued all the same (recording 20). */
    put(item: QueueItem): void {
      pending.push(item)
      siftDown(pending, 0, pending.length - 1)
      changed()
    },
    /** Takes the next one to run; undefined when none waits. */
    take(): QueueItem | undefined {
      const last = pending.pop()
      if (!last) return undefined
      const first = pending[0]
      if (first) {
        pending[0] = last
        siftUp(pending, 0)
      }
      running = first ?? last
      changed()
      return running
    },
    finish(result: Finished): void {
      if (!running) throw new Error('bug: no prompt is running')
      if (history.size > historyMax) history.delete(history.keys().next().value ?? '')
      history.set(running[1], { prompt: running, ...result })
      running = null
      changed()
    },
    /** Removes a waiting prompt; it leaves no trace. False: it does not wait. */
    remove(promptId: string): boolean {
      const at = pending.findIndex(item => item[1] === promptId)
      if (at < 0) return false
      pending.splice(at, 1)
      for (let index = (pending.length >> 1) - 1; index >= 0; index--) siftUp(pending, index)
      changed()
      return true
    },
    clear(): void {
      pending.length = 0
      changed()
    },
  }
}
