// The cells of a terminal as an SVG drawing: what the README shows is what the program painted.
import type { Terminal } from '@xterm/headless'

const CELL = { width: 8.4, height: 18 }
const PAD = 14
const INK = '#d7dce4'
const PAPER = '#12151b'
/** xterm's first sixteen, in the tones that today's terminals give them. */
const SIXTEEN = (
  '#1b1f27 #e06c75 #98c379 #e5c07b #61afef #c678dd #56b6c2 #abb2bf ' +
  '#5c6370 #ff8a93 #b5e08d #ffd88f #82c4ff #e0a1f5 #79d7e3 #ffffff'
).split(' ')
/** Parts of a cell that these fill: left, top, width, height in eighths. Fonts leave gaps between them. */
const BLOCKS: Record<string, [number, number, number, number]> = {
  '█': [0, 0, 8, 8],
  '▀': [0, 0, 8, 4],
  '▄': [0, 4, 8, 4],
  '▁': [0, 7, 8, 1],
  '▂': [0, 6, 8, 2],
  '▃': [0, 5, 8, 3],
  '▅': [0, 3, 8, 5],
  '▆': [0, 2, 8, 6],
  '▇': [0, 1, 8, 7],
  '▓': [0, 1, 8, 6],
  '░': [0, 1, 8, 6],
  '│': [3.6, 0, 0.9, 8],
  '─': [0, 3.8, 8, 0.4],
}

export function svgOf(terminal: Terminal): { svg: string; width: number; height: number } {
  const { cols, rows, buffer } = terminal
  const width = Math.ceil(cols * CELL.width + 2 * PAD)
  const height = rows * CELL.height + 2 * PAD
  const parts: string[] = []
  for (let y = 0; y < rows; y++) {
    const line = buffer.active.getLine(buffer.active.viewportY + y)
    for (let x = 0; x < cols; x++) {
      const cell = line?.getCell(x)
      if (!cell || cell.getWidth() === 0) continue
      const given = [
        cell.isFgDefault() ? INK : colourOf(cell.getFgColor(), cell.isFgRGB()),
        cell.isBgDefault() ? PAPER : colourOf(cell.getBgColor(), cell.isBgRGB()),
      ] as const
      const [ink, paper] = cell.isInverse() ? [given[1], given[0]] : given
      const left = PAD + x * CELL.width
      const top = PAD + y * CELL.height
      const cellWidth = CELL.width * cell.getWidth()
      if (paper !== PAPER) parts.push(rect(left, top, cellWidth + 0.3, CELL.height + 0.3, paper))
      const char = cell.getChars()
      const block = BLOCKS[char]
      if (block) {
        const [bx, by, bw, bh] = block
        const opacity = char === '░' ? 0.22 : char === '▓' ? 0.9 : 1
        const size = [(cellWidth * bw) / 8 + (opacity < 1 ? 0 : 0.3), (CELL.height * bh) / 8] as const
        parts.push(rect(left + (cellWidth * bx) / 8, top + (CELL.height * by) / 8, ...size, ink, opacity))
      } else if (char.trim() !== '') {
        const weight = cell.isBold() ? ' font-weight="700"' : ''
        const opacity = cell.isDim() ? ' opacity="0.6"' : ''
        parts.push(
          `<text x="${left.toFixed(1)}" y="${top + 13.5}" fill="${ink}"${weight}${opacity}>${entity(char)}</text>`,
        )
      }
    }
  }
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="DejaVu Sans Mono, monospace" font-size="14"><rect width="100%" height="100%" rx="10" fill="${PAPER}"/>${parts.join('\n')}</svg>`
  return { svg, width, height }
}

function rect(x: number, y: number, width: number, height: number, fill: string, opacity = 1): string {
  const faded = opacity < 1 ? ` opacity="${opacity}"` : ''
  return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" fill="${fill}"${faded}/>`
}

function entity(text: string): string {
  return text.replace(/[&<>"']/g, char => `&#${char.charCodeAt(0)};`)
}

function colourOf(value: number, isRgb: boolean): string {
  if (isRgb) return `#${value.toString(16).padStart(6, '0')}`
  if (value < 16) return SIXTEEN[value] ?? INK
  const parts =
    value >= 232
      ? [0, 0, 0].map(() => 8 + (value - 232) * 10)
      : [36, 6, 1].map(unit => [0, 95, 135, 175, 215, 255][Math.floor((value - 16) / unit) % 6] ?? 0)
  return `#${parts.map(part => part.toString(16).padStart(2, '0')).join('')}`
}
