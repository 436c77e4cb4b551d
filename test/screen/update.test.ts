// Keys and what they do to the model: the one table, tried key by key.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { footerOf } from '../../src/tui/key-lookup.ts'
import { BINDINGS, contextOf } from '../../src/tui/keys.ts'
import { withKeys } from '../../src/tui/manual.ts'
import { DIALOG_DEAF_MS, DRAIN_GRACE_MS } from '../../src/tui/update-dialog.ts'
import { desk } from './desk.ts'
import { busyWorld, factsOf, GONE, largeWorld, MINUTE, RUN, SECOND, stuckWorld } from './fleets.ts'

const fault = { kind: 'job' as const, code: 'memory_exhausted', message: 'out of memory' }

test('the selection is a job: it stays where rows come, go and change places', () => {
  const world = busyWorld()
  const d = desk(world)
  d.press('down')
  expect(d.model().jobs.selected).toBe(`${RUN}/job-002`)
  world.add({ type: 'attempt.failed', jobKey: `${RUN}/job-001`, attempt: 1, fault })
  world.add({ type: 'job.failed', jobKey: `${RUN}/job-001`, fault })
  d.tick()
  expect(d.model().jobs).toMatchObject({ selected: `${RUN}/job-002`, index: 0 })
  d.press('>', 'R')
  expect(d.model().jobs.selected).toBe(`${RUN}/job-002`)
})

test('a row that a filter hides gives the selection to its neighbour, and the view follows in long lists', () => {
  const d = desk(largeWorld(500))
  d.press('G')
  expect(d.text()).toMatch(/›shot-00300/)
  d.press('/', ...'00042', 'enter')
  expect(d.model().jobs.selected).toBe(`${RUN}/shot-00042`)
  d.press('esc')
  expect(d.model().filter).toBe('')
  expect(d.text()).toMatch(/›shot-00042/)
  d.press('g')
  expect(d.model().jobs.top).toBe(0)
})

test('without following, the view stays and the selection is still the same job', () => {
  const world = largeWorld(500)
  const d = desk(world)
  d.press('f')
  const jobKey = d.model().jobs.selected!
  world.add({ type: 'attempt.succeeded', jobKey, attempt: 1 }, { type: 'job.completed', jobKey, published: [] })
  d.tick()
  expect(d.model().jobs).toMatchObject({ selected: jobKey, top: 0 })
  d.press('f')
  expect(d.model().jobs.top).toBeGreaterThan(0)
})

test('a dialog keeps the pod it was opened for, ignores the first moments, and starts on the harmless button', () => {
  const world = busyWorld()
  const d = desk(world)
  d.press('k', 'down', 'enter')
  expect(d.model().dialog).toMatchObject({ choice: 0 })
  world.pass(DIALOG_DEAF_MS)
  world.add({ type: 'attempt.failed', jobKey: `${RUN}/job-001`, attempt: 1, fault })
  world.add({ type: 'job.failed', jobKey: `${RUN}/job-001`, fault })
  d.tick()
  expect(d.text()).toMatch(/terminate pod-0001, no job/)
  d.paste('\r')
  d.press('down', 'enter')
  expect(d.effects).toEqual([{ type: 'send', command: { type: 'kill-pod', podId: 'pod-0001' } }])
  d.press('k')
  world.pass(SECOND)
  d.press('enter')
  expect(d.effects).toHaveLength(1)
})

test('a pod that went away while it was asked about cannot be killed any more', () => {
  const world = busyWorld()
  const d = desk(world)
  d.press('2', 'down', 'down', 'down', 'k')
  world.add({ type: 'pod.release_requested', podId: 'pod-0004', cause: 'x' })
  world.add({ type: 'pod.gone', podId: 'pod-0004', billedUntil: world.now() })
  world.pass(SECOND)
  expect(d.text()).toMatch(/pod-0004 is already gone/)
  d.press('down', 'enter')
  expect(d.effects).toEqual([])
})

test('a finished job has no pod to kill, although its pod works on', () => {
  const d = desk(busyWorld())
  d.press('G', 'k')
  expect(d.model().jobs.selected).toBe(`${RUN}/job-004`)
  expect(d.model().dialog).toBeNull()
  expect(d.text()).toMatch(/job-004 is done and has no pod/)
})

