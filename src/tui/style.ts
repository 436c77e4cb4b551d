// Colours and ASCII stand-ins. Colour is decoration: whatever it says is also said by a glyph and a word.

/**
 * An attribute as blessed's cells carry it (blessed 0.1.81, screen.js): bits 0–8 background, 9–17 foreground, 18 bold,
 * 19 underline, 21 inverse; 0x1ff = the terminal's own colour.
 */
export type Attribute = number

export type Ink = 'plain' | 'dim' | 'strong' | 'good' | 'bad' | 'busy' | 'wait' | 'title' | 'frame' | 'key'

export type Colours = 0 | 16 | 256
export type Palette = Readonly<Record<Ink, Attribute>> & {
  readonly colours: Colours
  /** Laid over the selected row. */
  selected(attribute: Attribute): Attribute
}

const OWN = 0x1ff
const BOLD = 1
const UNDERLINE = 2
const INVERSE = 8

export function attribute(foreground: number = OWN, background: number = OWN, flags = 0): Attribute {
  return (flags << 18) | (foreground << 9) | background
}

// Blue against orange and never red against green alone: distinguishable with the common colour blindnesses (Okabe and Ito, 2008).
const FULL: Record<Ink, Attribute> = {
  plain: attribute(),
  dim: attribute(245),
  strong: attribute(OWN, OWN, BOLD),
  good: attribute(79),
  bad: attribute(208, OWN, BOLD),
  busy: attribute(75),
  wait: attribute(180),
  title: attribute(16, 75, BOLD),
  frame: attribute(240),
  key: attribute(117, OWN, BOLD),
}

const SIXTEEN: Record<Ink, Attribute> = {
  plain: attribute(),
  dim: attribute(8),
  strong: attribute(OWN, OWN, BOLD),
  good: attribute(6),
  bad: attribute(9, OWN, BOLD),
  busy: attribute(12),
  wait: attribute(3),
  title: attribute(0, 6),
  frame: attribute(8),
  key: attribute(14, OWN, BOLD),
}

const NONE: Record<Ink, Attribute> = {
  plain: attribute(),
  dim: attribute(),
  strong: attribute(OWN, OWN, BOLD),
  good: attribute(),
  bad: attribute(OWN, OWN, BOLD),
  busy: attribute(),
  wait: attribute(),
  title: attribute(OWN, OWN, INVERSE),
  frame: attribute(),
  key: attribute(OWN, OWN, UNDERLINE),
}

export function palette(colours: Colours): Palette {
  const inks = colours === 256 ? FULL : colours === 16 ? SIXTEEN : NONE
  const selected =
    colours === 256
      ? (value: Attribute) => (value & ~OWN) | 238 | (BOLD << 18)
      : (value: Attribute) => (value ^ (INVERSE << 18)) & (colours === 16 ? ~0 : ~(BOLD << 18))
  return { ...inks, colours, selected }
}

const ASCII: Readonly<Record<string, string>> = {
  '…': '~',
  '–': '-',
  '·': '-',
  '›': '>',
  '▸': '>',
  '⟳': '*',
  '⋯': '.',
  '✓': '+',
  '✗': 'x',
  '⊘': '/',
  '↑': '^',
  '↓': 'v',
  '●': 'o',
  '○': '.',
  '‖': '"',
  '▓': '#',
  '░': '.',
  '─': '-',
  '│': '|',
  '┌': '+',
  '┐': '+',
  '└': '+',
  '┘': '+',
  '┬': '+',
  '┤': '+',
  '▌': '|',
  '→': '>',
  '←': '<',
  '’': "'",
  '“': '"',
  '”': '"',
  '┴': '+',
  '▁': '_',
  '▂': '.',
  '▃': '-',
  '▄': '=',
  '▅': '+',
  '▆': '*',
  '▇': '#',
  '█': '@',
  '×': 'x',
  '▯': '?',
}

/** The stand-in of a character on a terminal without Unicode; `?` for what has none. */
export function asciiOf(codePoint: number): number {
  if (codePoint < 0x7f) return codePoint
  return (ASCII[String.fromCodePoint(codePoint)] ?? '?').charCodeAt(0)
}

/** The nearest of xterm's 256 colours (cube 16–231, greys 232–255), components 0..255. */
export function colourOf(red: number, green: number, blue: number): number {
  if (Math.max(red, green, blue) - Math.min(red, green, blue) < 12) {
    const grey = Math.round((red + green + blue) / 3)
    if (grey < 4) return 16
    if (grey > 246) return 231
    return 232 + Math.min(23, Math.max(0, Math.round((grey - 8) / 10)))
  }
  const level = (value: number) => (value < 48 ? 0 : value < 115 ? 1 : Math.min(5, Math.round((value - 55) / 40)))
  return 16 + 36 * level(red) + 6 * level(green) + level(blue)
}

/** The nearest of the 16 colours that every terminal has, for one of the 256. */
export function colourOfSixteen(colour: number): number {
  if (colour < 16) return colour
  if (colour >= 232) return [0, 8, 7, 15][Math.floor((colour - 232) / 6)] ?? 15
  const levels = [Math.floor((colour - 16) / 36), Math.floor((colour - 16) / 6) % 6, (colour - 16) % 6]
  const most = Math.max(...levels)
  if (most === 0) return 0
  const bits = levels.reduce((sum, level, index) => sum + (level > most / 2 ? 1 << index : 0), 0)
  return most > 3 ? bits + 8 : bits
}
