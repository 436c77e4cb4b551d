// The painter alone, on a stream that counts: what a frame costs in bytes and time, and that it never waits.
import { PassThrough, Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { newModel } from '../../src/tui/model.ts'
import { openPainter, type Painter } from '../../src/tui/paint.ts'
import { palette } from '../../src/tui/style.ts'
import { settle } from '../../src/tui/update.ts'
import { view } from '../../src/tui/view.ts'
import { changingWorld } from './changing.ts'
import { cpuMs } from './cpu.ts'
import { busyWorld, factsOf, largeWorld, SECOND, type World } from './fleets.ts'

type Counter = { stream: NodeJS.WriteStream; bytes(): number }

function counter(columns: number, rows: number): Counter {
  let bytes = 0
  const stream = new Writable({
    write(chunk, _encoding, done) {
      bytes += chunk.length
      done()
    },
  })
  return {
    stream: Object.assign(stream, { columns, rows, isTTY: true }) as unknown as NodeJS.WriteStream,
    bytes: () => bytes,
  }
}

const ink = palette(256)

function screenOf(world: World, columns: number, rows: number) {
  const facts = factsOf(world)
  const { model } = settle(newModel(columns, rows), facts, columns, rows)
  return view(model, facts, ink, false)
}

function painted(columns: number, rows: number, use: (painter: Painter, counter: Counter) => void): void {
  const count = counter(columns, rows)
  const painter = openPainter(count.stream, false, false)
  try {
    use(painter, count)
  } finally {
    painter.close()
  }
}

test('an unchanged frame writes nothing, a changed figure a few bytes', () =>
  painted(120, 40, (painter, count) => {
    const world = busyWorld()
    expect(painter.paint(screenOf(world, 120, 40))).toBe(true)
    const first = count.bytes()
    expect(first).toBeGreaterThan(1000)
    for (let frame = 0; frame < 100; frame++) painter.paint(screenOf(world, 120, 40))
    expect(count.bytes()).toBe(first)
    world.podGauge('pod-0001', { gpuUtil: 97, vramUsedMiB: 38 * 1024 })
    painter.paint(screenOf(world, 120, 40))
    expect(count.bytes() - first).toBeGreaterThan(0)
    expect(count.bytes() - first).toBeLessThan(400)
  }))

/** What a painter writes on a terminal, as text. */
function written(tmux: boolean, use: (painter: Painter) => void): string {
  let text = ''
  const output = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk)
      done()
    },
  })
  const tty = Object.assign(output, { columns: 80, rows: 24, isTTY: true }) as unknown as NodeJS.WriteStream
  const painter = openPainter(tty, false, tmux)
  text = ''
  use(painter)
  const told = text
  painter.close()
  return told
}

test('a copy goes to the terminal, in tmux also wrapped, and one that terminals cut off goes nowhere', () => {
  const base64 = Buffer.from('ssh -p 22 root@a').toString('base64')
  expect(written(false, painter => painter.copy('ssh -p 22 root@a'))).toBe(`\x1b]52;c;${base64}\x07`)
  expect(written(true, painter => painter.copy('ssh -p 22 root@a'))).toBe(
    `\x1b]52;c;${base64}\x07\x1bPtmux;\x1b\x1b]52;c;${base64}\x07\x1b\\`,
  )
  expect(written(true, painter => painter.copy('x'.repeat(60_000)))).toBe('')
})

test('the mouse is asked for only when it is wanted, never its motion, and given back with the terminal', () => {
  expect(written(false, painter => painter.mouse(false))).toBe('')
  expect(written(false, painter => painter.mouse(true))).toBe('\x1b[?1000h\x1b[?1006h')
  const away = written(false, painter => {
    painter.mouse(true)
    painter.pause()
  })
  expect(away.lastIndexOf('\x1b[?1000l')).toBeGreaterThan(away.indexOf('\x1b[?1000h'))
  const back = written(false, painter => {
    painter.mouse(true)
    painter.pause()
    painter.resume()
  })
  expect(back.lastIndexOf('\x1b[?1000h')).toBeGreaterThan(back.lastIndexOf('\x1b[?1000l'))
})

test('a repaint writes the whole frame again', () =>
  painted(80, 24, (painter, count) => {
    const screen = screenOf(busyWorld(), 80, 24)
    painter.paint(screen)
    const first = count.bytes()
    painter.repaint()
    painter.paint(screen)
    expect(count.bytes()).toBeGreaterThan(first * 1.5)
  }))

test('a terminal that takes nothing gets nothing more, and the painter returns at once', () => {
  const stuck = Object.assign(new PassThrough({ highWaterMark: 1 }), { columns: 80, rows: 24, isTTY: true })
  const painter = openPainter(stuck as unknown as NodeJS.WriteStream, false, false)
  const world = busyWorld()
  painter.paint(screenOf(world, 80, 24))
  const queued = stuck.writableLength
  world.pass(1000)
  expect(painter.paint(screenOf(world, 80, 24))).toBe(false)
  expect(stuck.writableLength).toBe(queued)
  painter.close()
})

test('none of blessed’s listeners stay on the process', () => {
  const names = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'uncaughtException', 'exit'] as const
  const before = names.map(name => process.listenerCount(name))
  painted(80, 24, () => expect(names.map(name => process.listenerCount(name))).toEqual(before))
  expect(names.map(name => process.listenerCount(name))).toEqual(before)
})

test('a frame of 1,000 rows of which every figure changes takes few milliseconds of work', () =>
  painted(200, 60, painter => {
    const { world, step } = changingWorld(1000)
    const lasting = new Map<string, unknown>()
    let model = newModel(200, 60)
    let written = 0
    const frame = () => {
      step(SECOND)
      const facts = factsOf(world, { lasting })
      model = settle(model, facts, 200, 60).model
      if (painter.paint(view(model, facts, ink, false))) written++
    }
    const ms = cpuMs(() => {
      for (let n = 0; n < 200; n++) frame()
    })
    console.log(`frame at 200×60, 1,000 jobs, all changing: ${(ms / 200).toFixed(2)} ms of CPU time`)
    expect(written).toBe(200)
    // Twenty times the goal: shared machines are slow, an accidental pass over all cells of all rows is slower still.
    expect(ms / 200).toBeLessThan(10)
  }))

test('five thousand jobs are as quick to leave unchanged as one', () =>
  painted(120, 40, (painter, count) => {
    const world = largeWorld(5000)
    painter.paint(screenOf(world, 120, 40))
    const first = count.bytes()
    const ms = cpuMs(() => {
      for (let n = 0; n < 20; n++) painter.paint(screenOf(world, 120, 40))
    })
    expect(count.bytes()).toBe(first)
    // Nothing is remembered from frame to frame here: every order and sum is worked out anew.
    expect(ms / 20).toBeLessThan(50)
  }))
