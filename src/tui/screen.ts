// A screen as data: a grid of characters and attributes. Panels write into it, the tests print it, the painter shows it.
import { type Attribute, asciiOf, type Palette } from './style.ts'
import { charWidth } from './text.ts'

export type Screen = {
  width: number
  height: number
  /** Code points, row by row; 0 = the second cell of a wide character. */
  chars: Uint32Array
  attributes: Uint32Array
  /** A wide character was written: from now on a cell may be half of one. */
  hasWide: boolean
  ink: Palette
  ascii: boolean
}

export type Region = { x: number; y: number; width: number; height: number }

export function newScreen(width: number, height: number, ink: Palette, ascii: boolean): Screen {
  const cells = Math.max(0, width * height)
  return {
    width,
    height,
    chars: new Uint32Array(cells).fill(0x20),
    attributes: new Uint32Array(cells).fill(ink.plain),
    hasWide: false,
    ink,
    ascii,
  }
}

/**
 * Writes one line of text, at most `width` cells and never beyond the screen; answers the column after it.
 * The last guard against hostile text: a control character that comes this far becomes a space.
 */
export function put(
  screen: Screen,
  x: number,
  y: number,
  text: string,
  attribute: Attribute,
  width: number = screen.width,
): number {
  if (y < 0 || y >= screen.height || x < 0) return x
  const { chars, attributes, ascii } = screen
  const row = y * screen.width
  const end = Math.min(screen.width, x + width)
  let column = x
  for (let i = 0; i < text.length; i++) {
    let codePoint = text.charCodeAt(i)
    let cells = 1
    // Most are ASCII, and nothing is to be asked about them.
    if (codePoint < 0x20 || codePoint >= 0x7f) {
      if (codePoint >= 0xd800 && codePoint < 0xdc00) {
        codePoint = text.codePointAt(i) ?? 0x20
        if (codePoint > 0xffff) i++
      } else if (codePoint < 0xa0) codePoint = 0x20
      cells = charWidth(codePoint)
      if (ascii) codePoint = asciiOf(codePoint)
    }
    if (column + cells > end) break
    const at = row + column
    if (screen.hasWide) unpair(screen, at, y)
    chars[at] = codePoint
    attributes[at] = attribute
    if (cells === 2) {
      screen.hasWide = true
      unpair(screen, at + 1, y)
      chars[at + 1] = ascii ? 0x20 : 0
      attributes[at + 1] = attribute
    }
    column += cells
  }
  return column
}

/** A wide character that loses one of its cells becomes spaces: half of one would shift the whole row. */
function unpair(screen: Screen, at: number, y: number): void {
  if (screen.chars[at] === 0) screen.chars[at - 1] = 0x20
  else if (at + 1 < (y + 1) * screen.width && screen.chars[at + 1] === 0) screen.chars[at + 1] = 0x20
}

export function clear(screen: Screen, region: Region): void {
  const x = Math.max(0, region.x)
  const end = Math.min(screen.width, region.x + region.width)
  if (end <= x) return
  for (let y = Math.max(0, region.y); y < Math.min(screen.height, region.y + region.height); y++) {
    const row = y * screen.width
    unpair(screen, row + x, y)
    unpair(screen, row + end - 1, y)
    screen.chars.fill(0x20, row + x, row + end)
    screen.attributes.fill(screen.ink.plain, row + x, row + end)
  }
}

/** Lays the selection over a row: characters stay. */
export function select(screen: Screen, x: number, y: number, width: number): void {
  for (let at = y * screen.width + x; at < y * screen.width + Math.min(screen.width, x + width); at++)
    screen.attributes[at] = screen.ink.selected(screen.attributes[at] ?? screen.ink.plain)
}

/** Cells of a row that a frame takes: a line and a blank at either side. */
export const FRAME_WIDTH = 4

/** An empty frame with a title; answers what is inside. */
export function frame(screen: Screen, region: Region, title: string, attribute: Attribute = screen.ink.frame): Region {
  const { x, y, width, height } = region
  clear(screen, region)
  const line = '─'.repeat(Math.max(0, width - 2))
  put(screen, x, y, `┌${line}┐`, attribute, width)
  put(screen, x, y + height - 1, `└${line}┘`, attribute, width)
  for (let row = y + 1; row < y + height - 1; row++) {
    put(screen, x, row, '│', attribute)
    put(screen, x + width - 1, row, '│', attribute)
  }
  if (title) put(screen, x + 2, y, ` ${title} `, screen.ink.strong, width - 4)
  return { x: x + 2, y: y + 1, width: width - FRAME_WIDTH, height: height - 2 }
}

/** The characters alone, rows without trailing blanks: what the golden screens hold. */
export function textOf(screen: Screen): string {
  const rows: string[] = []
  for (let y = 0; y < screen.height; y++) {
    let row = ''
    for (let x = 0; x < screen.width; x++) {
      const codePoint = screen.chars[y * screen.width + x] ?? 0x20
      if (codePoint !== 0) row += String.fromCodePoint(codePoint)
    }
    rows.push(row.trimEnd())
  }
  return `${rows.join('\n')}\n`
}
