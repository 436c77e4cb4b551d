// What may happen to a terminal or to the screen while there is work to do: the work goes on, and the terminal is given back.
import { afterEach, expect, test } from 'vitest'
import { openTerminal, type Terminal } from './terminal.ts'

const TIMEOUT_MS = 30_000
let terminal: Terminal | null = null
afterEach(() => {
  terminal?.close()
  terminal = null
})

function open(args: string[], columns?: number, rows?: number, nodeOptions?: string): Terminal {
  terminal = openTerminal(args, columns, rows, nodeOptions)
  return terminal
}

test('a terminal that takes nothing stops nobody, and shows what is new when it takes again', {
  timeout: TIMEOUT_MS,
}, async () => {
  const t = open(['beating'], 200, 60)
  await t.until(/›job-001/)
  // Ctrl-s is a key like others here: the terminal does not stop by itself.
  t.press('\x13\x1b[B')
  await t.until(/›job-002/)
  t.stop()
  // Each key makes a whole frame anew: together more than a pty holds (64 KiB).
  for (let n = 1; n <= 20; n++) {
    t.press('\x0c')
    await t.toldLines(n)
  }
  const { length } = t.told()
  await t.toldLines(length + 5)
  t.go()
  t.press('\x1b[A')
  await t.until(/›job-001/)
  t.press('q')
  await t.until(/go on in the background/)
})

test('a storm of sizes leaves the last one, and stops nobody', { timeout: TIMEOUT_MS }, async () => {
  const t = open(['beating'], 120, 40)
  await t.until(/›job-001/)
  for (let n = 0; n < 200; n++) t.resize(20 + ((n * 37) % 180), 5 + ((n * 13) % 55))
  t.resize(100, 30)
  await t.until(text => /›job-001/.test(text) && text.split('\n')[29]!.includes('q leave'))
  await t.toldLines(3)
})

test('a terminal that is taken away means: go on in the background', { timeout: TIMEOUT_MS }, async () => {
  const t = open(['deaf'])
  await t.until(/›job-001/)
  t.hangUp()
  await t.toldLines(1)
  expect((await t.ended()).told).toEqual([{ left: 'background' }])
})

test('a panel that falls over says so, harmlessly; the next key opens the jobs, q leaves', {
  timeout: TIMEOUT_MS,
}, async () => {
  const t = open(['broken'], 80, 24)
  await t.until(/›job-001/)
  t.press('l')
  await t.until(/fell over; the engine goes on[\s\S]*Error: no log today[\s\S]*any key opens the jobs/)
  t.press('1')
  await t.until(/›job-001/)
  t.press('l')
  await t.until(/fell over/)
  t.press('q')
  const { code, told } = await t.ended()
  expect(code).toBe(0)
  expect(told.at(-1)).toEqual({ left: 'background' })
  t.expectRestored()
})

test('an error that nobody catches leaves the terminal as it was found', { timeout: TIMEOUT_MS }, async () => {
  const t = open(['throwing'])
  await t.until(/›job-001/)
  t.press('o')
  expect((await t.ended()).code).toBe(1)
  t.expectRestored()
})

test('a process out of memory leaves a usable terminal', { timeout: TIMEOUT_MS }, async () => {
  const t = open(['hungry'], 100, 30, '--max-old-space-size=40')
  await t.until(/›job-001/)
  t.press('o')
  const { told } = await t.ended()
  expect(told.join('\n')).toContain('heap out of memory')
  await t.until(() => !t.isAlternate())
  t.expectRestored()
})
