// What is shown when a panel fell over: that it did, that nothing else did, and the way on.
import { wrapParts } from './panels/lines.ts'
import { newScreen, put, type Screen } from './screen.ts'
import type { Palette } from './style.ts'
import { clean, cut, textWidth, wrap } from './text.ts'

export function crashScreen(width: number, height: number, ink: Palette, ascii: boolean, error: unknown): Screen {
  const screen = newScreen(width, height, ink, ascii)
  const room = Math.max(0, width - 2)
  const lines = [
    ...wrap('✗ this panel fell over; the engine goes on', room),
    cut(clean(String(error)), room),
    ...wrapParts('any key opens the jobs · q leaves, everything goes on in the background', room),
  ]
  const top = Math.max(0, Math.floor((height - lines.length) / 2))
  for (const [row, line] of lines.entries())
    put(
      screen,
      Math.max(0, Math.floor((width - textWidth(line)) / 2)),
      top + row,
      line,
      row === 0 ? ink.bad : ink.plain,
    )
  return screen
}
