// Text from outside made fit for cells: no control sequence, nothing invisible, a known width for every character.

// Whole sequences first (so that `ESC[31m` leaves nothing behind), 7-bit and 8-bit introducers alike; an unfinished one takes the rest of its kind.
const SEQUENCES = new RegExp(
  [
    '(?:\\x1b\\[|\\x9b)[\\x30-\\x3f]*[\\x20-\\x2f]*[\\x40-\\x7e]?', // CSI
    '(?:\\x1b[\\]PX^_]|[\\x90\\x98\\x9d\\x9e\\x9f])[^\\x07\\x1b\\x9c]*(?:\\x07|\\x1b\\\\|\\x9c)?', // OSC, DCS, SOS, PM, APC
    '\\x1b[\\x20-\\x2f]*[\\x30-\\x7e]?',
  ].join('|'),
  'g',
)
const SPACES = /[\t\n\v\f\r\u0085\u2028\u2029\u00a0\u2000-\u200a\u202f\u205f\u3000]+/g
// C0, C1, format characters (bidi, zero-width, tags), lone surrogates, combining marks, variation selectors, unassigned.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{M}\u115f\u1160\u3164\uffa0]/gu
// Terminals disagree on the width of these (contracts: seen with xterm.js, tmux 3.3a), so they get a stand-in of one cell.
const UNSURE = /\p{Emoji_Presentation}|[\p{Co}\u{1f000}-\u{1faff}]/gu

// ASCII, and what this program itself writes: most texts need nothing done.
const PLAIN = /^[\x20-\x7e…–·×→←‖⋯⟳✓✗⊘○↑↓▸▓░▁-█]*$/

const CLEAN_MAX = 10_000

/** One line of plain text for a cell row; never longer than it was. */
export function clean(text: string): string {
  if (PLAIN.test(text)) return text
  return tidy(text.slice(0, CLEAN_MAX).replace(SEQUENCES, ''))
}

/** As `clean`, but the parts between control sequences one by one, each sequence where it stood. */
export function cleanParts(text: string, onText: (part: string) => void, onSequence: (sequence: string) => void): void {
  const bounded = text.slice(0, CLEAN_MAX)
  let from = 0
  for (const match of bounded.matchAll(SEQUENCES)) {
    onText(tidy(bounded.slice(from, match.index)))
    onSequence(match[0])
    from = match.index + match[0].length
  }
  onText(tidy(bounded.slice(from)))
}

function tidy(text: string): string {
  if (PLAIN.test(text)) return text
  return text.replace(SPACES, ' ').normalize('NFC').replace(INVISIBLE, '').replace(UNSURE, '▯')
}

// East Asian Width W and F (Unicode 16), without the emoji blocks, which `clean` has replaced.
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18aff],
  [0x1b000, 0x1b2ff],
  [0x20000, 0x3fffd],
]

/** Cells of one printable character: 1 or 2. */
export function charWidth(codePoint: number): 1 | 2 {
  // Latin, and the arrows, blocks and signs this program draws with.
  if (codePoint < 0x1100 || (codePoint > 0x232a && codePoint < 0x2e80)) return 1
  for (const [first, last] of WIDE) if (codePoint >= first && codePoint <= last) return 2
  return 1
}

/** Cells of a cleaned text. */
export function textWidth(text: string): number {
  // One a unit, corrected where it is not: most texts have no such place.
  let width = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x1100 || (unit > 0x232a && unit < 0x2e80)) continue
    const codePoint = text.codePointAt(i) ?? 0
    if (codePoint > 0xffff) {
      i++
      width--
    }
    width += charWidth(codePoint) - 1
  }
  return width
}

/** At most `width` cells; what was cut shows as `…`. */
export function cut(text: string, width: number): string {
  if (width <= 0) return ''
  if (text.length <= width / 2 || textWidth(text) <= width) return text
  let taken = ''
  let used = 0
  for (const char of text) {
    const cells = charWidth(char.codePointAt(0) ?? 0)
    if (used + cells > width - 1) break
    taken += char
    used += cells
  }
  return `${taken}…`
}

/** Text from outside, cleaned and cut: one look where there is nothing to do. */
export function cutClean(text: string, width: number): string {
  return text.length <= width && PLAIN.test(text) ? text : cut(clean(text), width)
}

/** As `cut`, but of the middle: names that count up differ at their end. */
export function cutMiddle(text: string, width: number): string {
  if (textWidth(text) <= width || width < 5) return cut(text, width)
  const chars = [...text]
  let tail = ''
  while (chars.length > 0 && textWidth(tail) + charWidth(chars.at(-1)?.codePointAt(0) ?? 0) <= (width - 1) / 2)
    tail = `${chars.pop()}${tail}`
  // More than fits, so that the cut always shows.
  return `${cut(`${chars.join('')}  `, width - textWidth(tail))}${tail}`
}

/** Pieces of at most `width` cells, broken at spaces where that loses no more than a third of a line; at least one piece. */
export function wrap(text: string, width: number): string[] {
  return wrapSpans(text, width).map(([from, to]) => text.slice(from, to))
}

/** Where the pieces of `wrap` begin and end in the text. */
export function wrapSpans(text: string, width: number): [number, number][] {
  const spans: [number, number][] = []
  let start = 0
  let used = 0
  for (let i = 0; width > 1 && i < text.length; i++) {
    const codePoint = text.codePointAt(i) ?? 0
    used += charWidth(codePoint)
    if (used > width) {
      const space = text.lastIndexOf(' ', i - 1)
      const end = space - start > ((i - start) * 2) / 3 ? space : i
      spans.push([start, end])
      start = text[end] === ' ' ? end + 1 : end
      used = 0
      i = start - 1
    } else if (codePoint > 0xffff) i++
  }
  spans.push([start, text.length])
  return spans
}
