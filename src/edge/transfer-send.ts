// One pod file → one object by signed URLs: a single PUT, or equal parts for what is large.
import { Fault } from '../domain/fault.ts'
import type { Machine } from '../ports.ts'
import type { Setting } from './transfer.ts'
import { inLanes } from './transfer-lanes.ts'
import { type PodFacts, type Sent, sendFile } from './transfer-pod.ts'

const MEBI = 1024 * 1024
/** R2 and S3 take no more of either, R2 "Limits", 2026-08 (4.995 GiB for one PUT). */
const PARTS_MAX = 10_000
const SINGLE_BYTES_MAX = 4_900_000_000
/** Parts of one file at once: each is copied into the pod's /tmp first. */
const PARTS_AT_ONCE = 3
/** Slower than this, a large upload outlives its signatures. */
const BYTES_PER_MS_MIN = 1000

/** One file of a pod on its way to its key. */
export type Sending = {
  machine: Machine
  podPath: string
  key: string
  fact: PodFacts
  onBytes: (bytes: number) => void
  signal: AbortSignal
}

/** true: proven equal by MD5 · false: there, but unproven · null: this bucket signs nothing. */
export async function sendToBucket(setting: Setting, sending: Sending): Promise<boolean | null> {
  const { machine, podPath, key, fact, signal } = sending
  const ttlMs = setting.signedMs + fact.bytes / BYTES_PER_MS_MIN
  const proven = fact.bytes > setting.partBytes ? await inParts(setting, sending, ttlMs) : null
  if (proven !== null) return proven && (await hasSize(setting, key, fact))
  if (fact.bytes > SINGLE_BYTES_MAX) return null
  const url = await setting.bucket.presign(key, 'PUT', ttlMs)
  if (url === null) return null
  const sent = await sendFile(machine, podPath, url, null, signal)
  return isProven(sent) && sent.md5 === fact.md5 && (await hasSize(setting, key, fact))
}

async function inParts(
  setting: Setting,
  { machine, podPath, key, fact, onBytes, signal }: Sending,
  ttlMs: number,
): Promise<boolean | null> {
  // Whole MiB, for dd; equal, for R2.
  const count = Math.max(Math.ceil(setting.partBytes / MEBI), Math.ceil(fact.bytes / PARTS_MAX / MEBI))
  const parts = Math.ceil(fact.bytes / (count * MEBI))
  const signed = await setting.bucket.presignParts(key, parts, ttlMs)
  if (!signed) return null
  let done = 0
  const sent = await inLanes(signed.urls, PARTS_AT_ONCE, async (url, index) => {
    const part = await again(() => sendFile(machine, podPath, url, { skip: index * count, count }, signal))
    done += Math.min(count * MEBI, fact.bytes - index * count * MEBI)
    onBytes(done)
    return part
  })
  const etags = sent.map(part => part.etag ?? '')
  if (etags.includes(''))
    throw new Fault({ kind: 'transient', code: 'transfer_failed', message: `a part of ${key} was not confirmed` })
  await setting.bucket.completeParts(
    key,
    signed.uploadId,
    etags.map(etag => `"${etag}"`),
  )
  return sent.every(isProven)
}

/** A part that broke is sent once more; a whole file is the caller's to send again. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Fault && error.data.code === 'transfer_failed') return work()
    throw error
  }
}

const isProven = (sent: Sent) => sent.md5 !== null && sent.etag?.toLowerCase() === sent.md5

async function hasSize({ bucket }: Setting, key: string, fact: PodFacts): Promise<boolean> {
  return (await bucket.head(key))?.bytes === fact.bytes
}
