// The terminal around a full screen: whether there is one, and that it is usable again however this process ends.
import { execFileSync, spawn } from 'node:child_process'
import { terminalHints } from '../edge/config.ts'

/** A terminal at both ends that understands more than lines of text; asked before the heavy packages are loaded. */
export function canPaint(): boolean {
  return Boolean(process.stdout.isTTY && process.stdin.isTTY) && !['', 'dumb'].includes(terminalHints().term)
}

/**
 * Whatever a dashboard may have switched on: a cut-off sequence, synchronised output, application keys, mouse, paste marks,
 * alternate screen, colours, a hidden cursor.
 */
const RESET =
  '\\030\\033[?2026l\\033[?1l\\033>\\033[?1000l\\033[?1002l\\033[?1003l\\033[?1006l\\033[?2004l\\033[?1007h\\033[?1049l\\033[m\\033[?25h'

/**
 * Waits for a word, or for the end of the one who should say it: a process that was killed, or ran out of memory, restores nothing.
 * By then this one is in the background of its terminal, and is not to be stopped for writing there.
 */
const KEEPER = `trap '' HUP INT QUIT TERM TSTP TTIN TTOU
read -r word || { stty "$1" <&3; printf '${RESET}\\r\\n' >&3; }`

/** From now on until the returned function is called, the death of this process leaves a usable terminal. */
export function keepTerminal(): () => void {
  if (process.platform === 'win32') return () => {}
  const settings = execFileSync('stty', ['-g'], { stdio: [0, 'pipe', 'ignore'], encoding: 'utf8' }).trim()
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'sh', settings], { stdio: ['pipe', 'ignore', 'ignore', 0] })
  keeper.on('error', () => {})
  keeper.stdin?.on('error', () => {})
  keeper.unref()
  return () => keeper.stdin?.end('left\n')
}
