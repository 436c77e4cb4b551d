// The only file that knows blessed: takes a screen of cells, writes what differs from the last one, and never waits for the terminal.
//
// Why it looks like this (seen with blessed 0.1.81 on Node 26): blessed takes the terminal and gives it back, the cells are ours
// (decision 13); it gets an input that never speaks (its key parser splits sequences), an output of ours, because its own blocks on
// a stopped terminal, and none of its process listeners, because they decide exit codes.
import { EventEmitter } from 'node:events'
import { writeSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import blessed from 'blessed'
import { difference } from './diff.ts'
import type { Screen } from './screen.ts'

declare module 'blessed' {
  namespace Widgets {
    interface Screen {
      enter(): void
      leave(): void
    }
    interface BlessedProgram {
      cols: number
      rows: number
      tput: object
      flush(): void
    }
  }
}

export type Painter = {
  /** Columns and rows now; 0 × 0 when the terminal does not say. */
  size(): { width: number; height: number }
  /** Writes what differs from the last frame. False: the terminal has not taken the last one yet, nothing was done. */
  paint(screen: Screen): boolean
  /** Forgets what is on the terminal: the next frame is painted whole. */
  repaint(): void
  /** Puts a text on the user's clipboard where the terminal allows it (OSC 52). */
  copy(text: string): void
  /** Asks the terminal for wheel and clicks, or no longer; what it was is kept over a pause. */
  mouse(on: boolean): void
  /** Gives the terminal back, or takes it again. */
  pause(): void
  resume(): void
  /** Gives the terminal back for good; idempotent, synchronous, safe while the process exits. */
  close(): void
}

// Bracketed paste on; alternate scroll off, or the wheel would come as arrow keys.
const ENTER = '\x1b[?2004h\x1b[?1007l'
const CLEAR = '\x1b[m\x1b[H\x1b[2J'
// CAN ends a sequence that was cut off; then synchronized output, paste and attributes as they were.
const LEAVE = '\x18\x1b[?2026l\x1b[?2004l\x1b[?1007h\x1b[?1006l\x1b[?1000l\x1b[m\x1b[?25h'
// Presses and the wheel, in decimal coordinates; never motion, which floods a slow line (contracts/terminal B4).
const MOUSE_ON = '\x1b[?1000h\x1b[?1006h'
const MOUSE_OFF = '\x1b[?1006l\x1b[?1000l'
// OSC 52 is cut off by xterm and others beyond this (base64, contracts/terminal B9).
const CLIPBOARD_MAX = 74_994
// A terminal that takes nothing for this long is left as it is: leaving must not hang.
const RESTORE_TRIES = 20
const RESTORE_WAIT_MS = 5

type Tty = NodeJS.WriteStream & { fd?: number; _handle?: { setBlocking?(blocking: boolean): void } }

/** `tmux`: the terminal is one of its panes. */
export function openPainter(output: NodeJS.WriteStream, ascii: boolean, tmux: boolean): Painter {
  const tty: Tty = output
  let isOpen = true
  let isPaused = false
  let hasMouse = false
  // While set, what blessed writes is kept here instead of going out.
  let captured: string | null = null

  const sink = Object.assign(new EventEmitter(), {
    writable: true,
    isTTY: true,
    columns: output.columns || 80,
    rows: output.rows || 24,
    write(text: string): boolean {
      if (captured !== null) captured += text
      else if (text !== '') output.write(text)
      return true
    },
  })
  setBlocking(tty, false)
  const screen = withoutListeners(() =>
    blessed.screen({
      input: new PassThrough(),
      output: sink,
      // Bundled with blessed: others are read wrongly and end at 8 colours (contracts/terminal B1).
      terminal: 'xterm-256color',
      forceUnicode: !ascii,
      fullUnicode: false,
      smartCSR: false,
      autoPadding: false,
    } as unknown as blessed.Widgets.IScreenOptions),
  )
  // As NCURSES_NO_UTF8_ACS=1 would: lines as characters, not as a second character set.
  Object.assign(screen.program.tput, { brokenACS: true })
  screen.program.flush()
  output.write(ENTER)

  /** What is on the terminal; null: nobody knows. */
  let shown: Screen | null = null

  function resize(): void {
    sink.columns = output.columns || sink.columns
    sink.rows = output.rows || sink.rows
    screen.program.cols = sink.columns
    screen.program.rows = sink.rows
    shown = null
  }
  output.on('resize', resize)
  // A terminal that went away is no reason to fall over, also after the screen is closed.
  output.on('error', () => {})

  function restore(): void {
    captured = ''
    screen.leave()
    screen.program.flush()
    const text = captured + LEAVE
    captured = null
    // Frames still queued go out after this; the second copy, behind them, has the last word.
    if (output.writableLength > 0) output.write(text)
    writeNow(tty, text)
    setBlocking(tty, true)
  }

  return {
    size: () => ({ width: sink.columns, height: sink.rows }),
    paint(next) {
      if (!isOpen || isPaused || output.writableLength > 0) return false
      if (next.width !== sink.columns || next.height !== sink.rows) return false
      const text = shown ? difference(next, shown) : CLEAR + difference(next, null)
      // Synchronized output: the terminal shows the frame at once or not at all (harmless where it is unknown).
      if (text !== '') output.write(`\x1b[?2026h${text}\x1b[?2026l`)
      shown = next
      return true
    },
    repaint() {
      shown = null
    },
    copy(text) {
      const base64 = Buffer.from(text).toString('base64')
      if (!isOpen || isPaused || base64.length > CLIPBOARD_MAX) return
      const sequence = `\x1b]52;c;${base64}\x07`
      output.write(sequence)
      // tmux takes it with `set-clipboard on` only; wrapped, it goes through to the terminal with `allow-passthrough on` (tmux 3.3 manual).
      if (tmux) output.write(`\x1bPtmux;${sequence.replaceAll('\x1b', '\x1b\x1b')}\x1b\\`)
    },
    mouse(on) {
      if (on === hasMouse) return
      hasMouse = on
      if (isOpen && !isPaused) output.write(on ? MOUSE_ON : MOUSE_OFF)
    },
    pause() {
      if (!isOpen || isPaused) return
      isPaused = true
      restore()
    },
    resume() {
      if (!isOpen || !isPaused) return
      isPaused = false
      setBlocking(tty, false)
      screen.enter()
      screen.program.flush()
      output.write(hasMouse ? ENTER + MOUSE_ON : ENTER)
      resize()
    },
    close() {
      if (!isOpen) return
      isOpen = false
      output.off('resize', resize)
      if (!isPaused) restore()
      captured = ''
      screen.destroy()
    },
  }
}

function setBlocking(tty: Tty, blocking: boolean): void {
  // Node's own terminal streams block; there is no public way to change that (seen on Node 26.10).
  tty._handle?.setBlocking?.(blocking)
}

function writeNow(output: Tty, text: string): void {
  if (typeof output.fd !== 'number') {
    output.write(text)
    return
  }
  let rest = Buffer.from(text)
  for (let tries = 0; tries < RESTORE_TRIES && rest.length > 0; tries++) {
    try {
      rest = rest.subarray(writeSync(output.fd, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RESTORE_WAIT_MS)
    }
  }
}

/** blessed listens to signals, `exit` and uncaught exceptions of the whole process; those belong to the command that runs. */
function withoutListeners<T>(make: () => T): T {
  const names = ['uncaughtException', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'exit'] as const
  const before = names.map(name => process.listeners(name as 'exit'))
  const made = make()
  for (const [index, name] of names.entries())
    for (const listener of process.listeners(name as 'exit'))
      if (!before[index]?.includes(listener)) process.removeListener(name, listener)
  return made
}
