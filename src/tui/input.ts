// Bytes from the terminal → whole keys and pastes. Never a part of an escape sequence, never a reply of the terminal as letters.
import { StringDecoder } from 'node:string_decoder'
import type { Input } from './update.ts'

/** A lone Esc and the start of a sequence look alike until this much silence (contracts: 100 ms would be felt). */
export const ESCAPE_WAIT_MS = 30

export type InputReader = {
  /** Takes what arrived; answers the whole inputs in it. */
  feed(data: Uint8Array | string): Input[]
  /** Nothing came for `ESCAPE_WAIT_MS`: answers what that silence decides. */
  silence(): Input[]
  /** Something is unfinished: `silence` has to be called when no more comes. */
  readonly pending: boolean
}

// A paste or reply whose end never comes must not swallow the keys for ever: about a second of silence ends it.
const SILENCES_MAX = 33
const PASTE_MAX = 65_536
const PASTE_START = '\x1b[200~'
const PASTE_END = '\x1b[201~'

const FINALS: Record<string, string> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  F: 'end',
  H: 'home',
  Z: 'shift-tab',
  P: 'f1',
  Q: 'f2',
  R: 'f3',
  S: 'f4',
}
const TILDES: Record<string, string> = {
  1: 'home',
  2: 'insert',
  3: 'delete',
  4: 'end',
  5: 'pgup',
  6: 'pgdn',
  7: 'home',
  8: 'end',
}
const CONTROLS: Record<string, string> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x7f': 'backspace',
  '\b': 'backspace',
  ' ': 'space',
}

type Cut = { length: number; input: Input | null } | 'unfinished'

export function newInputReader(): InputReader {
  const decoder = new StringDecoder('utf8')
  let buffer = ''
  let silences = 0

  function drain(): Input[] {
    const inputs: Input[] = []
    while (buffer !== '') {
      const token = next(buffer)
      if (token === 'unfinished') break
      buffer = buffer.slice(token.length)
      if (token.input) inputs.push(token.input)
    }
    return inputs
  }

  return {
    feed(data) {
      buffer += typeof data === 'string' ? data : decoder.write(Buffer.from(data))
      silences = 0
      return drain()
    },
    silence() {
      if (buffer === '') return []
      silences++
      if (buffer === '\x1b') {
        buffer = ''
        return [key('esc')]
      }
      const isLong = buffer.startsWith(PASTE_START) || /^\x1b[\]PX^_]./.test(buffer)
      if (isLong && silences < SILENCES_MAX) return []
      const text = buffer.startsWith(PASTE_START) ? buffer.slice(PASTE_START.length) : null
      buffer = ''
      return text ? [{ type: 'paste', text: text.slice(0, PASTE_MAX) }] : []
    },
    get pending() {
      return buffer !== ''
    },
  }
}

function key(name: string): Input {
  return { type: 'key', name }
}

function next(buffer: string): Cut {
  const first = buffer[0] ?? ''
  if (first === '\x1b') return afterEscape(buffer)
  const control = CONTROLS[first]
  if (control) return { length: 1, input: key(control) }
  if (first < ' ') return { length: 1, input: key(first === '\0' ? 'ctrl-space' : `ctrl-${letterOf(first)}`) }
  const codePoint = buffer.codePointAt(0) ?? 0
  const char = String.fromCodePoint(codePoint)
  // C1 controls are no keys; 8-bit CSI is not sent by any terminal that speaks UTF-8.
  return { length: char.length, input: codePoint >= 0x80 && codePoint < 0xa0 ? null : key(char) }
}

function letterOf(control: string): string {
  return String.fromCharCode(control.charCodeAt(0) + 0x60)
}

function afterEscape(buffer: string): Cut {
  const second = buffer[1]
  if (second === undefined) return 'unfinished'
  if (second === '[') return sequence(buffer)
  if (second === 'O') {
    const third = buffer[2]
    if (third === undefined) return 'unfinished'
    return { length: 3, input: FINALS[third] ? key(FINALS[third]) : third === 'M' ? key('enter') : null }
  }
  if (']PX^_'.includes(second)) return reply(buffer)
  // Esc and a key in one packet, or Alt with it: nothing here is bound to Alt, so both are Esc, then the key.
  return { length: 1, input: key('esc') }
}

