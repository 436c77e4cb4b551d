// Raw bytes from a terminal become whole keys, whatever packets they come in.
import { expect, test } from 'vitest'
import { newInputReader } from '../../src/tui/input.ts'
import type { Input } from '../../src/tui/update.ts'

const named = (inputs: Input[]) =>
  inputs.map(input =>
    input.type === 'key'
      ? input.name
      : input.type === 'paste'
        ? `paste:${input.text}`
        : `${input.what}:${input.x},${input.y}`,
  )

/** Everything in one packet. */
function read(...packets: string[]): string[] {
  const reader = newInputReader()
  const names = packets.flatMap(packet => named(reader.feed(Buffer.from(packet))))
  for (let silences = 0; reader.pending && silences < 100; silences++) names.push(...named(reader.silence()))
  return names
}

test('a sequence is one key however it is cut', () => {
  const text = '\x1b[A\x1bOBq\x1b[5~\x1b[1;5C\x1b[Z'
  const keys = ['up', 'down', 'q', 'pgup', 'right', 'shift-tab']
  expect(read(text)).toEqual(keys)
  expect(read(...text)).toEqual(keys)
  for (let at = 1; at < text.length; at++) expect(read(text.slice(0, at), text.slice(at))).toEqual(keys)
})

test('letters, controls and characters of several bytes keep their names', () => {
  const reader = newInputReader()
  const bytes = Buffer.from('é字')
  expect([...bytes].flatMap(byte => named(reader.feed(Uint8Array.of(byte))))).toEqual(['é', '字'])
  expect(read('\r\t\x7f\x03\x1a\x0e \n')).toEqual([
    'enter',
    'tab',
    'backspace',
    'ctrl-c',
    'ctrl-z',
    'ctrl-n',
    'space',
    'enter',
  ])
})

test('Esc is decided by silence or by what follows', () => {
  const reader = newInputReader()
  expect(reader.feed('\x1b')).toEqual([])
  expect(reader.pending).toBe(true)
  expect(named(reader.silence())).toEqual(['esc'])
  expect(reader.pending).toBe(false)
  expect(read('\x1bq')).toEqual(['esc', 'q'])
  expect(read('\x1b\x1b[A')).toEqual(['esc', 'up'])
})

test('a paste is one event, whatever it contains and however it is cut', () => {
  const text = '\x1b[200~kill -9\r\x1b[A\x03é\x1b[201~q'
  expect(read(text)).toEqual(['paste:kill -9\r\x1b[A\x03é', 'q'])
  for (let at = 1; at < text.length; at++)
    expect(read(text.slice(0, at), text.slice(at))).toEqual(['paste:kill -9\r\x1b[A\x03é', 'q'])
})

test('a paste without an end does not swallow the keys for ever', () => {
  const reader = newInputReader()
  reader.feed('\x1b[200~abc')
  for (let times = 0; times < 40; times++) reader.silence()
  expect(named(reader.feed('\x03'))).toEqual(['ctrl-c'])
})

test('answers of the terminal, mouse reports and unknown sequences are swallowed whole', () => {
  for (const noise of [
    '\x1b]11;rgb:1c1c/1c1c/1c1c\x07',
    '\x1b]11;rgb:1c1c/1c1c/1c1c\x1b\\',
    '\x1b[?62;1;4c',
    '\x1bP>|XTerm(390)\x1b\\',
    '\x1b[<64;10;M',
    '\x1b[<0;0;5M',
    '\x1b[<0;10;5m',
    '\x1b[<35;10;5M',
    '\x1b[<4;10;5M',
    '\x1b[<0;;5M',
    '\x1b[M !!',
    '\x1b[12;40R',
    '\x1b[I\x1b[O',
    '\x1b[?2026;2$y',
    '\x1b_Gi=1;OK\x1b\\',
    '\x1b[57441;1u',
  ]) {
    expect(read(`${noise}x`), JSON.stringify(noise)).toEqual(['x'])
    expect(read(...noise, 'x'), JSON.stringify(noise)).toEqual(['x'])
  }
})

test('a press of the left button and each notch of the wheel are one event, in one packet or cut', () => {
  const text = '\x1b[<0;10;5M\x1b[<64;10;5M\x1b[<65;1;1Mx'
  const events = ['press:9,4', 'wheel-up:9,4', 'wheel-down:0,0', 'x']
  expect(read(text)).toEqual(events)
  expect(read(...text)).toEqual(events)
})

test('keys of the kitty protocol and of modifyOtherKeys are the plain ones', () => {
  expect(read('\x1b[99;5u\x1b[27;5;99~\x1b[27u\x1b[13u\x1b[9;2u')).toEqual([
    'ctrl-c',
    'ctrl-c',
    'esc',
    'enter',
    'shift-tab',
  ])
})

test('a sequence that breaks off loses itself, not the key after it', () => {
  expect(read('\x1b[12\x03')).toEqual(['ctrl-c'])
  expect(read('\x1b[1;', 'A')).toEqual(['up'])
})
