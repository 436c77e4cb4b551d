// Logs on disk: read in windows of any log, through rotation, searched in slices, and never read twice by an engine that comes back.
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Follow } from '../../src/cli/follow.ts'
import type { Home } from '../../src/cli/home.ts'
import { openLogSource } from '../../src/cli/log-source.ts'
import { openLogFile } from '../../src/edge/logs/file.ts'
import { openSearch } from '../../src/edge/logs/search.ts'
import { oneLine, openTrace, podLogPath } from '../../src/edge/trace.ts'
import type { Clock } from '../../src/ports.ts'

const AT = Date.UTC(2026, 10, 22, 14)
const clock: Clock = { now: () => AT, sleep: async () => {}, uuid: () => '' }
let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'logs-'))
})
afterEach(() => rmSync(home, { recursive: true }))

const stamp = new Date(AT).toISOString()
const lineOf = (n: number) => `${stamp} line ${n}\n`
function write(first: number, count: number): void {
  mkdirSync(join(home, 'logs/pods'), { recursive: true })
  appendFileSync(podLogPath(home, 'p'), Array.from({ length: count }, (_, n) => lineOf(first + n)).join(''))
}

test('a log is read from both ends and from any line, and only as far as is asked for', () => {
  write(0, 5000)
  const log = openLogFile(home, 'p')
  const { start, end } = log.span()
  expect(log.backward(end, 3).map(line => line.text)).toEqual(['line 4997', 'line 4998', 'line 4999'])
  expect(log.forward(start, 2)).toMatchObject([
    { at: AT, text: 'line 0', from: 0, to: lineOf(0).length },
    { text: 'line 1' },
  ])
  expect(log.forward(start, 10_000).map(line => line.text)).toEqual(log.backward(end, 10_000).map(line => line.text))
  expect(log.backward(end, 10_000)).toHaveLength(5000)
  const some = log.backward(end, 1234)[0]!
  expect(log.backward(some.from, 1)[0]).toMatchObject({ text: 'line 3765', to: some.from })
  expect(log.forward(some.from, 1)[0]).toEqual(some)
  log.close()
})

test('positions stay true while a log grows and is rotated, and lines lost by a second rotation are skipped', () => {
  write(0, 100)
  const log = openLogFile(home, 'p')
  const { end } = log.span()
  const [last] = log.backward(end, 1)
  renameSync(podLogPath(home, 'p'), `${podLogPath(home, 'p')}.1`)
  write(100, 50)
  expect(log.span()).toEqual({ start: 0, end: end + 50 * lineOf(100).length })
  expect(log.forward(last!.from, 3).map(line => line.text)).toEqual(['line 99', 'line 100', 'line 101'])
  renameSync(podLogPath(home, 'p'), `${podLogPath(home, 'p')}.1`)
  write(150, 1)
  expect(log.span().start).toBe(end)
  expect(log.forward(last!.from, 1)[0]?.text).toBe('line 100')
  expect(log.backward(log.span().end, 1000)).toHaveLength(51)
  log.close()
})

test('a pod without a log has no lines until it has some; half a line is none yet', () => {
  const log = openLogFile(home, 'p')
  expect(log.span()).toEqual({ start: 0, end: 0 })
  expect(log.backward(0, 5)).toEqual([])
  write(0, 1)
  appendFileSync(podLogPath(home, 'p'), `${stamp} li`)
  expect(log.backward(log.span().end, 5).map(line => line.text)).toEqual(['line 0'])
  expect(log.forward(0, 5).map(line => line.text)).toEqual(['line 0'])
  appendFileSync(podLogPath(home, 'p'), 'ne 1\n')
  expect(log.backward(log.span().end, 1)[0]?.text).toBe('line 1')
  log.close()
})

