// Lines of words in a frame, scrolled: what fits from the top on, and how many more there are.
import { plural } from '../../domain/units.ts'
import { put, type Region, type Screen } from '../screen.ts'
import type { Line } from '../story.ts'
import { cut, textWidth, wrap } from '../text.ts'

/** `inside`: where the words go; `around`: the frame, which tells what is below. */
export function drawLines(screen: Screen, around: Region, inside: Region, lines: readonly Line[], from: number): void {
  const top = Math.max(0, Math.min(from, lines.length - inside.height))
  for (const [row, line] of lines.slice(top, top + inside.height).entries())
    put(screen, inside.x, inside.y + row, cut(line.text, inside.width), screen.ink[line.ink])
  const below = lines.length - top - inside.height
  if (below > 0)
    put(screen, around.x + 2, around.y + around.height - 1, ` ${plural(below, 'more line')} ↓ `, screen.ink.dim)
}

const BETWEEN = ' · '

/** Broken between its parts rather than within one. */
export function wrapParts(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const part of text.split(BETWEEN)) {
    const longer = line === '' ? part : line + BETWEEN + part
    if (line !== '' && textWidth(longer) > width) {
      lines.push(line)
      line = part
    } else line = longer
  }
  return [...lines, line].flatMap(one => wrap(one, width))
}
