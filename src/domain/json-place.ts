// Where a text stops being JSON, and why, without the text around it: that may be a key.

export type JsonFault = { line: number; column: number; what: string }

/** Of a text that JSON.parse refused with `error`. */
export function jsonFault(text: string, error: unknown): JsonFault {
  const message = error instanceof Error ? error.message : String(error)
  const before = text.slice(0, placeOf(text, message)).split('\n')
  // V8 (Node 26) repeats the text and the position; only its first words say what is wrong.
  const what = message.replace(/,? ?"?\.{0,3}".*$/s, '').replace(/ (in JSON )?at position.*$/s, '')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, what: what || 'Unexpected word' }
}

/** V8 (Node 26) gives no position with `Unexpected token`: the shortest beginning of the text that it says so of ends there. */
function placeOf(text: string, message: string): number {
  const position = /at position (\d+)/.exec(message)?.[1]
  if (position !== undefined) return Number(position)
  let [low, high] = [0, text.length]
  if (!isWrong(text)) return high
  while (low < high) {
    const middle = (low + high) >> 1
    if (isWrong(text.slice(0, middle))) high = middle
    else low = middle + 1
  }
  return low - 1
}

/** It is no beginning of any JSON. */
function isWrong(text: string): boolean {
  try {
    JSON.parse(text)
    return false
  } catch (error) {
    return !/at position \d|end of JSON/.test((error as Error).message)
  }
}
