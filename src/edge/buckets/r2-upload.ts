// One local file → one object: a single PUT, or equal parts in parallel; published only if the content is what was announced.
//
//   begun ──parts──▶ digest compared ──▶ completed
//     └──── any failure, or another digest ────▶ aborted (parts that stay behind cost storage)
import { close, createReadStream, read as fsRead, open } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Fault } from '../../domain/fault.ts'
import type { TransferOptions } from '../../ports.ts'
import { fileDigest } from '../transfer-digest.ts'
import { changedFault, unreadableFault } from '../transfer-fault.ts'
import { inLanes } from '../transfer-lanes.ts'
import type { Again, S3Calls } from './r2-api.ts'
import { codeOf, isUnclear, statusOf } from './r2-fault.ts'

/** Above this a broken PUT costs more than the three requests that parts need. */
const SINGLE_MAX = 64 * 1024 * 1024
/** 16 MiB × 8 measured fastest against a local S3 (1 GiB in 2.6 s, 160 MB of memory; 2026-08). R2 wants 5 MiB at least. */
const PART_BYTES = 16 * 1024 * 1024
const PARTS_AT_ONCE = 8
/** R2 and S3 limit, R2 "Limits", 2026-08. */
const PARTS_MAX = 10_000
const READ_BYTES = 1024 * 1024

type Options = { sha256: string; onlyNew?: boolean } & TransferOptions

/** `false`: the key was taken. Faults: job `file_changed`, `file_unreadable`; else those of the bucket. */
export async function upload(s3: S3Calls, again: Again, key: string, path: string, options: Options): Promise<boolean> {
  const { size } = await stat(path).catch(error => {
    throw unreadableFault(path, error)
  })
  return size <= SINGLE_MAX
    ? single(s3, again, key, path, size, options)
    : multipart(s3, again, key, path, size, options)
}

async function single(s3: S3Calls, again: Again, key: string, path: string, bytes: number, options: Options) {
  const local = await digestOf(path, options.signal)
  if (local.sha256 !== options.sha256 || local.bytes !== bytes) throw changedFault(path)
  return publish(s3, again, key, options.sha256, options.onlyNew ?? false, options.signal, () => {
    const body = section(path, 0, bytes, sent => options.onBytes?.(sent))
    return s3.put(key, body, bytes, options.sha256, { onlyNew: options.onlyNew ?? false }, options.signal)
  })
}

async function multipart(s3: S3Calls, again: Again, key: string, path: string, bytes: number, options: Options) {
  const mebi = 1024 * 1024
  const partBytes = Math.max(PART_BYTES, Math.ceil(bytes / PARTS_MAX / mebi) * mebi)
  const parts = Array.from({ length: Math.ceil(bytes / partBytes) }, (_, index) => index)
  // The parts are stopped, too, when the digest turns out wrong, and the other way round.
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  const upload = await again(`upload of ${key}`, () => s3.begin(key, options.sha256), options.signal)
  const sent = new Map<number, number>()
  let total = 0
  const note = (index: number, now: number) => {
    total += now - (sent.get(index) ?? 0)
    sent.set(index, now)
    options.onBytes?.(total)
  }
  try {
    const sending = inLanes(parts, PARTS_AT_ONCE, index => {
      const from = index * partBytes
      const length = Math.min(partBytes, bytes - from)
      const work = () =>
        s3.part(
          key,
          upload,
          index + 1,
          section(path, from, length, now => note(index, now)),
          length,
          signal,
        )
      return again(`part ${index + 1} of ${key}`, work, signal)
    })
    const checking = digestOf(path, signal).then(local => {
      if (local.sha256 !== options.sha256) throw changedFault(path)
    })
    const first = Promise.all([sending, checking])
    first.catch(() => stop.abort())
    const [etags] = await first.catch(async error => {
      await Promise.allSettled([sending, checking])
      throw error
    })
    const onlyNew = options.onlyNew ?? false
    return await publish(s3, again, key, options.sha256, onlyNew, options.signal, () =>
      s3.complete(key, upload, etags, { onlyNew }),
    ).then(async published => {
      if (!published) await s3.abort(key, upload).catch(() => {})
      return published
    })
  } catch (error) {
    // What is left is removed by the bucket after seven days (R2's default), so a failure here is not worth another fault.
    await s3.abort(key, upload).catch(() => {})
    throw error
  }
}

/**
 * The one step that makes an object appear. After an unclear answer (time-out, 5xx) the object is read again: if it has our
 * digest, it was done. So a retried `If-None-Match` that now meets our own object is not taken for somebody else's.
 */
export async function publish(
  s3: S3Calls,
  again: Again,
  key: string,
  sha256: string,
  onlyNew: boolean,
  signal: AbortSignal | undefined,
  send: () => Promise<void>,
): Promise<boolean> {
  let unclear = false
  return again(
    `upload of ${key}`,
    async () => {
      const isOurs = async () => (await s3.head(key))?.sha256 === sha256
      if (unclear && (await isOurs())) return true
      try {
        await send()
        return true
      } catch (error) {
        if (onlyNew && statusOf(error) === 412) return unclear && (await isOurs())
        // On S3: another one is writing this key right now. R2 does not list it for objects (2026). Whether they will succeed is
        // open, so ask again until the answer is 200 or 412.
        if (onlyNew && statusOf(error) === 409)
          throw new Fault({ kind: 'transient', code: 'bucket_busy', message: `${key} is being written by another` })
        // The parts are gone because a completion that we believed lost was done.
        if (unclear && codeOf(error) === 'NoSuchUpload' && (await isOurs())) return true
        unclear ||= isUnclear(error)
        throw error
      }
    },
    signal,
  )
}

/** It was there a moment ago; a file that cannot be read is a matter of the job all the same. */
async function digestOf(path: string, signal: AbortSignal | undefined) {
  try {
    return await fileDigest(path, signal)
  } catch (error) {
    throw error instanceof Fault ? error : unreadableFault(path, error)
  }
}

/** A part of a file as a stream that counts what was read of it, without another stream in between. */
function section(path: string, from: number, bytes: number, onRead: (bytes: number) => void) {
  let got = 0
  const read = (
    fd: number,
    into: Buffer,
    offset: number,
    length: number,
    at: number,
    done: (error: Error | null, count: number, into: Buffer) => void,
  ) =>
    fsRead(fd, into, offset, length, at, (error, count) => {
      if (!error && count > 0) {
        got += count
        onRead(got)
      }
      done(error, count, into)
    })
  // `end` is inclusive; an empty file must not be asked for byte -1.
  const range = bytes === 0 ? {} : { start: from, end: from + bytes - 1 }
  return createReadStream(path, { ...range, highWaterMark: READ_BYTES, fs: { open, close, read } })
}
