// The full-screen log: colours contained, trouble marked with its hint, scrolling by rows, and the search.
import { expect, test } from 'vitest'
import { coloured } from '../../src/tui/colour.ts'
import { linesUntilEnd, logLine } from '../../src/tui/log-end.ts'
import { type Found, type LogLine, type Model, newModel } from '../../src/tui/model.ts'
import { type Screen, textOf } from '../../src/tui/screen.ts'
import { attribute, type Colours, palette } from '../../src/tui/style.ts'
import { settle, update } from '../../src/tui/update.ts'
import { view } from '../../src/tui/view.ts'
import { cpuMs } from './cpu.ts'
import { busyWorld, factsOf, RUN, SECOND, type World } from './fleets.ts'
import { matches, SIZES } from './golden.ts'

const TROUBLE = [
  '\x1b[32m[INFO]\x1b[0m got prompt',
  'Requested to load \x1b[1;36mFlux2\x1b[0m',
  "[WARNING] \x1b]0;pwn\x07Value not in list: ckpt_name: 'dream-xl.safetensors' not in []",
  '100%|██████████| 20/20 [00:07<00:00,  2.75it/s]',
  '提示词：一只猫坐在窗台上，看着外面的雨。提示词：一只猫坐在窗台上，看着外面的雨。提示词：一只猫坐在窗台上。',
  '\x1b[31m!!! Exception during processing !!! CUDA error: an illegal memory access was encountered',
  'Traceback (most recent call last):',
  '  File "/workspace/ComfyUI/execution.py", line 515, in execute, and this line is much longer than the screen is wide',
  'RuntimeError: CUDA error: an illegal memory access was encountered',
  'RuntimeError: CUDA error: an illegal memory access was encountered {red-bg}\u202egnp.exe\u009b2J',
  'OSError: [Errno 28] No space left on device',
  'Prompt executed in 9.12 seconds',
]

function desk(texts: readonly string[], size = '80x24') {
  const world: World = busyWorld()
  const lines: LogLine[] = texts.map((text, index) => ({ at: world.now() - (texts.length - index) * SECOND, text }))
  world.lines.set(`${RUN}/job-001`, lines)
  const [width = 0, height = 0] = size.split('x').map(Number)
  let model: Model = newModel(width, height)
  const changes: { find?: () => Found } = {}
  const facts = () => factsOf(world, changes)
  const settled = () => {
    model = settle(model, facts(), width, height).model
  }
  const press = (...keys: string[]) => {
    for (const name of keys) {
      settled()
      model = update(model, { type: 'key', name }, facts()).model
    }
    settled()
  }
  const screen = (colours: Colours = 256): Screen => {
    settled()
    return view(model, facts(), palette(colours), false)
  }
  press('l')
  return { lines, changes, press, screen, text: () => textOf(screen()), page: () => model.page, model: () => model }
}

/** The log alone: header and tabs are tried elsewhere. */
const logOf = (text: string) => text.slice(text.indexOf('┌'))

