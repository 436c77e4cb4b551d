// Charts made of cells: stacked areas in eighths of a row, lines in braille dots. Without colours or Unicode a letter stands for each series.
import { put, type Region, type Screen } from './screen.ts'
import { type Attribute, attribute } from './style.ts'

export type Series = {
  /** From the left; non-negative. Areas have one value a column, lines two. */
  values: readonly number[]
  /** Number of a colour of the palette in use. */
  colour: number
  /** One character that stands for it where colours cannot. */
  mark: string
}

const EIGHTHS = '▁▂▃▄▅▆▇█'

/** Colours alone may not tell series apart: then the letters do. */
export function usesMarks(screen: Screen): boolean {
  return screen.ascii || screen.ink.colours === 0
}

/** Layers on top of each other, the first one at the bottom; `max` fills the region. */
export function drawAreas(screen: Screen, region: Region, series: readonly Series[], max: number): void {
  const { width, height } = region
  const eighths = (height * 8) / Math.max(1e-9, max)
  for (let column = 0; column < width; column++) {
    // Upper edge of each layer, in eighths of a row from below; something that is there is never invisible.
    let edge = 0
    const edges = series.map(({ values }) => {
      edge += Math.max(0, values[column] ?? 0) * eighths
      return Math.round(edge)
    })
    const top = Math.min(height * 8, Math.max(edge > 0 ? 1 : 0, edges.at(-1) ?? 0))
    if (edges.length > 0) edges[edges.length - 1] = top
    let lower = 0
    for (let row = 0; row * 8 < top; row++) {
      const from = row * 8
      lower = above(edges, lower, from)
      const filled = Math.min(8, (edges[lower] ?? 0) - from)
      const y = region.y + height - 1 - row
      if (usesMarks(screen)) {
        const shown = series[above(edges, lower, from + 3)] ?? series[lower]
        if (shown) put(screen, region.x + column, y, shown.mark, screen.ink.plain, 1)
      } else {
        const behind = filled < 8 ? series[above(edges, lower, from + filled)]?.colour : undefined
        put(screen, region.x + column, y, EIGHTHS[filled - 1] ?? '█', attribute(series[lower]?.colour, behind), 1)
      }
    }
  }
}

/** The first layer, from `layer` on, that ends above this height; edges only rise. */
function above(edges: readonly number[], layer: number, height: number): number {
  let found = layer
  while (found < edges.length && edges[found]! <= height) found++
  return found
}

// Unicode 16, block Braille Patterns: the bit of the dot in each row of the left and of the right column.
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const

/** Lines from the first value to the last, joined; later series lie over earlier ones. */
export function drawLines(screen: Screen, region: Region, series: readonly Series[], max: number): void {
  const { width, height } = region
  const masks = new Uint8Array(width * height)
  const letters = usesMarks(screen)
  for (const { values, colour, mark } of series) {
    const ink: Attribute = letters ? screen.ink.plain : attribute(colour)
    let before: number | null = null
    for (const [x, value] of values.slice(0, width * 2).entries()) {
      // Before there is anything, all lines would lie on each other along the axis.
      if (value <= 0) continue
      const share = Math.max(0, Math.min(1, value / Math.max(1e-9, max)))
      const y = Math.round((1 - share) * (height * 4 - 1))
      // A step is drawn whole, or a steep line would be a row of dots.
      for (let dot = Math.min(y, before ?? y); dot <= Math.max(y, before ?? y); dot++) {
        const cell = (dot >> 2) * width + (x >> 1)
        masks[cell] = (masks[cell] ?? 0) | (DOTS[(dot & 3) as 0]?.[(x & 1) as 0] ?? 0)
        const shown = letters ? mark : String.fromCodePoint(0x2800 + (masks[cell] ?? 0))
        put(screen, region.x + (x >> 1), region.y + (dot >> 2), shown, ink, 1)
      }
      before = y
    }
  }
}

/** The next round number that is not below `value` and whose half is round, too: an axis that people can read. */
export function niceCeiling(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 3, 4, 5, 6, 8].find(step => step * power >= value * 0.9999) ?? 10)
}

/** An axis at the left with labels at its ends and its middle, and a line below with times; answers what is inside. */
export function drawAxes(
  screen: Screen,
  region: Region,
  labelWidth: number,
  labels: readonly [top: string, middle: string, bottom: string],
  times: readonly string[],
): Region {
  const { ink } = screen
  const height = region.height - 2
  const inside = { x: region.x + labelWidth + 1, y: region.y, width: region.width - labelWidth - 1, height }
  const rows = new Map([
    [0, labels[0]],
    [height >> 1, labels[1]],
  ])
  for (let row = 0; row < height; row++) {
    const label = row === 0 || height >= 5 ? rows.get(row) : undefined
    if (label) put(screen, region.x, region.y + row, label.padStart(labelWidth), ink.dim, labelWidth)
    put(screen, region.x + labelWidth, region.y + row, label ? '┤' : '│', ink.frame)
  }
  put(screen, region.x, region.y + height, labels[2].padStart(labelWidth), ink.dim, labelWidth)
  put(screen, region.x + labelWidth, region.y + height, `└${'─'.repeat(Math.max(0, inside.width))}`, ink.frame)
  for (const [index, time] of times.entries()) {
    const share = times.length < 2 ? 0 : index / (times.length - 1)
    const x = inside.x + Math.round(share * (inside.width - time.length))
    put(screen, x, region.y + height + 1, time, ink.dim)
  }
  return inside
}
