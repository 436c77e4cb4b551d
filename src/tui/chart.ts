// Bars, sparklines and pictures made of cells.
import type { Picture } from './model.ts'
import { put, type Region, type Screen } from './screen.ts'
import { attribute, colourOf } from './style.ts'

/** `▓▓▓░░`; full only when it is. */
export function bar(fraction: number, width: number): string {
  const full = fraction >= 1 ? width : Math.min(width - 1, Math.floor(fraction * width))
  return '▓'.repeat(Math.max(0, full)) + '░'.repeat(Math.max(0, width - full))
}

const STEPS = '▁▂▃▄▅▆▇█'

/** The last `width` samples of 0..100. */
export function sparkline(samples: readonly number[], width: number): string {
  return samples
    .slice(-width)
    .map(sample => STEPS[Math.max(0, Math.min(7, Math.floor((sample / 100) * 8)))])
    .join('')
}

// Brightness as ink, for terminals without colours or Unicode.
const RAMP = ' .:-=+*#%@'

/** The picture as large as fits, its sides kept in proportion (a cell is about twice as high as wide). */
export function drawPicture(screen: Screen, region: Region, picture: Picture): void {
  const { width, height } = picture
  if (width < 1 || height < 1 || picture.rgb.length < width * height * 3) return
  const scale = Math.min(region.width / width, (region.height * 2) / height)
  const columns = Math.max(1, Math.floor(width * scale))
  const rows = Math.max(1, Math.floor((height * scale) / 2))
  const halves = !screen.ascii && screen.ink.colours === 256
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const above = sample(picture, column / columns, row / rows, 1 / columns, 0.5 / rows)
      const below = sample(picture, column / columns, (row + 0.5) / rows, 1 / columns, 0.5 / rows)
      if (halves)
        put(screen, region.x + column, region.y + row, '▀', attribute(colourOf(...above), colourOf(...below)), 1)
      else {
        const light = (above[0] + above[1] + above[2] + below[0] + below[1] + below[2]) / 6 / 256
        put(screen, region.x + column, region.y + row, RAMP[Math.floor(light * RAMP.length)] ?? ' ', screen.ink.plain)
      }
    }
  }
}

/** Mean colour of a part of the picture, given as fractions; at most 4 × 4 points of it. */
function sample(picture: Picture, x: number, y: number, width: number, height: number): [number, number, number] {
  const sum: [number, number, number] = [0, 0, 0]
  for (let point = 0; point < 16; point++) {
    const px = Math.min(picture.width - 1, Math.floor((x + (width * ((point % 4) + 0.5)) / 4) * picture.width))
    const py = Math.min(
      picture.height - 1,
      Math.floor((y + (height * (Math.floor(point / 4) + 0.5)) / 4) * picture.height),
    )
    const at = (py * picture.width + px) * 3
    for (const channel of [0, 1, 2] as const) sum[channel] += picture.rgb[at + channel] ?? 0
  }
  return [sum[0] / 16, sum[1] / 16, sum[2] / 16]
}