test('the second ctrl-c drains after a moment, a third within it terminates, esc takes it back', () => {
  const world = busyWorld()
  const d = desk(world)
  d.press('ctrl-c', 'ctrl-c')
  expect(d.model().dialog?.drainAt).toBeNull()
  world.pass(SECOND)
  d.press('ctrl-c', 'esc')
  world.pass(MINUTE)
  d.tick()
  expect(d.effects).toEqual([])
  d.press('q')
  world.pass(SECOND)
  d.press('ctrl-c')
  world.pass(DRAIN_GRACE_MS)
  d.tick()
  expect(d.effects).toEqual([{ type: 'leave', how: 'drain' }])
})

test('a viewer leaves without a question; a run that is over leaves as ended, by itself only when asked to', () => {
  const viewer = desk(busyWorld(), { runId: null })
  viewer.press('q')
  expect(viewer.effects).toEqual([{ type: 'leave', how: 'viewer' }])
  const world = busyWorld()
  const d = desk(world, { endWhenDone: true })
  const manual = desk(world, { endWhenDone: true })
  world.pass(SECOND)
  world.add({ type: 'run.closed', runId: RUN, status: 'failed' })
  world.pass(9 * SECOND)
  d.tick()
  manual.press('down')
  expect(d.effects).toEqual([])
  world.pass(SECOND)
  d.tick()
  manual.tick()
  expect(d.effects).toEqual([{ type: 'leave', how: 'ended' }])
  expect(manual.effects).toEqual([])
  manual.press('enter')
  expect(manual.effects).toEqual([{ type: 'leave', how: 'ended' }])
})

test('a screen on which somebody has a page open stays when its run ends, until the page is closed and a key leaves', () => {
  const world = busyWorld()
  const d = desk(world, { endWhenDone: true })
  d.press('l')
  world.pass(SECOND)
  world.add({ type: 'run.closed', runId: RUN, status: 'failed' })
  world.pass(60 * SECOND)
  d.tick()
  expect(d.effects).toEqual([])
  expect(d.text()).not.toContain('closes in')
  d.press('esc')
  expect(d.text()).toContain('─ summary ─')
  d.press('enter')
  expect(d.effects).toEqual([{ type: 'leave', how: 'ended' }])
})

test('a run that ends opens its summary, once, and not while somebody reads; v opens its report, in a table the output', () => {
  const world = busyWorld()
  const report = () => '/home/kim/out/report.html'
  const d = desk(world, { report })
  d.press('l')
  world.add({ type: 'run.closed', runId: RUN, status: 'failed' })
  d.tick()
  expect(d.model()).toMatchObject({ panel: 'jobs', page: { type: 'log' } })
  d.press('esc')
  d.tick()
  expect(d.model().panel).toBe('summary')
  expect(d.text()).toMatch(/some jobs failed · 1 of 8 jobs done, 1 failed/)
  d.press('v')
  const sent = (path: string) => [
    { type: 'send', command: { type: 'view', path } },
    { type: 'send', command: { type: 'copy', text: path } },
  ]
  expect(d.effects).toEqual(sent('/home/kim/out/report.html'))
  d.press('1', 'G', 'v')
  d.tick()
  expect(d.model().panel).toBe('jobs')
  expect(d.effects.slice(2)).toEqual(sent('/home/kim/out/job-004.webp'))
  d.press('S')
  expect(d.model().panel).toBe('summary')
})

test('an output whose ending a pod chose to be run is copied, never opened', () => {
  const world = busyWorld()
  const published = [{ name: 'a', path: '/home/kim/out/a.desktop', url: null, bytes: 1, sha256: 'a' }]
  world.add({ type: 'attempt.succeeded', jobKey: `${RUN}/job-001`, attempt: 1 })
  world.add({ type: 'job.completed', jobKey: `${RUN}/job-001`, published })
  const d = desk(world)
  d.press('/', ...'job-001', 'enter', 'v')
  expect(d.effects).toEqual([{ type: 'send', command: { type: 'copy', text: '/home/kim/out/a.desktop' } }])
})