/** OSC, DCS, SOS, PM, APC: answers of the terminal, up to BEL or ST; never keys. */
function reply(buffer: string): Cut {
  const end = /\x07|\x1b\\|\x9c|[\x18\x1a]/.exec(buffer.slice(2))
  if (end) return { length: 2 + end.index + end[0].length, input: null }
  return buffer.length > 4096 ? { length: buffer.length, input: null } : 'unfinished'
}

function sequence(buffer: string): Cut {
  if (buffer.startsWith(PASTE_START)) return paste(buffer)
  if (buffer.startsWith('\x1b[M')) return buffer.length < 6 ? 'unfinished' : { length: 6, input: null } // X10 mouse report
  if (buffer.startsWith('\x1b[[')) return buffer.length < 4 ? 'unfinished' : { length: 4, input: null } // Linux console F1–F5
  const match = /^\x1b\[([\x30-\x3f]*)[\x20-\x2f]*([\x40-\x7e])/.exec(buffer)
  if (match) return { length: match[0].length, input: named(match[1] ?? '', match[2] ?? '') }
  const isStillOne = /^\x1b\[[\x30-\x3f]*[\x20-\x2f]*$/.test(buffer) && buffer.length < 64
  if (isStillOne) return 'unfinished'
  // Broken off by something that cannot belong to it: drop the part, keep what follows.
  const broken = /^\x1b\[[\x30-\x3f]*[\x20-\x2f]*/.exec(buffer)?.[0] ?? '\x1b['
  return { length: broken.length, input: null }
}

function paste(buffer: string): Cut {
  const end = buffer.indexOf(PASTE_END)
  if (end === -1) return buffer.length > PASTE_MAX * 4 ? { length: buffer.length, input: null } : 'unfinished'
  const text = buffer.slice(PASTE_START.length, end).slice(0, PASTE_MAX)
  return { length: end + PASTE_END.length, input: { type: 'paste', text } }
}

function named(parameters: string, final: string): Input | null {
  const [first = '', second = '', third = ''] = parameters.split(';')
  if (parameters.startsWith('<')) return mouse(parameters.slice(1), final)
  if (/[<=>?]/.test(parameters)) return null
  if (final === 'u') return modified(Number(first), Number(second.split(':')[0] || 1)) // kitty's keyboard protocol
  if (final === '~') {
    if (first === '27') return modified(Number(third), Number(second)) // xterm's modifyOtherKeys
    const name = TILDES[first]
    return name ? key(name) : null
  }
  const name = FINALS[final]
  if (!name || (final >= 'P' && final <= 'S' && parameters !== '' && first !== '1')) return null
  return key(name)
}

/** SGR mouse reports (xterm 1006): `<button;column;rowM`, `m` for a release. Left button and wheel only; dragging and modifiers are not. */
function mouse(parameters: string, final: string): Input | null {
  const [button = Number.NaN, column = 0, row = 0] = parameters.split(';').map(Number)
  const what = ({ 0: 'press', 64: 'wheel-up', 65: 'wheel-down' } as const)[button as 0]
  const isPlace = Number.isInteger(column) && Number.isInteger(row) && column > 0 && row > 0
  return what && final === 'M' && isPlace ? { type: 'mouse', what, x: column - 1, y: row - 1 } : null
}

/** Modifier bits plus one, as xterm and kitty send them: 1 shift, 2 alt, 4 ctrl. */
function modified(codePoint: number, modifier: number): Input | null {
  if (!Number.isInteger(codePoint) || codePoint < 1 || codePoint > 0x10ffff) return null
  if (codePoint === 27) return key('esc')
  const char = String.fromCodePoint(codePoint)
  const bits = Math.max(0, modifier - 1)
  if (bits & 2) return null
  if (codePoint === 9 && bits & 1) return key('shift-tab')
  if (CONTROLS[char]) return key(CONTROLS[char])
  if (bits & 4) return key(`ctrl-${char.toLowerCase()}`)
  return codePoint < 0x20 || (codePoint >= 0xe000 && codePoint <= 0xf8ff) ? null : key(char)
}
