// SHA-256 of local files.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stopIfAborted } from './transfer-fault.ts'

export type Digest = { sha256: string; bytes: number }

/** Larger reads make no difference; smaller ones cost time on the event loop (512 MiB: 0.47 s with 1 MiB, 0.9 s with 64 KiB). */
const READ_BYTES = 1024 * 1024

/** Reads the whole file. Rejects as fs does (ENOENT, EACCES), or with Fault transient `aborted`. */
export async function fileDigest(path: string, signal?: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>) {
    stopIfAborted(signal)
    hash.update(chunk)
    bytes += chunk.length
  }
  return { sha256: hash.digest('hex'), bytes }
}

/** null when the file does not exist. */
export async function digestIfThere(path: string): Promise<Digest | null> {
  try {
    return await fileDigest(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