test('trouble in a log is marked, with the hint beside it, at every size', () => {
  matches('log-trouble', new Map(SIZES.map(size => [size, logOf(desk(TROUBLE, size).text())])))
})
test('trouble in a log, wrapped and without times', () => {
  const d = desk(TROUBLE)
  d.press('w', 't')
  matches('log-wrapped', new Map([['80x24', logOf(d.text())]]))
})
test('a text being searched for, and the hit', () => {
  const d = desk(Array.from({ length: 300 }, (_, n) => (n % 50 === 7 ? `step ${n} gave NaN` : `step ${n}`)))
  d.press('/', 'n', 'a', 'n')
  const typing = logOf(d.text())
  d.press('enter', 'N')
  matches(
    'log-search',
    new Map([
      ['typing 80x24', typing],
      ['found 80x24', logOf(d.text())],
    ]),
  )
})

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}.`)
const firstLine = (text: string) => /line \d+\./.exec(text)?.[0]

test('colours are read as terminals read them, and end with their line', () => {
  const base = attribute()
  const at = (raw: string, colours: Colours = 256) =>
    coloured(raw, base, colours).stretches.map(({ from, attribute: value }) => [
      from,
      (value >> 9) & 0x1ff,
      value & 0x1ff,
      value >>> 18,
    ])
  expect(at('a\x1b[31mb\x1b[0mc')).toEqual([
    [0, 511, 511, 0],
    [1, 1, 511, 0],
    [2, 511, 511, 0],
  ])
  expect(at('\x1b[1;4;97;44mx\x1b[22;24;39;49my')).toEqual([
    [0, 15, 4, 3],
    [1, 511, 511, 0],
  ])
  expect(at('\x1b[38;5;208mx\x1b[38;2;255;0;0my\x1b[38:2::0:0:0mz\x1b[48:5:21m!')).toEqual([
    [0, 208, 511, 0],
    [1, 196, 511, 0],
    [2, 16, 511, 0],
    [3, 16, 21, 0],
  ])
  expect(at('\x1b[38;5;208mx', 16)).toEqual([[0, 9, 511, 0]])
  expect(at('\x1b[38;5;999;7mx')).toEqual([[0, 511, 511, 8]])
  expect(at('\x1b[31mx', 0)).toEqual([[0, 511, 511, 0]])
  expect(coloured('a\x1b[2Jb\x1b]52;c;x\x07\x9b31mc\x1b[?25l', base, 256).text).toBe('abc')
  const screen = desk(['\x1b[41;31mred all over', 'plain']).screen()
  const row = textOf(screen)
    .split('\n')
    .findIndex(line => line.includes('plain'))
  expect(new Set(screen.attributes.slice(row * 80 + 14, row * 80 + 78))).toEqual(new Set([base]))
})

test('a line of a megabyte, whatever it is full of, takes no longer than a frame may', () => {
  for (const filler of ['x', '字', '\x1b[31m', '\x1b]', '\x9b', 'a ', '\u0301', '\r50%', 'CUDA error: ', '😀']) {
    const d = desk(Array.from({ length: 5 }, () => filler.repeat(Math.ceil(1_000_000 / filler.length))))
    const ms = cpuMs(() => {
      for (let round = 0; round < 3; round++) d.press('w', 't')
      expect(d.text().split('\n').length).toBe(25)
    })
    expect(ms, JSON.stringify(filler)).toBeLessThan(1500)
  }
})

test('scrolling goes by rows, also inside of a line that is higher than the screen', () => {
  const d = desk(['first', Array.from({ length: 400 }, (_, n) => `word${n}`).join(' '), 'last'])
  d.press('w')
  expect(d.page()).toMatchObject({ anchor: null })
  d.press('up')
  const before = d.text()
  d.press('up', 'down')
  expect(d.text()).toBe(before)
  d.press('g')
  expect(d.text()).toContain('first')
  const seen = new Set<string>()
  for (let page = 0; page < 12; page++) {
    for (const word of d.text().match(/word\d+/g) ?? []) seen.add(word)
    d.press('pgdn')
  }
  expect(seen.size).toBe(400)
  expect(d.page()).toMatchObject({ anchor: null })
})

test('following stops when scrolled and goes on at the end; a log that fits stays followed', () => {
  const d = desk(numbered(200))
  d.press('up')
  const top = firstLine(d.text())
  d.lines.push({ at: 1, text: 'line 200.' })
  expect(firstLine(d.text())).toBe(top)
  d.press('pgdn')
  expect(d.page()).toMatchObject({ anchor: null })
  expect(d.text()).toContain('line 200.')
  const short = desk(numbered(3))
  short.press('up', 'pgup', 'g')
  expect(short.page()).toMatchObject({ anchor: null })
})

test('the search finds the nearest line above the end, steps both ways, says when there is no more, and ends with esc', () => {
  const d = desk(numbered(300))
  d.press('/', '9', '9', '.', 'enter')
  expect(d.text()).toMatch(/line 299\.[\s\S]*hit 3 of 3/)
  d.press('n')
  expect(d.text()).toContain('no more below')
  d.press('N')
  expect(d.text()).toMatch(/line 199\.[\s\S]*hit 2 of 3/)
  d.press('N', 'N')
  expect(d.text()).toMatch(/line 99\.[\s\S]*hit 1 of 3/)
  expect(d.text()).toContain('no more above')
  d.press('g', '/', 'L', 'I', 'N', 'E', 'space', '1', '9', '9', 'enter')
  expect(d.text()).toMatch(/line 199\.[\s\S]*hit 1 of 1/)
  d.press('esc')
  expect(d.page()).toMatchObject({ type: 'log', search: null })
  d.press('/', 'x', 'esc')
  expect(d.page()).toMatchObject({ typing: null, search: null })
  d.press('/', 'q', 'k', 'enter')
  expect(d.text()).toContain('no line with qk')
  d.press('esc', 'esc')
  expect(d.page()).toBeNull()
})

test('a search that is still under way jumps as soon as the nearest line is known, and not before', () => {
  const d = desk(numbered(300))
  d.press('g', 'down')
  d.changes.find = () => ({ positions: [25_000], from: 20_000, isDone: false })
  d.press('/', '5', 'enter')
  expect(d.text()).toMatch(/searching, 1\+ hit/)
  expect(d.page()).toMatchObject({ search: { at: null, wanted: 'next' } })
  d.changes.find = () => ({ positions: [15_000, 25_000], from: 0, isDone: true })
  expect(d.text()).toContain('hit 1 of 2')
  expect(d.page()).toMatchObject({ search: { at: 15_000, wanted: null } })
})

test('the page of a job that is over shows how its log ended, also when its pod has worked on for others', () => {
  const world = busyWorld()
  const endedAt = world.fleet.jobs.get(`${RUN}/job-003`)?.attempts.at(-1)?.endedAt ?? 0
  const lines = Array.from({ length: 100 }, (_, n) => ({ at: endedAt - 100 + n, text: `own line ${n}` }))
  lines.push({ at: endedAt, text: 'CUDA out of memory' })
  for (let n = 0; n < 3000; n++) lines.push({ at: endedAt + 5000 + n, text: `line of another ${n}` })
  world.lines.set(`${RUN}/job-003`, lines)
  const facts = factsOf(world)
  const said = linesUntilEnd({ jobKey: `${RUN}/job-003` }, facts).map(line => logLine(line, facts))
  expect(said).toHaveLength(8)
  expect(said.slice(-2)).toEqual([
    { text: '  own line 99', ink: 'plain' },
    { text: '! CUDA out of memory', ink: 'bad' },
  ])
})
