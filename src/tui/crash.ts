// What is shown when a panel fell over: that it did, that nothing else did, and the way on.
import { newScreen, put, type Screen } from './screen.ts'
import type { Palette } from './style.ts'
import { clean, cut } from './text.ts'

export function crashScreen(width: number, height: number, ink: Palette, ascii: boolean, error: unknown): Screen {
  const screen = newScreen(width, height, ink, ascii)
  const lines = [
    '✗ this panel fell over; the engine goes on',
    cut(clean(String(error)), Math.max(0, width - 2)),
    'any key opens the jobs · q leaves, everything goes on in the background',
  ]
  const top = Math.max(0, Math.floor((height - lines.length) / 2))
  for (const [row, line] of lines.entries())
    put(screen, Math.max(0, Math.floor((width - line.length) / 2)), top + row, line, row === 0 ? ink.bad : ink.plain)
  return screen
}