test('esc goes one step back and never leaves', () => {
  const d = desk(busyWorld())
  d.press('/', 'j', 'enter', 'l', '?')
  expect(d.model()).toMatchObject({ help: true, filter: 'j', page: { type: 'log' } })
  for (const left of [{ help: false }, { page: null }, { filter: '' }, {}, {}]) {
    d.press('esc')
    expect(d.model()).toMatchObject(left)
  }
  expect(d.effects).toEqual([])
})

test('a log that is scrolled stays on its line while lines come and go, and G follows again', () => {
  const world = busyWorld()
  const lines = Array.from({ length: 200 }, (_, n) => ({ at: 1000 + n, text: `line ${n}.` }))
  world.lines.set(`${RUN}/job-001`, lines)
  const d = desk(world)
  d.press('l')
  expect(d.text()).toContain('line 199.')
  d.press('pgup', 'up')
  const top = /line \d+\./.exec(d.text())?.[0]
  for (let n = 0; n < 51; n++) lines[n] = { at: 0, text: GONE }
  for (let n = 200; n < 260; n++) lines.push({ at: 2000, text: `line ${n}.` })
  expect(/line \d+\./.exec(d.text())?.[0]).toBe(top)
  d.press('G')
  expect(d.text()).toContain('line 259.')
})

test('pasted text goes into the filter line and nowhere else', () => {
  const d = desk(busyWorld())
  d.paste('kq\r')
  expect(d.model()).toMatchObject({ dialog: null, filter: '' })
  d.press('/')
  d.paste('\x1b[31mjob-007\n')
  expect(d.model().filter.trim()).toBe('job-007')
})

test('opening the GUI also copies its address; copy takes the ssh line in the pods panel', () => {
  const d = desk(busyWorld())
  d.press('o', '2', 'y')
  expect(d.effects.map(effect => effect.type === 'send' && effect.command)).toEqual([
    { type: 'open', podId: 'pod-0001' },
    { type: 'copy', text: 'http://127.0.0.1:8188' },
    { type: 'copy', text: 'ssh -p 22022 root@203.0.113.7' },
  ])
})

test('read only has no key that changes anything outside', () => {
  const d = desk(busyWorld(), { readonly: true })
  for (const binding of BINDINGS.filter(binding => binding.changes))
    for (const panel of ['1', '2']) d.press(panel, ...binding.keys)
  expect(d.effects).toEqual([])
  expect(d.model().dialog).toBeNull()
  expect(footerOf(contextOf(d.model(), factsOf(busyWorld(), { readonly: true }))).some(b => b.changes)).toBe(false)
})

test('the README has the keys of the table; else run npm run schemas', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  expect(withKeys(readme)).toBe(readme)
  expect(readme).toContain('| `k` | `:kill [POD…]` | terminate the pods (asks) |')
})

test('bindings that share a key in one mode have a condition each', () => {
  for (const key of new Set(BINDINGS.flatMap(binding => binding.keys))) {
    for (const mode of [
      'table',
      'costs',
      'events',
      'details',
      'log',
      'filter',
      'command',
      'dialog',
      'word',
      'help',
    ] as const) {
      const bound = BINDINGS.filter(binding => binding.keys.includes(key) && binding.modes.includes(mode))
      for (const binding of bound) if (bound.length > 1) expect(binding.valid, `${key} in ${mode}`).toBeDefined()
    }
  }
})

test('a frozen screen thaws when something is to be decided', () => {
  const d = desk(busyWorld())
  d.press('z')
  expect(d.model().frozen).toBe(true)
  d.press('k')
  expect(d.model()).toMatchObject({ frozen: false, dialog: { ask: { podId: 'pod-0001' } } })
})

test('a job that shows no life is killed, opened, or given more time; others have no such key', () => {
  const world = stuckWorld()
  const d = desk(world)
  d.press('o', 'w')
  expect(d.effects).toEqual([
    { type: 'send', command: { type: 'open', podId: 'pod-0001' } },
    { type: 'send', command: { type: 'copy', text: 'http://127.0.0.1:8188' } },
    { type: 'send', command: { type: 'wait-job', jobKey: `${RUN}/job-001`, attempt: 1 } },
  ])
  expect(d.text()).toMatch(/job-001: given more time/)
  d.press('k')
  expect(d.text()).toMatch(/terminate pod-0001/)
  d.press('esc', 'down', 'w')
  expect(d.effects).toHaveLength(3)
})
