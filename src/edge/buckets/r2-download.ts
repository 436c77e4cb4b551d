// One object → one local file: into `<path>.part`, resumed while the object is still the same, renamed when it is whole.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Fault } from '../../domain/fault.ts'
import type { BucketHead, FetchOptions } from '../../ports.ts'
import { makeFolder } from '../folder.ts'
import { stopIfAborted, tooLargeFault, unwritableFault } from '../transfer-fault.ts'
import type { Again, S3Calls } from './r2-api.ts'
import { statusOf } from './r2-fault.ts'

/** Waiting for each other: pieces are written in this size. */
const WRITE_BYTES = 1024 * 1024

/**
 * `onBytes` counts what a former try left, too. The ETag that a part belongs to lies beside it (`.part.etag`): a part of another
 * version is thrown away. Faults: job `object_missing`; operator `disk_full`, `file_unwritable`; else those of the bucket.
 */
export async function download(s3: S3Calls, again: Again, key: string, path: string, options: FetchOptions) {
  const part = `${path}.part`
  await here(path, () => makeFolder(dirname(path)))
  const result = await again(`download of ${key}`, () => attempt(s3, key, part, options), options.signal)
  await here(path, () => rename(part, path))
  await rm(`${part}.etag`, { force: true })
  return result
}

async function attempt(s3: S3Calls, key: string, part: string, options: FetchOptions) {
  const head = await s3.head(key)
  if (!head) throw new Fault({ kind: 'job', code: 'object_missing', message: `${key} is not in the bucket` })
  const { bytesMax = head.bytes } = options
  if (head.bytes > bytesMax) throw tooLargeFault(key, bytesMax)
  const had = await usable(part, head)
  const file = await here(part, () => open(part, had > 0 ? 'r+' : 'w'))
  try {
    await here(part, () => writeFile(`${part}.etag`, head.etag))
    const hash = createHash('sha256')
    let bytes = 0
    if (had > 0)
      for await (const chunk of createReadStream(part, { end: had - 1, highWaterMark: WRITE_BYTES })) {
        hash.update(chunk as Buffer)
        bytes += (chunk as Buffer).length
      }
    options.onBytes?.(bytes)
    if (bytes < head.bytes) {
      const body = await s3.read(key, bytes, head.etag, options.signal).catch(async error => {
        // It was replaced between the two requests.
        if (statusOf(error) === 412) throw replaced(key)
        throw error
      })
      try {
        for await (const chunk of pieces(body as AsyncIterable<Buffer>)) {
          stopIfAborted(options.signal)
          hash.update(chunk)
          await here(part, () => writeAll(file, chunk, bytes))
          bytes += chunk.length
          options.onBytes?.(bytes)
        }
      } finally {
        // A body that nobody reads to its end holds its socket for ever.
        body.destroy()
      }
    }
    if (bytes !== head.bytes)
      throw new Fault({ kind: 'transient', code: 'bucket_unreachable', message: `the download of ${key} ended early` })
    const sha256 = hash.digest('hex')
    if (head.sha256 !== null && head.sha256 !== sha256) {
      await rm(`${part}.etag`, { force: true })
      throw new Fault({ kind: 'transient', code: 'transfer_corrupt', message: `${key} arrived with other content` })
    }
    return { sha256, bytes }
  } finally {
    await file.close()
  }
}

/** How much of the part belongs to the object as it is now. */
async function usable(part: string, head: BucketHead): Promise<number> {
  const etag = await readFile(`${part}.etag`, 'utf8').catch(() => null)
  const size = await stat(part).then(
    info => info.size,
    () => 0,
  )
  return etag === head.etag && size <= head.bytes ? size : 0
}

/** Small packets joined to pieces worth a write. */
async function* pieces(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of body) {
      waiting.push(chunk)
      bytes += chunk.length
      if (bytes < WRITE_BYTES) continue
      yield Buffer.concat(waiting, bytes)
      waiting = []
      bytes = 0
    }
  } catch (error) {
    // What did arrive is kept, so that the next try starts behind it.
    if (bytes > 0) yield Buffer.concat(waiting, bytes)
    throw error
  }
  if (bytes > 0) yield Buffer.concat(waiting, bytes)
}

async function writeAll(file: FileHandle, piece: Buffer, position: number): Promise<void> {
  for (let at = 0; at < piece.length; )
    at += (await file.write(piece, at, piece.length - at, position + at)).bytesWritten
}

async function here<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw unwritableFault(path, error)
  }
}

const replaced = (key: string) =>
  new Fault({ kind: 'transient', code: 'object_replaced', message: `${key} was replaced while it was read` })
