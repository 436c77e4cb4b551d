// A mark over the files that ComfyUI writes: it changes when one of them appears, grows or goes.
import { posix } from 'node:path'
import type { Machine } from '../../ports.ts'
import { quotePath } from '../ssh/quote.ts'
import type { ComfyFolders } from './comfy-folders.ts'

/** One listing of outputs, previews and models: a model on its way from the net is life, too. null where the pod cannot tell. */
export async function fileMark(
  { output, temp }: ComfyFolders,
  machine: Machine,
  signal: AbortSignal,
): Promise<string | null> {
  const folders = [output, temp, posix.join(posix.dirname(output), 'models')]
  const quoted = folders.map(quotePath).join(' ')
  const { code, stdout } = await machine.exec(`ls -lnR ${quoted} 2>/dev/null | cksum`, { timeoutMs: 20_000, signal })
  return code === 0 ? stdout.trim() : null
}
