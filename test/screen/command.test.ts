// Marks, the `:` line and the mouse: what they act on, and that nothing dangerous happens by the way.
import { expect, test } from 'vitest'
import { commandsOf } from '../../src/tui/command.ts'
import { contextOf } from '../../src/tui/keys.ts'
import { newModel } from '../../src/tui/model.ts'
import { desk } from './desk.ts'
import { busyWorld, factsOf, largeWorld, RUN, SECOND } from './fleets.ts'

const sent = (d: ReturnType<typeof desk>) => d.effects.map(effect => effect.type === 'send' && effect.command)

test('what is done is done to all marked rows, and the dialog says how many and what they cost', () => {
  const world = busyWorld()
  const d = desk(world)
  d.press('space', 'space', 'k')
  expect(d.text()).toMatch(/terminate 2 pods, \$0\.\d+ spent\?/)
  expect(d.text()).toMatch(/pod-0002, job-002 at 23 %, \$/)
  world.pass(SECOND)
  d.press('down', 'enter')
  expect(sent(d)).toEqual([
    { type: 'kill-pod', podId: 'pod-0001' },
    { type: 'kill-pod', podId: 'pod-0002' },
  ])
  expect(d.model().jobs.marked.size).toBe(0)
})

test('a marked row that a filter hides is named all the same, and one that ended meanwhile is left out', () => {
  const world = busyWorld()
  const d = desk(world)
  d.press('2', 'space', 'space', 'space')
  d.type('/0004')
  d.press('enter', 'd')
  expect(d.text()).toMatch(/drain 3 pods/)
  world.add({ type: 'pod.release_requested', podId: 'pod-0002', cause: 'x' })
  world.add({ type: 'pod.gone', podId: 'pod-0002', billedUntil: world.now() })
  world.pass(SECOND)
  expect(d.text()).toMatch(/drain 2 pods/)
  d.press('down', 'enter')
  expect(sent(d)).toEqual([
    { type: 'drain-pod', podId: 'pod-0001' },
    { type: 'drain-pod', podId: 'pod-0003' },
  ])
})

test('killing every pod wants a typed word: neither enter nor a paste nor a wrong word does it', () => {
  const world = busyWorld()
  const d = desk(world)
  d.type(':kill all')
  d.press('enter')
  world.pass(SECOND)
  d.press('enter', 'down', 'enter', 'k', 'enter')
  d.paste('terminate')
  d.press('enter')
  expect(d.effects).toEqual([])
  d.press('ctrl-u')
  d.type('terminate')
  expect(d.text()).toContain('› terminate▌')
  d.press('enter')
  expect(sent(d)).toHaveLength(4)
  d.type(':kill all')
  d.press('enter', 'esc')
  expect(d.model().dialog).not.toBeNull()
  world.pass(SECOND)
  d.press('esc')
  expect(d.model().dialog).toBeNull()
})

test('esc takes marks back before the filter', () => {
  const d = desk(busyWorld())
  d.type('/job')
  d.press('enter', 'space', 'esc')
  expect(d.model()).toMatchObject({ filter: 'job' })
  expect(d.model().jobs.marked.size).toBe(0)
  d.press('esc')
  expect(d.model().filter).toBe('')
})

test('a command names its rows, by job or by pod, and asks as its key does', () => {
  const world = busyWorld()
  const d = desk(world)
  d.type(':cancel job-006 job-007')
  d.press('enter')
  expect(d.text()).toMatch(/cancel 2 jobs, \$0\.00 spent/)
  world.pass(SECOND)
  d.press('down', 'enter')
  d.type(':kill job-002')
  d.press('enter')
  expect(d.model().dialog).toMatchObject({ ask: { type: 'kill-pod', podId: 'pod-0002' } })
  world.pass(SECOND)
  d.press('esc')
  d.type(':retry failed')
  d.press('enter')
  expect(sent(d)).toEqual([
    { type: 'cancel-job', jobKey: `${RUN}/job-006` },
    { type: 'cancel-job', jobKey: `${RUN}/job-007` },
    { type: 'retry-job', jobKey: `${RUN}/job-003` },
  ])
})

test('trying again says what costs again and what only has to be brought from the bucket', () => {
  const world = busyWorld()
  const end = (jobId: string) => {
    const jobKey = `${RUN}/${jobId}`
    world.add({ type: 'attempt.succeeded', jobKey, attempt: 1 })
    world.add({ type: 'job.failed', jobKey, fault: { kind: 'job', code: 'output_exists', message: 'it exists' } })
  }
  const ask = () => {
    const d = desk(world)
    d.type(':retry failed')
    d.press('enter')
    return d.text()
  }
  end('job-001')
  expect(ask()).toMatch(/1 is only brought from the bucket: no pod, no cost[\s\S]*1 is waiting again, and costs again/)
  end('job-002')
  expect(ask()).toMatch(/2 are only brought from the bucket: no pod, no cost[\s\S]*1 is waiting again, and costs again/)
})

