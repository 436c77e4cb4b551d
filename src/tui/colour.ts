// The colours that a log line brings along: shown, but contained in that line. A small reader of SGR; every other sequence is gone.
import { type Attribute, attribute, type Colours, colourOf, colourOfSixteen } from './style.ts'
import { cleanParts } from './text.ts'

/** Clean text, and from which character on which attribute holds; the first stretch begins at 0. */
export type Coloured = { text: string; stretches: readonly { from: number; attribute: Attribute }[] }

type Pen = { foreground: number; background: number; flags: number }

const OWN = 0x1ff
const BOLD = 1
const UNDERLINE = 2
const INVERSE = 8

// A screen asks for the same lines in every frame, for each of them twice; long ones are not worth their memory.
const KNOWN_MAX = 500
const KNOWN_CHARS = 1000
const known = new Map<string, Coloured>()

/** `base` is how the line looks without colours of its own. */
export function coloured(raw: string, base: Attribute, colours: Colours): Coloured {
  if (raw.length > KNOWN_CHARS) return read(raw, base, colours)
  const name = `${base} ${colours} ${raw}`
  const before = known.get(name)
  if (before) return before
  const made = read(raw, base, colours)
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(name, made)
  return made
}

function read(raw: string, base: Attribute, colours: Colours): Coloured {
  const plain: Pen = { foreground: (base >> 9) & OWN, background: base & OWN, flags: base >>> 18 }
  const stretches = [{ from: 0, attribute: base }]
  let text = ''
  let pen = plain
  cleanParts(
    raw,
    part => {
      text += part
    },
    sequence => {
      const parameters = /^(?:\x1b\[|\x9b)([\d;:]*)m$/.exec(sequence)?.[1]
      if (parameters === undefined || colours === 0) return
      pen = changed(parameters, pen, plain, colours)
      const now = attribute(pen.foreground, pen.background, pen.flags)
      if (stretches.at(-1)?.from === text.length) stretches.pop()
      stretches.push({ from: text.length, attribute: now })
    },
  )
  return { text, stretches }
}

/** ECMA-48 8.3.117 and xterm's colours; `38:2::r:g:b` and `38;2;r;g;b` alike. What is not known changes nothing. */
function changed(parameters: string, before: Pen, plain: Pen, colours: Colours): Pen {
  const pen = { ...before }
  const codes = parameters.split(';')
  for (let i = 0; i < codes.length; i++) {
    const [code = 0, ...parts] = (codes[i] ?? '').split(':').map(Number)
    if (code === 0) Object.assign(pen, plain)
    else if (code === 1) pen.flags |= BOLD
    else if (code === 22) pen.flags &= ~BOLD
    else if (code === 4) pen.flags = parts[0] === 0 ? pen.flags & ~UNDERLINE : pen.flags | UNDERLINE
    else if (code === 24) pen.flags &= ~UNDERLINE
    else if (code === 7) pen.flags |= INVERSE
    else if (code === 27) pen.flags &= ~INVERSE
    else if (code === 39) pen.foreground = plain.foreground
    else if (code === 49) pen.background = plain.background
    else if (code >= 30 && code <= 37) pen.foreground = code - 30
    else if (code >= 40 && code <= 47) pen.background = code - 40
    else if (code >= 90 && code <= 97) pen.foreground = code - 82
    else if (code >= 100 && code <= 107) pen.background = code - 92
    else if (code === 38 || code === 48) {
      const rest = parts.length > 0 ? parts : codes.slice(i + 1, i + 5).map(Number)
      const colour = extended(rest, parts.length > 0)
      if (parts.length === 0) i += rest[0] === 2 ? 4 : 2
      if (colour === null) continue
      const shown = colours === 16 ? colourOfSixteen(colour) : colour
      if (code === 38) pen.foreground = shown
      else pen.background = shown
    }
  }
  return pen
}

/** `5, n` or `2, r, g, b`; with colons a colour space may stand before the red. */
function extended([kind, ...values]: number[], isColons: boolean): number | null {
  const isByte = (value: number | undefined): value is number =>
    value !== undefined && Number.isInteger(value) && value >= 0 && value <= 255
  if (kind === 5) return isByte(values[0]) ? values[0] : null
  const [red, green, blue] = isColons && values.length > 3 ? values.slice(1) : values
  return kind === 2 && isByte(red) && isByte(green) && isByte(blue) ? colourOf(red, green, blue) : null
}
