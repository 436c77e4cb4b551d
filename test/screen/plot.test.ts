// Charts in cells: exact to an eighth of a row, never outside their place, and whole at any size.
import { expect, test } from 'vitest'
import { drawAreas, drawLines, niceCeiling } from '../../src/tui/plot.ts'
import { newScreen, textOf } from '../../src/tui/screen.ts'
import { type Colours, palette } from '../../src/tui/style.ts'

const blank = (width: number, height: number, colours: Colours = 256) =>
  newScreen(width, height, palette(colours), false)
const whole = (width: number, height: number) => ({ x: 0, y: 0, width, height })

test('layers stand on each other, in eighths of a row', () => {
  const screen = blank(3, 2)
  const layers = [
    { values: [8, 4, 0], colour: 1, mark: 'a' },
    { values: [8, 0, 1], colour: 2, mark: 'b' },
  ]
  drawAreas(screen, whole(3, 2), layers, 16)
  expect(textOf(screen)).toBe('█\n█▄▁\n')
  // Where two share a cell the lower one is the ink and the upper one the ground.
  const shared = blank(1, 1)
  drawAreas(
    shared,
    whole(1, 1),
    [
      { values: [3], colour: 1, mark: 'a' },
      { values: [5], colour: 2, mark: 'b' },
    ],
    8,
  )
  expect(textOf(shared)).toBe('▃\n')
  expect([(shared.attributes[0]! >> 9) & 0x1ff, shared.attributes[0]! & 0x1ff]).toEqual([1, 2])
})

test('what is there is seen, however little, and what is nothing is not', () => {
  const screen = blank(2, 1)
  drawAreas(screen, whole(2, 1), [{ values: [0.001, 0], colour: 1, mark: 'a' }], 1000)
  expect(textOf(screen)).toBe('▁\n')
})

test('a line is joined, and without colours a letter', () => {
  const values = [0, 1, 2, 3, 4, 5, 6, 7]
  const screen = blank(4, 2)
  drawLines(screen, whole(4, 2), [{ values, colour: 1, mark: 'a' }], 7)
  expect(textOf(screen)).toBe('  ⣠⠞\n⠠⠞⠁\n')
  const plain = blank(4, 2, 0)
  drawLines(plain, whole(4, 2), [{ values, colour: 1, mark: 'a' }], 7)
  expect(textOf(plain)).toBe('  aa\naaa\n')
})

test('no size and no value leaves the place or throws', () => {
  for (const [width, height] of [
    [0, 0],
    [1, 1],
    [2, 1],
    [3, 9],
  ] as const)
    for (const values of [[], [Number.MAX_VALUE, 1], [-5, 5], [0, 0]]) {
      const screen = blank(6, 12)
      const series = [{ values, colour: 1, mark: 'a' }]
      const place = { x: 1, y: 1, width, height }
      drawAreas(screen, place, series, 1)
      drawLines(screen, place, series, 1)
      const outside = textOf(screen)
        .split('\n')
        .filter((row, y) => row.trim() !== '' && (y < 1 || y > height || row.trimEnd().length > 1 + width))
      expect(outside).toEqual([])
    }
})

test('axes end at round numbers', () => {
  expect([0, 0.23, 1, 1.47, 23, 81, 490_000].map(niceCeiling)).toEqual(
    [1, 0.3, 1, 2, 30, 100, 500_000].map(n => expect.closeTo(n)),
  )
})
