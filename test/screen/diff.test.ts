// What the difference of two screens does to a real terminal: it shows the second one, cell by cell.
import headless from '@xterm/headless'
import { expect, test } from 'vitest'
import { difference } from '../../src/tui/diff.ts'
import { newScreen, put, type Screen } from '../../src/tui/screen.ts'
import { attribute, palette } from '../../src/tui/style.ts'

const ink = palette(256)
const [WIDTH, HEIGHT] = [23, 6]
const OWN = 0x1ff
const INKS = [ink.plain, ink.bad, ink.title, ink.key, attribute(3, 12), attribute(9, OWN, 2), attribute(200, 17, 8 | 1)]
const TEXTS = ['a', 'some words', '字', '한字x', '▓▓░', '│', '       ', 'é漢']

function chance(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** A copy with some texts written over it, at the right edge, too. */
function scribbled(before: Screen, next: (below: number) => number): Screen {
  const screen = { ...before, chars: before.chars.slice(), attributes: before.attributes.slice() }
  for (let n = next(5); n >= 0; n--)
    put(screen, next(WIDTH), next(HEIGHT), TEXTS[next(TEXTS.length)]!, INKS[next(INKS.length)]!)
  return screen
}

function asPainted(terminal: InstanceType<typeof headless.Terminal>): string[] {
  const cells: string[] = []
  for (let y = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++) {
      const cell = terminal.buffer.active.getLine(y)!.getCell(x)!
      const flags = (cell.isBold() ? 1 : 0) | (cell.isUnderline() ? 2 : 0) | (cell.isInverse() ? 8 : 0)
      const look = attribute(
        cell.isFgDefault() ? OWN : cell.getFgColor(),
        cell.isBgDefault() ? OWN : cell.getBgColor(),
        flags,
      )
      cells.push(cell.getWidth() === 0 ? '' : `${cell.getChars() || ' '} ${look}`)
    }
  return cells
}

function asMeant({ chars, attributes }: Screen): string[] {
  return [...chars].map((char, at) => (char === 0 ? '' : `${String.fromCodePoint(char)} ${attributes[at]}`))
}

test('whatever is written over whatever, the terminal shows the last screen', async () => {
  const terminal = new headless.Terminal({ cols: WIDTH, rows: HEIGHT, allowProposedApi: true })
  const next = chance(7)
  let shown: Screen | null = null
  let screen = newScreen(WIDTH, HEIGHT, ink, false)
  for (let round = 0; round < 200; round++) {
    screen = scribbled(screen, next)
    await new Promise<void>(resolve => terminal.write(difference(screen, shown), resolve))
    shown = screen
    expect(asPainted(terminal), `round ${round}`).toEqual(asMeant(screen))
  }
  terminal.dispose()
})

test('one changed cell costs a position, its colour and itself; none costs nothing', () => {
  const before = newScreen(WIDTH, HEIGHT, ink, false)
  const after = { ...before, chars: before.chars.slice(), attributes: before.attributes.slice() }
  expect(difference(after, before)).toBe('')
  put(after, 4, 2, 'x', ink.bad)
  expect(difference(after, before)).toBe('\x1b[3;5H\x1b[;1;38;5;208mx\x1b[m')
})