test('a line of a megabyte comes in pieces, none of them large', () => {
  write(0, 2)
  appendFileSync(podLogPath(home, 'p'), `${stamp} ${'x'.repeat(1_000_000)}\n`)
  write(2, 2)
  const log = openLogFile(home, 'p')
  const { start, end } = log.span()
  for (const lines of [log.forward(start, 1000), log.backward(end, 1000)]) {
    expect(lines.length).toBeLessThan(25)
    expect(Math.max(...lines.map(line => line.text.length))).toBeLessThanOrEqual(65_536)
    expect(lines.at(-1)?.text).toBe('line 3')
    expect(lines[0]?.text).toBe('line 0')
  }
  log.close()
})

test('a search goes backwards in slices, takes lines in that come, and rests when nobody asks', async () => {
  write(0, 20_000)
  let now = AT
  const log = openLogFile(home, 'p')
  const seen: string[] = []
  const matches = (text: string) => {
    seen.push(text)
    return text.endsWith('999')
  }
  const find = openSearch(log, matches, { ...clock, now: () => now })
  expect(find()).toMatchObject({ isDone: false })
  expect(seen.length).toBe(2000)
  now += 10_000
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
  expect(seen.length).toBe(2000)
  let found = find()
  while (!found.isDone) {
    await new Promise(resolve => setImmediate(resolve))
    found = find()
  }
  expect(found.positions).toHaveLength(20)
  expect(found.positions).toEqual(found.positions.toSorted((a, b) => a - b))
  write(20_999, 1)
  expect(find().positions).toHaveLength(21)
  log.close()
})

test('a progress bar keeps its last state, and no line is long', () => {
  expect(oneLine('  0%|  | 0/20\r 50%|█ | 10/20\r100%|██| 20/20 [00:07]\r\n')).toBe('100%|██| 20/20 [00:07]')
  expect(oneLine('a\nb\r\n')).toBe('a b')
  expect(oneLine(`${'x'.repeat(3999)}😀`)).toBe(`${'x'.repeat(3999)}\ufffd…`)
  expect(oneLine('x'.repeat(1_000_000))).toHaveLength(4001)
})

test('where the log of a pod goes on is known to the next engine, also after a shorter cursor than before', () => {
  const first = openTrace(home, clock)
  expect(first.cursor('p')).toBeNull()
  first.pod('p', 'one', '2026-11-22T14:00:00.000Z/000000000001')
  first.pod('p', 'from elsewhere', null)
  expect(openTrace(home, clock).cursor('p')).toBe('2026-11-22T14:00:00.000Z/000000000001')
  first.pod('p', 'two', '7')
  expect(openTrace(home, clock).cursor('p')).toBe('7')
  writeFileSync(join(home, 'logs/pods/p.cursor'), '\r\n evil')
  expect(openTrace(home, clock).cursor('p')).toBeNull()
})

test('a text is found as it is shown, whatever colours lie in it; another pod and another text begin anew', async () => {
  const trace = openTrace(home, clock)
  const texts = ['plain', '\x1b[31mEr\x1b[1mror\x1b[0m: nan', 'e\u0301rror\u200b: nan', 'none']
  for (const text of texts) trace.pod('p', text, null)
  const fleet = { jobs: new Map([['r/a', { attempts: [{ podId: 'p' }] }]]) }
  const source = openLogSource({ fleet } as unknown as Follow, { dir: home } as Home)
  const found = async (subject: { podId: string } | { jobKey: string }, text: string) => {
    while (!source.find(subject, text).isDone) await new Promise(resolve => setImmediate(resolve))
    const log = source.log(subject)
    return source.find(subject, text).positions.map(at => log.forward(at, 1)[0]?.text)
  }
  expect(await found({ jobKey: 'r/a' }, 'ERROR: nan')).toEqual([texts[1]])
  expect(await found({ podId: 'p' }, 'rror: nan')).toEqual([texts[1], texts[2]])
  expect(await found({ podId: 'q' }, 'rror: nan')).toEqual([])
  expect(source.log({ jobKey: 'r/b' }).backward(0, 5)).toEqual([])
})
