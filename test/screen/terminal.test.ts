// The painted dashboard in a real terminal: keys, sizes, hostile text, and that the terminal is always given back.
import { afterEach, expect, test } from 'vitest'
import { openTerminal, type Terminal } from './terminal.ts'

let terminal: Terminal | null = null
afterEach(() => {
  terminal?.close()
  terminal = null
})
const TIMEOUT_MS = 20_000

function open(args: string[], columns?: number, rows?: number): Terminal {
  terminal = openTerminal(args, columns, rows)
  return terminal
}

test('it paints the jobs in the alternate screen and gives the terminal back on q', {
  timeout: TIMEOUT_MS,
}, async () => {
  const t = open(['viewer'])
  await t.until(text => /› ?job-001 .*rendering/.test(text) && t.row(29).includes('q leave'))
  expect(t.isAlternate()).toBe(true)
  expect(t.isPasteBracketed()).toBe(true)
  t.press('q')
  expect(await t.ended()).toEqual({ code: 0, told: [{ left: 'viewer' }] })
  t.expectRestored()
})

test('arrow keys count once each, split over packets or joined in one', { timeout: TIMEOUT_MS }, async () => {
  const t = open([])
  await t.until(/›job-001/)
  t.press('\x1b[B\x1b[B')
  await t.until(/›job-005/)
  t.press('\x1b')
  t.press('[')
  t.press('A')
  await t.until(/›job-002/)
  t.press('\x1bOB')
  await t.until(/›job-005/)
})

test('Esc alone goes back after a short wait, and Esc with q in one packet is both', {
  timeout: TIMEOUT_MS,
}, async () => {
  const t = open(['viewer'])
  await t.until(/›job-001/)
  t.press('\r')
  await t.until(/┌─ job-001/)
  t.press('\x1b')
  await t.until(/›job-001/)
  t.press('l')
  await t.until(/log of job-001/)
  t.press('\x1bq')
  expect((await t.ended()).told).toEqual([{ left: 'viewer' }])
})

test('pasted text and answers of the terminal are no keys', { timeout: TIMEOUT_MS }, async () => {
  const t = open([])
  await t.until(/›job-001/)
  t.press('\x1b[200~kill -9 q\rq\x1b[201~\x1b]11;rgb:1c1c/1c1c/1c1c\x07\x1b[?62;4c\x1b[<35;10;5M\x1bP>|xterm\x1b\\')
  t.press('\x1b[B')
  expect(await t.until(/›job-002/)).not.toMatch(/terminate|leave ─|quit/)
  t.press('/\x1b[200~job-007\x1b[201~')
  await t.until(/›job-007/)
})

test('a kill is asked for, names what it costs, and needs a deliberate answer', { timeout: TIMEOUT_MS }, async () => {
  const t = open([])
  await t.until(/›job-001/)
  t.press('k\x1b[B\r')
  const asked = await t.until(/terminate pod-0001, job-001 at 67 %, \$0\.\d+ spent\?/)
  expect(asked).toMatch(/› back/)
  await t.aWhile()
  t.press('\x1b[B')
  await t.until(/› terminate pod-0001/)
  t.press('\r')
  await t.until(text => !text.includes('› terminate'))
  t.press('\x03')
  await t.until(/go on in the background/)
  await t.aWhile()
  t.press('\r')
  expect((await t.ended()).told).toEqual([{ type: 'kill-pod', podId: 'pod-0001' }, { left: 'background' }])
  t.expectRestored()
})

test('a third ctrl-c terminates, the second alone drains', { timeout: TIMEOUT_MS }, async () => {
  const t = open([])
  await t.until(/›job-001/)
  t.press('\x03')
  await t.until(/go on in the background/)
  await t.aWhile()
  t.press('\x03')
  await t.until(/draining in \d s/)
  t.press('\x03')
  expect((await t.ended()).told).toEqual([{ left: 'terminate' }])
  t.close()

  const second = open([])
  await second.until(/›job-001/)
  second.press('\x03')
  await second.until(/go on in the background/)
  await second.aWhile()
  second.press('\x03')
  expect((await second.ended()).told).toEqual([{ left: 'drain' }])
})

