// Screens as text, compared with fixtures/screens; UPDATE_SCREENS=1 writes them anew, to be read before they are committed.
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Facts, type Model, newModel, type Picture } from '../../src/tui/model.ts'
import { type Screen, textOf } from '../../src/tui/screen.ts'
import { type Colours, palette } from '../../src/tui/style.ts'
import { settle, update } from '../../src/tui/update.ts'
import { view } from '../../src/tui/view.ts'
import { RUN as NIGHT } from '../unit/fleet-story.ts'
import { longNight } from '../unit/long-night.ts'
import {
  A40,
  busyWorld,
  factsOf,
  largeWorld,
  MINUTE,
  newWorld,
  queue,
  RUN,
  SECOND,
  stuckWorld,
  type World,
} from './fleets.ts'

const FOLDER = new URL('../../fixtures/screens/', import.meta.url)
const SIZES = ['60x15', '80x24', '120x40', '200x60']

type Look = { ascii?: boolean; colours?: Colours }

/** The screen after these keys, half a second apart. */
function shot(world: World, size: string, keys: string[] = [], changes: Partial<Facts> = {}, look: Look = {}): Screen {
  const [width = 0, height = 0] = size.split('x').map(Number)
  let model: Model = newModel(width, height)
  let passed = 0
  const facts = () => factsOf(world, { now: world.now() + passed, ...changes })
  for (const name of keys) {
    model = settle(model, facts(), width, height).model
    model = update(model, { type: 'key', name }, facts()).model
    passed += SECOND / 2
  }
  model = settle(model, facts(), width, height).model
  return view(model, facts(), palette(look.colours ?? 256), look.ascii ?? false)
}

function matches(name: string, screen: Screen): void {
  const file = new URL(`${name}.txt`, FOLDER)
  const text = textOf(screen)
  if (process.env.UPDATE_SCREENS) writeFileSync(file, text)
  expect(text).toBe(readFileSync(file, 'utf8'))
  const lines = text.split('\n')
  expect(lines.length - 1).toBe(screen.height)
}

const gradient = (): Picture => {
  const rgb = new Uint8Array(32 * 24 * 3)
  for (let at = 0; at < rgb.length; at++) rgb[at] = at % 251
  return { width: 32, height: 24, rgb }
}

function loggedWorld(): World {
  const world = busyWorld()
  const lines = Array.from({ length: 300 }, (_, index) => ({
    at: world.now() - (300 - index) * SECOND,
    text:
      index % 50 === 49 ? `Error: step ${index} gave nan` : `step ${index}: loss 0.${index} ${'x'.repeat(index % 90)}`,
  }))
  world.lines.set(`${RUN}/job-001`, lines)
  return world
}

function overWorld(): World {
  const world = newWorld()
  queue(world, ['job-001'])
  world.podReady('pod-0001', 8188)
  world.startJob('job-001', 'pod-0001')
  world.pass(MINUTE)
  const jobKey = `${RUN}/job-001`
  world.add({ type: 'attempt.succeeded', jobKey, attempt: 1 }, { type: 'job.completed', jobKey, published: [] })
  world.add({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'nothing left to do' })
  world.pass(3 * SECOND)
  world.add({ type: 'pod.release_accepted', podId: 'pod-0001' })
  world.pass(20 * SECOND)
  world.add({ type: 'pod.gone', podId: 'pod-0001', billedUntil: world.now() })
  world.add({ type: 'run.closed', runId: RUN, status: 'completed' })
  world.pass(2 * SECOND)
  return world
}

for (const size of SIZES) {
  test(`an empty run at ${size}`, () => matches(`empty-${size}`, shot(newWorld(), size)))
  test(`one waiting job at ${size}`, () => {
    const world = newWorld()
    queue(world, ['job-001'])
    matches(`one-${size}`, shot(world, size))
  })
  test(`eight jobs in all states at ${size}`, () => matches(`eight-${size}`, shot(busyWorld(), size)))
  test(`five thousand jobs at ${size}`, () => matches(`five-thousand-${size}`, shot(largeWorld(5000), size)))
  test(`costs at ${size}`, () => matches(`costs-${size}`, shot(busyWorld(), size, ['3'])))
  test(`pods at ${size}`, () => matches(`pods-${size}`, shot(busyWorld(), size, ['2'])))
  test(`the kill dialog at ${size}`, () => matches(`kill-${size}`, shot(busyWorld(), size, ['k'])))
  test(`the leave dialog at ${size}`, () => matches(`leave-${size}`, shot(busyWorld(), size, ['q'])))
  test(`all keys at ${size}`, () => matches(`keys-${size}`, shot(busyWorld(), size, ['?'])))
  test(`a log at ${size}`, () => matches(`log-${size}`, shot(loggedWorld(), size, ['l'])))
  test(`the details of a job at ${size}`, () => matches(`details-${size}`, shot(loggedWorld(), size, ['enter'])))
}

