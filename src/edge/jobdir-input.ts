// A job's input files: found, hashed once a load, and named by what is in them.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { extname, isAbsolute, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { InputFile } from '../domain/job.ts'
import type { InputKind } from '../domain/template.ts'
import { whyUnreadable } from './jobdir-read.ts'

export type Hashes = Map<string, { sha256: string; bytes: number }>

type Wrong = { what: string; remedy: string }

const kinds: Record<InputKind, RegExp> = {
  image: /^\.(png|jpe?g|webp|gif|bmp|tiff?|avif)$/,
  video: /^\.(mp4|m4v|webm|mov|mkv|avi)$/,
  audio: /^\.(wav|mp3|flac|ogg|opus|m4a|aac)$/,
}

/** `r2://bucket/key`; bucket names as Cloudflare allows them (3 to 63 of a-z 0-9 -; docs 2026-08). */
export function r2Parts(address: string): { bucket: string; key: string } | null {
  const match = /^r2:\/\/([a-z0-9][a-z0-9-]{1,61}[a-z0-9])\/(.*)$/s.exec(address)
  return match ? { bucket: match[1] ?? '', key: match[2] ?? '' } : null
}

/** What is wrong with a path or address before anything is looked up; null when it may be tried. @param remedy for an address elsewhere */
export function addressFault(address: string, remedy: string): Wrong | null {
  if (address.includes('\0')) return { what: 'contains a NUL character', remedy: 'Correct the path.' }
  if (address.startsWith('r2:') && !r2Parts(address)) {
    return { what: `${address} is not r2://bucket/key`, remedy: 'Write r2://, the bucket, "/" and the key.' }
  }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(address) && !address.startsWith('r2://')) {
    return { what: `${address} is neither a local path nor r2://bucket/key`, remedy }
  }
  if (address === '~' || address.startsWith('~/')) {
    return { what: `${address} starts with "~", which only a shell expands`, remedy: 'Write the whole path.' }
  }
  return null
}

async function digest(path: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  await pipeline(createReadStream(path), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      bytes += chunk.length
      hash.update(chunk)
    }
  })
  return { sha256: hash.digest('hex'), bytes }
}

/** Path below ComfyUI's input folder. 32 hex digits: two files never share a name by chance, and names stay readable. */
function podPath(sha256: string, source: string): string {
  const extension = extname(source).toLowerCase()
  return `autopod/${sha256.slice(0, 32)}${/^\.[a-z0-9]{1,8}$/.test(extension) ? extension : ''}`
}

function kindFault(source: string, kind: InputKind | null): Wrong | null {
  const extension = extname(source).toLowerCase()
  const other = (Object.keys(kinds) as InputKind[]).find(known => kinds[known].test(extension))
  if (kind === null || other === undefined || other === kind) return null
  return { what: `${source} is ${other}, and the template wants ${kind} here`, remedy: `Name a file that is ${kind}.` }
}

/**
 * @param kind what the template declares; null: anything
 * @param folders absolute; a relative source is looked for in each, in order
 * @param hashes cache, by absolute path
 */
export async function inputFile(
  name: string,
  source: string,
  kind: InputKind | null,
  folders: string[],
  hashes: Hashes,
): Promise<InputFile | Wrong> {
  const wrong = addressFault(source, 'Download it first, or put it into the bucket.') ?? kindFault(source, kind)
  if (wrong) return wrong
  const r2 = r2Parts(source)
  if (r2) {
    if (r2.key === '' || r2.key.endsWith('/')) return { what: `${source} names no object`, remedy: 'Add the key.' }
    const sha256 = createHash('sha256').update(source).digest('hex')
    return { name, source, sha256: null, bytes: null, podPath: podPath(sha256, r2.key) }
  }
  const tried = isAbsolute(source) ? [source] : [...new Set(folders.map(folder => resolve(folder, source)))]
  const whys: string[] = []
  for (const path of tried) {
    try {
      const info = await stat(path)
      if (info.isDirectory()) return { what: `${path} is a folder, not a file`, remedy: 'Name one file.' }
      if (!info.isFile()) return { what: `${path} is not an ordinary file`, remedy: 'Name an ordinary file.' }
      if (info.size === 0)
        return { what: `${path} is empty (0 bytes)`, remedy: 'Make the file again, or name another.' }
      const { sha256, bytes } = hashes.get(path) ?? (await digest(path))
      hashes.set(path, { sha256, bytes })
      return { name, source: path, sha256, bytes, podPath: podPath(sha256, path) }
    } catch (error) {
      whys.push(whyUnreadable(error))
      if (whys.at(-1) !== 'does not exist') return { what: `${path} ${whys.at(-1)}`, remedy: 'Make the file readable.' }
    }
  }
  const remedy = 'Correct the path; relative paths start at the folder of the command, then at the job file.'
  return { what: `file ${source} does not exist; tried ${tried.join(' and ')}`, remedy }
}
