// A pod's log on disk, read in windows: a log of any size opens at once and takes no memory. Other processes may write it meanwhile.
//
// A position is a byte of the two generations laid end to end. It stays true when the log is rotated: the generations are known
// by their inodes, which cannot be given to another file while they are held open here.
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { podLogPath } from '../trace.ts'

/** `from` and `to`: where the line lies in its log; `at` is 0 where no time is known (a piece of an overlong line). */
export type LogLine = { at: number; text: string; from: number; to: number }

export type LogFile = {
  /** What there is now: the first byte and the one after the last. */
  span(): { start: number; end: number }
  /** Up to `count` whole lines from the line at `from` on. Positions between lines are only those of lines, or of the span. */
  forward(from: number, count: number): LogLine[]
  /** Up to `count` whole lines that end at or before `to`, oldest first. */
  backward(to: number, count: number): LogLine[]
  close(): void
}

type Part = { file: number; inode: number; base: number; size: number }

/** Read at a time; a longer line comes in pieces of this size. */
const WINDOW_BYTES = 65_536
const NEWLINE = 10
/** `2026-11-22T14:00:00.000Z` and a space. */
const STAMP = 25

export function openLogFile(home: string, podId: string): LogFile {
  const path = podLogPath(home, podId)
  let parts: Part[] = []

  function refresh(): void {
    const found: Part[] = []
    for (const generation of [`${path}.1`, path]) {
      const inode = statSync(generation, { throwIfNoEntry: false })?.ino
      const known = parts.find(part => part.inode === inode)
      if (known) found.push(known)
      else if (inode !== undefined) {
        const opened = open(generation)
        if (opened) found.push(opened)
      }
    }
    const before = parts.at(-1)
    let base = before ? before.base + fstatSync(before.file).size : 0
    for (const part of found) {
      part.size = fstatSync(part.file).size
      if (parts.includes(part)) continue
      part.base = base
      base += part.size
    }
    for (const part of parts) if (!found.includes(part)) closeSync(part.file)
    parts = found
  }

  function read(part: Part, from: number, to: number): Buffer {
    const buffer = Buffer.allocUnsafe(to - from)
    return buffer.subarray(0, readSync(part.file, buffer, 0, buffer.length, from - part.base))
  }

  return {
    span() {
      refresh()
      const last = parts.at(-1)
      return { start: parts[0]?.base ?? 0, end: last ? last.base + last.size : 0 }
    },
    forward(from, count) {
      const lines: LogLine[] = []
      for (const part of parts) {
        const end = part.base + part.size
        let at = Math.max(from, part.base)
        while (lines.length < count && at < end) {
          const window = read(part, at, Math.min(end, at + WINDOW_BYTES))
          const last = window.lastIndexOf(NEWLINE) + 1
          // The end of the last line is still being written.
          if (last === 0 && window.length < WINDOW_BYTES) break
          const whole = last || window.length
          split(window.subarray(0, whole), at, count - lines.length, lines)
          at = lines.at(-1)?.to ?? end
        }
      }
      return lines
    },
    backward(to, count) {
      const lines: LogLine[] = []
      for (const part of parts.toReversed()) {
        let at = Math.min(to, part.base + part.size)
        while (lines.length < count && at > part.base) {
          const from = Math.max(part.base, at - WINDOW_BYTES)
          const window = read(part, from, at)
          const begin = splitBackward(window, from, from > part.base, count - lines.length, lines)
          // Only the start of a line that is still being written.
          if (begin === window.length) break
          at = from + begin
        }
      }
      return lines.reverse()
    },
    close() {
      for (const part of parts) closeSync(part.file)
      parts = []
    },
  }
}

/** It may be rotated away just now: then the next look finds it. */
function open(path: string): Part | null {
  try {
    const file = openSync(path, 'r')
    return { file, inode: fstatSync(file).ino, base: 0, size: 0 }
  } catch {
    return null
  }
}

/** Whole lines of `bytes`, which lie at `base`; a window without an end of a line is a piece of one. */
function split(bytes: Buffer, base: number, count: number, into: LogLine[]): void {
  let from = 0
  for (let taken = 0; taken < count && from < bytes.length; taken++) {
    const newline = bytes.indexOf(NEWLINE, from)
    if (newline === -1 && bytes.length < WINDOW_BYTES) return
    const to = newline === -1 ? bytes.length : newline + 1
    into.push(lineOf(bytes, from, to, base))
    from = to
  }
}

/**
 * The last `count` whole lines of `bytes`, the last one first; answers where the first of them begins. `isCut`: the window
 * begins somewhere in a line; when that is all there is, it comes as a piece.
 */
function splitBackward(bytes: Buffer, base: number, isCut: boolean, count: number, into: LogLine[]): number {
  let to = bytes.lastIndexOf(NEWLINE) + 1
  if (to === 0) {
    if (!isCut) return bytes.length
    to = bytes.length
  }
  const end = to
  for (let taken = 0; taken < count && to > 0; taken++) {
    const from = to > 1 ? bytes.lastIndexOf(NEWLINE, to - 2) + 1 : 0
    if (from === 0 && isCut && to < end) break
    into.push(lineOf(bytes, from, to, base))
    to = from
  }
  return to
}

function lineOf(bytes: Buffer, from: number, to: number, base: number): LogLine {
  const text = bytes.toString('utf8', from, bytes[to - 1] === NEWLINE ? to - 1 : to)
  const at = Date.parse(text.slice(0, STAMP - 1)) || 0
  return { at, text: at ? text.slice(STAMP) : text, from: base + from, to: base + to }
}
