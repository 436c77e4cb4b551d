// Reads the table of a tar as GNU tar, bsdtar and busybox write it (ustar, GNU long names, pax paths), without unpacking anything.
import { open } from 'node:fs/promises'

export type TarEntry = { path: string; at: number; bytes: number }

const BLOCK = 512
/** PATH_MAX of Linux is 4096; what claims to be a longer name is none. */
const NAME_BYTES_MAX = 64 * 1024

/** Plain files, paths without a leading `./`. A table that breaks off or makes no sense ends where it does: what is missing is not there. */
export async function readTar(file: string): Promise<TarEntry[]> {
  const entries: TarEntry[] = []
  const handle = await open(file, 'r')
  try {
    const read = async (at: number, bytes: number) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, at)
      return bytesRead === bytes ? buffer : null
    }
    let named: string | null = null
    for (let at = 0; ; ) {
      const head = await read(at, BLOCK)
      if (!head || head[0] === 0) return entries
      const bytes = Number.parseInt(textOf(head, 124, 136).trim(), 8)
      if (!Number.isSafeInteger(bytes) || bytes < 0) return entries
      const type = String.fromCharCode(head[156] ?? 0)
      const data = at + BLOCK
      if (type === 'L' || type === 'x') {
        const about = bytes <= NAME_BYTES_MAX ? await read(data, bytes) : null
        if (!about) return entries
        named = type === 'L' ? textOf(about, 0, bytes) : (paxPath(about) ?? named)
      } else if (type !== 'g') {
        const path = (named ?? nameOf(head)).replace(/^(\.\/)+/, '')
        if (type === '0' || type === '\0') entries.push({ path, at: data, bytes })
        named = null
      }
      at = data + Math.ceil(bytes / BLOCK) * BLOCK
    }
  } finally {
    await handle.close()
  }
}

function textOf(block: Buffer, from: number, to: number): string {
  const text = block.subarray(from, to)
  const end = text.indexOf(0)
  return text.toString('utf8', 0, end < 0 ? text.length : end)
}

/** GNU's own format has other things where ustar keeps the front of a long path. */
function nameOf(head: Buffer): string {
  const isUstar = head.toString('latin1', 257, 263) === 'ustar\0'
  const front = isUstar ? textOf(head, 345, 500) : ''
  return (front && `${front}/`) + textOf(head, 0, 100)
}

/** Records are `<length> <key>=<value>\n`, the length in bytes and of the whole record. */
function paxPath(records: Buffer): string | null {
  for (let at = 0; at < records.length; ) {
    const space = records.indexOf(' ', at)
    const length = Number.parseInt(records.toString('latin1', at, space), 10)
    if (space < 0 || !(length > 0)) return null
    const [key, ...value] = records.toString('utf8', space + 1, at + length - 1).split('=')
    if (key === 'path') return value.join('=')
    at += length
  }
  return null
}