test('tab completes commands and names, and a beginning that only one command has is enough', () => {
  const d = desk(busyWorld())
  d.type(':can')
  d.press('tab')
  expect(d.model().command?.text).toBe('cancel ')
  d.type('j')
  d.press('tab')
  expect(d.model().command?.text).toBe('cancel job-00')
  d.press('ctrl-u')
  d.type('so co')
  d.press('enter')
  expect(d.model()).toMatchObject({ command: null, jobs: { sort: 'cost' } })
  d.type(':sort attention reverse')
  d.press('enter')
  expect(d.model().jobs).toMatchObject({ sort: '', reverse: true })
})

test('a line that means nothing stays with the reason beside it', () => {
  const d = desk(busyWorld(), {}, 120)
  for (const [line, reason] of [
    ['kil1', '"kil1" is no command (did you mean "kill"?)'],
    ['st', 'st: stop or start'],
    ['kill job-0O2', 'there is no pod or job "job-0O2" (did you mean "job-002"?)'],
    ['kill job-004', 'not possible now: terminate the pods'],
    ['sort colour', 'sort: "colour" is not known'],
    ['costs now', 'costs takes nothing after it'],
  ] as const) {
    d.type(`:${line}`)
    d.press('enter')
    expect(d.model().command?.error).toContain(reason)
    expect(d.text()).toContain(reason)
    d.press('x')
    expect(d.model().command).toEqual({ text: `${line}x`, error: '' })
    d.press('esc')
  }
  expect(d.effects).toEqual([])
})

test('filter, panels, marks and leaving are commands, too', () => {
  const d = desk(busyWorld())
  d.type(':filter job-00')
  d.press('enter')
  expect(d.model().filter).toBe('job-00')
  d.type(':mark failed')
  d.press('enter')
  expect([...d.model().jobs.marked]).toEqual([`${RUN}/job-003`])
  d.type(':pods')
  d.press('enter')
  expect(d.model().panel).toBe('pods')
  d.type(':logs job-002')
  d.press('enter')
  expect(d.model().page).toMatchObject({ type: 'log', subject: { podId: 'pod-0002' } })
  d.type(':q')
  d.press('enter')
  expect(d.model().dialog).toMatchObject({ ask: 'leave' })
})

test('read only has no command that changes anything outside', () => {
  const facts = factsOf(busyWorld(), { readonly: true })
  expect(commandsOf(contextOf(newModel(80, 24), facts)).some(binding => binding.changes)).toBe(false)
  const d = desk(busyWorld(), { readonly: true })
  for (const line of [':kill all', ':cancel job-001', ':stop', ':drain pod-0001', ':retry failed']) {
    d.type(line)
    d.press('enter', 'esc')
  }
  expect(d.model().dialog).toBeNull()
  expect(d.effects).toEqual([])
})

test('the mouse means nothing until it is asked for; then wheel and clicks select, and in dialogs it does nothing', () => {
  const world = largeWorld(500)
  const d = desk(world)
  d.mouse('press', 5, 8)
  d.mouse('wheel-down', 5, 8)
  expect(d.model().jobs.index).toBe(0)
  d.type(':mouse')
  d.press('enter')
  d.mouse('press', 5, 8)
  expect(d.model().jobs.index).toBe(5)
  d.mouse('wheel-down', 0, 0)
  expect(d.model().jobs.index).toBe(8)
  d.mouse('press', 18, 1)
  expect(d.model().panel).toBe('pods')
  d.press('k')
  world.pass(SECOND)
  const before = d.model().dialog
  for (const what of ['press', 'wheel-up', 'wheel-down'] as const)
    for (const y of [0, 10, 14, 999]) d.mouse(what, 30, y)
  expect(d.model().dialog).toEqual(before)
  expect(d.effects).toEqual([])
})

test('+ and - change how often a frame is drawn, within bounds', () => {
  const d = desk(busyWorld())
  d.press('-', '-')
  expect(d.model().refreshMs).toBe(1000)
  for (let times = 0; times < 10; times++) d.press('-')
  expect(d.model().refreshMs).toBe(5000)
  for (let times = 0; times < 10; times++) d.press('+')
  expect(d.model().refreshMs).toBe(100)
})
