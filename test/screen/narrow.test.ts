// What has to be there where there is little room: on 80 columns and fewer, nothing that decides is cut.
import { expect, test } from 'vitest'
import { desk } from './desk.ts'
import { busyWorld, MINUTE, newWorld, queue, RUN, SECOND, stuckWorld } from './fleets.ts'
import { SIZES, textAt } from './golden.ts'
import { gradient, loggedWorld, secondAttempt, troubledWorld } from './scenes.ts'

test('a later attempt says so at every size, whatever else there is no room for', () => {
  for (const size of SIZES) expect(textAt({ world: secondAttempt(true) }, size), size).toMatch(/42 % .*attempt 2\b/)
  const starting = newWorld()
  queue(starting, ['job-001'])
  starting.podReady('pod-0001', 8188)
  starting.startJob('job-001', 'pod-0001', 1)
  const fault = { kind: 'pod' as const, code: 'tunnel_dead', message: 'the tunnel died' }
  starting.add({ type: 'attempt.failed', jobKey: `${RUN}/job-001`, attempt: 1, fault })
  starting.startJob('job-001', 'pod-0001', 2)
  for (const size of SIZES) expect(textAt({ world: starting }, size), size).toMatch(/0:00 .*attempt 2\b/)
})

test('bars of jobs at work are as long as each other, so that they can be compared', () => {
  for (const size of SIZES) {
    const bars = textAt({ world: busyWorld() }, size).match(/[▓░]{3,}/g) ?? []
    expect(new Set(bars.slice(0, 3).map(bar => bar.length)).size, size).toBe(1)
  }
})

test('how long a pod takes to boot is read without opening anything, and a pod that is gone has no port', () => {
  const world = busyWorld()
  expect(textAt({ world, keys: ['2'] }, '80x24')).toMatch(/booting .*░ 0:31 the image is being p/)
  world.add({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'killed by hand' })
  world.add({ type: 'pod.gone', podId: 'pod-0001', billedUntil: world.now() })
  expect(textAt({ world, keys: ['2'] }, '80x24')).toMatch(/pod-0001 · gone +A40 +killed by hand +\$/)
})

test('a banner that is too long for its row runs on in a second one, the keys with it', () => {
  expect(textAt({ world: stuckWorld() }, '60x15')).toMatch(/GPU 0 %,\n +no log line.*k kill {2}w wait {2}o look\n/)
  expect(textAt({ world: stuckWorld() }, '80x24')).toMatch(/no file\n +k kill {2}w wait {2}o look\n/)
  expect(textAt({ world: troubledWorld() }, '80x24')).toMatch(/by hand,\n +autopod-a-b-0004 \(ref-4\)\n \? pod-0002/)
})

test('no line of the list of keys is cut', () => {
  for (const page of [[], ['3'], ['4'], ['enter'], ['l']])
    for (const size of SIZES)
      for (const place of ['g', 'pgdn', 'G']) {
        const text = textAt({ world: busyWorld(), keys: [...page, '?', place] }, size)
        const overlay = text.slice(text.indexOf('keys here'), text.indexOf('└'))
        expect(overlay, `${page} at ${size}`).toContain(' │')
        expect(overlay, `${page} at ${size}`).not.toContain('…')
      }
})

test('the details say how much is below, and scroll to their end and back without a dead key', () => {
  const d = desk(loggedWorld())
  d.press('enter')
  expect(d.text()).toMatch(/└─ (\d+) more lines ↓ ─/)
  const below = Number(/(\d+) more lines/.exec(d.text())?.[1])
  d.press('G')
  expect(d.model().page).toMatchObject({ top: below })
  expect(d.text()).not.toContain('more line')
  d.press('up')
  expect(d.text()).toContain('─ 1 more line ↓ ─')
})

test('a step back from the first page says nothing, and a key that is not possible says why', () => {
  const d = desk(busyWorld())
  d.press('esc')
  expect(d.model().notice).toBeNull()
  d.press('r')
  expect(d.text()).toContain('job-001 is rendering; not possible: retry')
  d.press('G', 'k')
  expect(d.text()).toContain('job-004 is done and has no pod; not possible: kill')
})

test('what a GPU did in the last minutes is one line beside a picture, too', () => {
  const world = loggedWorld()
  world.podGauge('pod-0001', { gpuUtil: 100, history: Array<number>(120).fill(100) })
  world.pictures.set(`${RUN}/job-001`, gradient())
  const text = textAt({ world, keys: ['enter'] }, '80x24')
  expect(text).toMatch(/│ GPU 100 % █{20,} │/)
  expect(text).not.toMatch(/│ █/)
})

test('ages beyond a minute are told as a time', () => {
  const world = busyWorld()
  world.pass(2 * MINUTE + 5 * SECOND)
  expect(textAt({ world, keys: ['enter'] }, '80x24')).toContain('2:06 ago ?')
})

test('what is still to come is told in whole cents', () => {
  const world = busyWorld()
  const [, low = '', high = ''] = /to finish \$(\S+?)–(\S+?),/.exec(textAt({ world }, '200x60')) ?? []
  expect([low, high]).toEqual([expect.stringMatching(/^\d+\.\d\d$/), expect.stringMatching(/^\d+\.\d\d$/)])
})

test('one output of many files counts as one until the job is done, then its files are told', () => {
  const world = busyWorld()
  const jobKey = `${RUN}/job-001`
  const artifact = { name: 'video', nodeId: '9', file: 'a.webp', index: 0, key: 'out/a', sha256: 'cc', bytes: 1000 }
  world.add({ type: 'artifact.stored', jobKey, attempt: 1, artifact })
  world.add({ type: 'artifact.stored', jobKey, attempt: 1, artifact: { ...artifact, index: 1, key: 'out/b' } })
  expect(textAt({ world }, '120x40')).toContain('outputs 1/1 ')
  const file = { name: 'video', path: '/home/kim/out/a.webp', url: null, bytes: 1000, sha256: 'cc' }
  world.add({ type: 'attempt.succeeded', jobKey, attempt: 1 })
  world.add({ type: 'job.completed', jobKey, published: [file, { ...file, path: '/home/kim/out/b.webp' }] })
  expect(textAt({ world, keys: ['/', ...'job-001', 'enter'] }, '120x40')).toContain('outputs 2 files 2.0 kB ')
})
