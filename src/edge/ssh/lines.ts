// Splits a stream of bytes into lines of text.

/** Longer lines are cut to this many bytes; the rest of them is dropped. */
export const LINE_BYTES_MAX = 64 * 1024

/** UTF-8 safe across chunks; `\n` or `\r\n` ends a line; `end` gives the last one if it is not empty. */
export function lineSplitter(onLine: (line: string) => void): { push(chunk: Buffer): void; end(): void } {
  let held: Buffer[] = []
  let heldBytes = 0
  const keep = (part: Buffer) => {
    const room = LINE_BYTES_MAX - heldBytes
    if (room <= 0 || part.length === 0) return
    const kept = part.length > room ? part.subarray(0, room) : part
    held.push(kept)
    heldBytes += kept.length
  }
  const flush = () => {
    const text = Buffer.concat(held, heldBytes).toString('utf8')
    held = []
    heldBytes = 0
    onLine(text.endsWith('\r') ? text.slice(0, -1) : text)
  }
  return {
    push(chunk) {
      let from = 0
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
        keep(chunk.subarray(from, at))
        from = at + 1
        flush()
      }
      keep(chunk.subarray(from))
    },
    end() {
      if (heldBytes > 0) flush()
    },
  }
}
