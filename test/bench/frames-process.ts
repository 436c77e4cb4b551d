// Frames as fast as they can be made, nobody looking: what one costs in CPU time, what an unchanged one writes, and what is left
// behind after 100,000. Answers with one JSON line. Wants --expose-gc.
import { Writable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { newModel } from '../../src/tui/model.ts'
import { openPainter } from '../../src/tui/paint.ts'
import { palette } from '../../src/tui/style.ts'
import { settle } from '../../src/tui/update.ts'
import { view } from '../../src/tui/view.ts'
import { changingWorld } from '../screen/changing.ts'
import { cpuMs } from '../screen/cpu.ts'
import { factsOf } from '../screen/fleets.ts'

const [COLUMNS, ROWS, FRAMES, ROUND] = [200, 60, 100_000, 1000]
let bytes = 0
const sink = new Writable({
  write(chunk, _encoding, done) {
    bytes += chunk.length
    done()
  },
})
const painter = openPainter(
  Object.assign(sink, { columns: COLUMNS, rows: ROWS, isTTY: true }) as unknown as NodeJS.WriteStream,
  false,
  false,
)
const ink = palette(256)
const { world, step } = changingWorld(1000)
const memo = factsOf(world)
let model = newModel(COLUMNS, ROWS)

function frame(): void {
  const facts = { ...memo, now: world.now(), clock: world.now(), frame: new Map() }
  model = settle(model, facts, COLUMNS, ROWS).model
  painter.paint(view(model, facts, ink, false))
}

function round(): { ms: number; bytes: number } {
  const before = bytes
  const all = cpuMs(() => {
    for (let n = 0; n < ROUND; n++) {
      step(1000)
      frame()
    }
  })
  const written = bytes - before
  // What makes the figures change is not the screen's work.
  const stepping = cpuMs(() => {
    for (let n = 0; n < ROUND; n++) step(1000)
  })
  return { ms: (all - stepping) / ROUND, bytes: written / ROUND }
}

/** The loop turns first, as it does between any two real frames: what waits for that is no leak. */
async function heapMb(): Promise<number> {
  await setImmediate()
  for (let n = 0; n < 3; n++) globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1e6
}

round()
const heapBefore = await heapMb()
const rounds: { ms: number; bytes: number }[] = []
for (let n = 0; n < FRAMES / ROUND; n++) {
  rounds.push(round())
  await setImmediate()
}
const heapAfter = await heapMb()
frame()
const before = bytes
for (let n = 0; n < ROUND; n++) frame()
rounds.sort((a, b) => a.ms - b.ms)
const middle = rounds[rounds.length / 2]!
process.stdout.write(
  `${JSON.stringify({
    frameMs: middle.ms,
    frameMsLow: rounds[0]!.ms,
    frameBytes: middle.bytes,
    unchangedBytes: (bytes - before) / ROUND,
    heapMb: heapAfter - heapBefore,
    frames: FRAMES,
  })}\n`,
)
painter.close()