test('read only leaves the dangerous keys out', { timeout: TIMEOUT_MS }, async () => {
  const t = open(['readonly'])
  expect(await t.until(/›job-001/)).not.toMatch(/k kill/)
  t.press('k')
  await t.until(/read only/)
  t.press('q')
  expect((await t.ended()).told).toEqual([{ left: 'viewer' }])
})

test('a new size is painted at once, too small is said, and it comes back by itself', {
  timeout: TIMEOUT_MS,
}, async () => {
  const t = open([], 120, 40)
  await t.until(/›job-001[\s\S]*┌─ job-001/)
  t.resize(80, 24)
  await t.until(
    text => /›job-001/.test(text) && !text.includes('┌─ job-001') && text.split('\n')[23]!.includes('q leave'),
  )
  t.resize(40, 10)
  await t.until(/needs 60 × 15/)
  t.resize(200, 60)
  await t.until(/›job-001[\s\S]*┌─ job-001[\s\S]*q leave/)
})

test('names and log lines from outside are text, whatever they contain', { timeout: TIMEOUT_MS }, async () => {
  const t = open(['hostile'], 120, 40)
  const text = await t.until(/›gone\{red-bg\}txt字字/)
  expect(text).toContain('rendering')
  const table = t.taken()
  t.press('l')
  const log = await t.until(/not hidden[\s\S]* a bc/)
  expect(log).toMatch(/coloured too \{blue-fg\}tag\{\/\}[\s\S]*gnp\.exe 字字 not hidden/)
  const raw = t.taken()
  // Its colour is there, and nothing else that it asked for: no blinking, no hiding, no clearing, no reply of the terminal.
  expect(raw).toContain('38;5;201')
  expect(table + raw).not.toMatch(/pwn|\x1b\]52|\x1b\[2K|\u009b|\u202e/)
  expect(raw).not.toMatch(/\x1bP|\u2066|\x1b\[2[JK]|\x1b\[[\d;]*\b[58]m|\x1b\[\?1049l/)
  expect(t.isAlternate()).toBe(true)
})

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  test(`${signal} restores the terminal`, { timeout: TIMEOUT_MS }, async () => {
    const t = open([])
    await t.until(/›job-001/)
    t.signal(signal)
    expect((await t.ended()).code).toBe(code)
    t.expectRestored()
  })

for (const signal of ['SIGQUIT', 'SIGUSR2', 'SIGKILL'])
  test(`${signal}, which nobody hears, leaves a usable terminal`, { timeout: TIMEOUT_MS }, async () => {
    const t = open(['kept'])
    await t.until(/›job-001/)
    t.signal(signal)
    await t.ended()
    await t.until(() => !t.isAlternate())
    t.expectRestored()
  })

test('ctrl-z without job control comes back by itself', { timeout: TIMEOUT_MS }, async () => {
  const t = open([])
  await t.until(/›job-001/)
  t.press('\x1a')
  await t.until(/is suspended/)
  await t.until(/›job-001/)
  expect(t.isAlternate()).toBe(true)
  t.press('\x1b[B')
  await t.until(/›job-002/)
})

test('ctrl-l paints everything anew after something else wrote over it', { timeout: TIMEOUT_MS }, async () => {
  const t = open(['still'])
  await t.until(/›job-001/)
  t.taken()
  t.press('\x0c')
  await t.until(() => /job-008/.test(t.text()))
  t.press('\x1b[B')
  await t.until(/›job-002/)
  expect(t.taken()).toContain('job-008')
})

test('it works without Unicode and without colours', { timeout: TIMEOUT_MS }, async () => {
  const t = open(['busy', '0', 'ascii'])
  await t.until(/>job-001 .*\* rendering/)
  expect(t.taken()).toMatch(/^[\x00-\x7e]*$/)
})
