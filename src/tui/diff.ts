// Two screens → what a terminal that shows the first has to be sent to show the second. Pure; nothing for what did not change.
import { newScreen, type Screen } from './screen.ts'
import type { Attribute } from './style.ts'

const OWN = 0x1ff
/** The terminal's own colours, no flags: how cleared cells look. */
const PLAIN: Attribute = (OWN << 9) | OWN

/** `before` null: the terminal was cleared. Leaves the attributes reset and the cursor anywhere. */
export function difference(next: Screen, before: Screen | null): string {
  const { width, height, chars, attributes } = next
  const { chars: charsBefore, attributes: attributesBefore } = before ?? newScreen(width, height, next.ink, next.ascii)
  let out = ''
  let pen = PLAIN
  for (let y = 0; y < height; y++) {
    // Where the terminal's cursor is in this row; -1: elsewhere.
    let cursor = -1
    for (let x = 0, at = y * width; x < width; x++, at++) {
      const char = chars[at]!
      const attribute = attributes[at]!
      if (char === charsBefore[at] && attribute === attributesBefore[at]) continue
      // The second half of a wide character: the terminal has moved on by itself.
      if (char === 0) continue
      if (cursor === -1) out += `\x1b[${y + 1};${x + 1}H`
      else if (cursor < x) out += `\x1b[${x - cursor}C`
      if (attribute !== pen) out += sgr(attribute)
      pen = attribute
      out += String.fromCodePoint(char)
      cursor = x + 1 < width && chars[at + 1] === 0 ? x + 2 : x + 1
    }
  }
  return pen === PLAIN ? out : `${out}\x1b[m`
}

// A picture has thousands; then most of them are seen once.
const KNOWN_MAX = 1000
const known = new Map<Attribute, string>()

/** Sets exactly this attribute, whatever was set before (ECMA-48 8.3.117; 90–107 and 38;5 as xterm has them). */
function sgr(attribute: Attribute): string {
  const present = known.get(attribute)
  if (present !== undefined) return present
  if (known.size >= KNOWN_MAX) known.clear()
  const flags = attribute >>> 18
  let codes = '\x1b['
  if (flags & 1) codes += ';1'
  if (flags & 2) codes += ';4'
  if (flags & 8) codes += ';7'
  codes += `${colour((attribute >>> 9) & OWN, 30)}${colour(attribute & OWN, 40)}m`
  known.set(attribute, codes)
  return codes
}

/** `base` 30 = foreground, 40 = background. */
function colour(value: number, base: number): string {
  if (value === OWN) return ''
  if (value < 8) return `;${base + value}`
  return value < 16 ? `;${base + 52 + value}` : `;${base + 8};5;${value}`
}