test('a waiting job tells how far its pod is at 80x24', () => {
  const world = newWorld()
  queue(world, ['job-001', 'job-002', 'job-003'])
  for (const podId of ['pod-0001', 'pod-0002'])
    world.add({ type: 'pod.requested', podId, runId: RUN, name: `autopod-a-b-${podId}`, offer: A40 })
  world.pass(3 * SECOND)
  world.add({ type: 'pod.created', podId: 'pod-0001', ref: 'ref-1', perHour: 490_000 })
  world.pass(40 * SECOND)
  world.add({ type: 'pod.stage_reached', podId: 'pod-0001', stage: 'ssh' })
  world.pass(12 * SECOND)
  matches('booting-80x24', shot(world, '80x24'))
})
test('costs without colours at 80x24: a letter for each cause', () =>
  matches('costs-plain-80x24', shot(busyWorld(), '80x24', ['3'], {}, { colours: 0 })))
test('several marked rows and what is asked about them at 120x40', () =>
  matches('marked-120x40', shot(busyWorld(), '120x40', ['space', 'space', 'space', 'k'])))
test('what is asked about many jobs fits at 60x15', () => {
  const screen = shot(largeWorld(500), '60x15', [...':cancel', 'space', ...'all', 'enter'])
  matches('cancel-all-60x15', screen)
  expect(textOf(screen)).toMatch(/› back[\s\S]*cancel 200 jobs/)
})
test('every pod is to be ended at 80x24', () =>
  matches('kill-all-80x24', shot(busyWorld(), '80x24', [...':kill', 'space', ...'all', 'enter', ...'xterm'])))
test('a command being typed at 80x24', () =>
  matches('command-80x24', shot(busyWorld(), '80x24', [...':can', 'tab', ...'job-00'])))
test('a command that means nothing at 80x24', () =>
  matches('command-wrong-80x24', shot(busyWorld(), '80x24', [...':kil1', 'enter'])))
test('a frozen screen says since when at 120x40', () => {
  const world = busyWorld()
  matches('frozen-120x40', shot(world, '120x40', ['2', 'z'], { now: world.now(), clock: world.now() + MINUTE }))
})
test('a pod that does not end and one that is not heard of at 120x40', () => {
  const world = busyWorld()
  world.add({ type: 'pod.release_requested', podId: 'pod-0004', cause: 'never became ready' })
  world.pass(2 * MINUTE)
  world.add({
    type: 'pod.link_lost',
    podId: 'pod-0002',
    fault: { kind: 'transient', code: 'link_lost', message: 'no answer' },
  })
  world.pass(MINUTE)
  matches('unknown-120x40', shot(world, '120x40', ['2']))
})
test('why a job failed, with what its log said last, at 80x24', () => {
  const world = busyWorld()
  const endedAt = world.fleet.jobs.get(`${RUN}/job-003`)?.attempts[0]?.endedAt ?? 0
  world.lines.set(`${RUN}/job-003`, [
    { at: endedAt - SECOND, text: 'CUDA out of memory. Tried to allocate 20.00 GiB' },
    { at: endedAt + MINUTE, text: 'a line of the next job on that pod' },
  ])
  matches('failed-details-80x24', shot(world, '80x24', ['down', 'down', 'down', 'enter']))
})
test('events at 80x24', () => matches('events-80x24', shot(busyWorld(), '80x24', ['4'])))
test('a picture in the detail pane at 120x40', () => {
  const world = busyWorld()
  world.pictures.set(`${RUN}/job-001`, gradient())
  matches('picture-120x40', shot(world, '120x40'))
})
test('a run that is over at 80x24', () => matches('over-80x24', shot(overWorld(), '80x24', [], { endWhenDone: true })))
test('the summary of a long night at 120x40', () => {
  const { fleet, now } = longNight(60, true)
  const report = () => '/home/kim/out/report.html'
  matches('summary-120x40', shot({ ...newWorld(), fleet, now: () => now }, '120x40', [], { runId: NIGHT, report }))
})
test('a failed job is selected at 120x40', () =>
  matches('failed-120x40', shot(busyWorld(), '120x40', ['down', 'down', 'down'])))
