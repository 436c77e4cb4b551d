// Whether a full screen can be shown here, asked before the heavy packages for it are loaded.
import { terminalHints } from '../edge/config.ts'

/** A terminal at both ends that understands more than lines of text. */
export function canPaint(): boolean {
  return Boolean(process.stdout.isTTY && process.stdin.isTTY) && !['', 'dumb'].includes(terminalHints().term)
}