test('nothing but ASCII at 80x24', () => {
  matches('ascii-80x24', shot(busyWorld(), '80x24', [], {}, { ascii: true }))
  matches('ascii-costs-80x24', shot(busyWorld(), '80x24', ['3'], {}, { ascii: true }))
  for (const keys of [[], ['2'], ['3'], ['4'], ['enter'], ['l'], ['?'], ['q'], ['k'], ['space', 'space', 'k'], [':']])
    for (const size of SIZES) {
      const text = textOf(shot(busyWorld(), size, keys, {}, { ascii: true }))
      expect(text).toMatch(/^[\x20-\x7e\n]*$/)
      // What has no stand-in of its own would be a question mark, which says something else here.
      expect(text.replaceAll(/\? keys|spent\?|\? {2,}(this list|row up)/g, ''), `${keys} at ${size}`).not.toMatch(
        /\?{2}|\w\?\w/,
      )
    }
})
test('a terminal that is too small says what it needs', () => matches('small-59x14', shot(busyWorld(), '59x14')))
test('a viewer without an engine and with pods that may be billed at 80x24', () =>
  matches('no-engine-80x24', shot(busyWorld(), '80x24', [], { engineAlive: false, runId: null })))
test('figures that are too old are doubted at 120x40', () => {
  const world = busyWorld()
  world.pass(MINUTE)
  world.add({
    type: 'pod.link_lost',
    podId: 'pod-0002',
    fault: { kind: 'transient', code: 'link_lost', message: 'no answer' },
  })
  world.pass(20 * SECOND)
  matches('old-120x40', shot(world, '120x40'))
})
test('a filter being typed at 80x24', () => matches('filter-80x24', shot(busyWorld(), '80x24', ['/', 'f', 'a', 'i'])))
for (const size of ['80x24', '120x40'])
  test(`a job that shows no life at ${size}`, () => {
    const world = stuckWorld()
    matches(`stuck-${size}`, shot(world, size))
    world.add({ type: 'attempt.wait_requested', jobKey: `${RUN}/job-001`, attempt: 1 })
    matches(`stuck-waited-${size}`, shot(world, size))
  })
test('what a person must do stands across the screen at 80x24', () => {
  const world = busyWorld()
  world.add({
    type: 'operator.needed',
    provider: 'runpod',
    fault: { kind: 'operator', code: 'key_refused', message: 'RunPod refuses the key', hint: 'Make a new one.' },
  })
  matches('operator-80x24', shot(world, '80x24'))
})
test('a second attempt says so where its bar began anew at 120x40', () => {
  const world = newWorld()
  queue(world, ['job-001', 'job-002'])
  world.podReady('pod-0001', 8188)
  world.startJob('job-001', 'pod-0001')
  world.pass(MINUTE)
  const fault = { kind: 'pod' as const, code: 'tunnel_dead', message: 'the tunnel died' }
  world.add({ type: 'attempt.failed', jobKey: `${RUN}/job-001`, attempt: 1, fault })
  world.add({ type: 'job.delayed', jobKey: `${RUN}/job-001`, dueAt: world.now() + 10_000, why: 'backoff' })
  world.startJob('job-002', 'pod-0001')
  world.pass(8 * SECOND)
  matches('backoff-120x40', shot(world, '120x40'))
  world.add({ type: 'attempt.cancelled', jobKey: `${RUN}/job-002`, attempt: 1 })
  world.startJob('job-001', 'pod-0001', 2)
  world.jobGauge('job-001', { fraction: 0.12, attempt: 2 })
  matches('attempt-2-120x40', shot(world, '120x40'))
})
