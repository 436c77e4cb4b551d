// Inputs: this machine → bucket, once per content → pod, by a signed URL and its curl. Without either: over SSH.
//
//   looked at ──right content──▶ there
//     └──▶ in the bucket (one upload at a time for each digest) ──curl──▶ verified ──▶ there
//                                              └── pod cannot reach the bucket ──SSH──▶ there
import { stat } from 'node:fs/promises'
import { posix } from 'node:path'
import { Fault } from '../domain/fault.ts'
import type { InputFile } from '../domain/job.ts'
import type { BucketHead, Courier, Machine } from '../ports.ts'
import type { Setting } from './transfer.ts'
import { changedFault, stopIfAborted, unreadableFault } from './transfer-fault.ts'
import { inLanes } from './transfer-lanes.ts'
import { fetchUrl, isUnreachable, probe } from './transfer-pod.ts'
import { meter } from './transfer-progress.ts'
import { bucketKey } from './transfer-target.ts'
import { withTemp } from './transfer-temp.ts'
import { podPathRefusal, shownName } from './untrusted.ts'

type Wanted = {
  source: string
  /** Where it lies, or will lie, in the bucket. */
  key: string
  isLocal: boolean
  target: string
  bytes: number
  sha256: string | null
  /** ETag of an `r2://` source: its MD5 if it was put in one piece. */
  etag: string | null
}

const TRIES = 3

export async function deliver(
  setting: Setting,
  inputs: InputFile[],
  machine: Machine,
  folder: string,
  on: Parameters<Courier['deliver']>[3],
  signal: AbortSignal,
): Promise<void> {
  const byTarget = new Map(inputs.map(input => [input.podPath, input]))
  const wanted = await inLanes([...byTarget.values()], setting.transfersMax, input => want(setting, input, folder))
  if (wanted.length === 0) return
  const { curl, files } = await probe(
    machine,
    wanted.map(file => file.target),
    signal,
  )
  const progress = meter(
    'inputs',
    wanted.map(file => file.bytes),
    on,
  )
  let reachable = curl
  await inLanes(wanted, setting.transfersMax, async (file, index) => {
    const there = files[index]
    const isThere =
      there && (file.sha256 ? there.sha256 === file.sha256 : there.md5 === file.etag && there.bytes === file.bytes)
    if (!isThere) {
      const onBytes = (bytes: number) => progress.set(index, bytes)
      const byUrl = reachable && (await overBucket(setting, file, machine, onBytes, signal))
      if (!byUrl) {
        reachable = false
        await overSsh(setting, file, machine, onBytes, signal)
      }
    }
    progress.set(index, file.bytes)
  })
}

async function want(setting: Setting, input: InputFile, folder: string): Promise<Wanted> {
  const refusal = podPathRefusal(`/${input.podPath}`)
  if (refusal)
    throw new Fault({
      kind: 'job',
      code: 'unsafe_name',
      message: `input ${shownName(input.name)}: its path on the pod ${refusal}`,
    })
  const target = posix.join(folder, input.podPath)
  if (!input.source.startsWith('r2://')) {
    const size =
      input.bytes ??
      (await stat(input.source).catch(cause => Promise.reject(unreadableFault(input.source, cause)))).size
    if (!input.sha256) throw new Error(`bug: input ${input.name} is a local file without a digest`)
    const { source, sha256 } = input
    return { source, key: `in/${sha256}`, isLocal: true, target, bytes: size, sha256, etag: null }
  }
  const key = bucketKey(setting, input.source)
  const head = await setting.bucket.head(key)
  if (!head)
    throw new Fault({
      kind: 'job',
      code: 'input_missing',
      message: `input ${shownName(input.name)}: ${input.source} does not exist`,
      hint: 'Upload it, or correct the key in the job file.',
    })
  const sha256 = input.sha256 ?? head.sha256
  return { source: input.source, key, isLocal: false, target, bytes: head.bytes, sha256, etag: head.etag }
}

/** `false`: this pod cannot fetch from this bucket. */
async function overBucket(
  setting: Setting,
  file: Wanted,
  machine: Machine,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const { bucket, clock } = setting
  for (let attempt = 1; ; attempt++) {
    stopIfAborted(signal)
    const url = await bucket.presign(file.key, 'GET', setting.signedMs)
    if (url === null) return false
    // Half of the way is to the bucket, half of it from there.
    const start = file.isLocal ? file.bytes / 2 : 0
    if (file.isLocal) await ensure(setting, file, bytes => onBytes(bytes / 2), signal)
    try {
      const share = file.isLocal ? 0.5 : 1
      await fetchUrl(machine, url, file.target, file, bytes => onBytes(start + bytes * share), signal)
      return true
    } catch (error) {
      if (isUnreachable(error)) return false
      const passing = error instanceof Fault && error.data.kind === 'transient' && error.data.code !== 'aborted'
      if (!passing || attempt === TRIES) throw error
      // Whatever is wrong may be the object: the next round puts it there again.
      if (file.isLocal && error.data.code === 'transfer_corrupt') await bucket.delete(file.key)
      await clock.sleep(500 * attempt, signal)
    }
  }
}

/** Puts the content into the bucket unless it is there; many jobs that use the same file at once upload it once. */
function ensure({ bucket, lock }: Setting, file: Wanted, onBytes: (bytes: number) => void, signal: AbortSignal) {
  return lock(file.key, async () => {
    stopIfAborted(signal)
    const head: BucketHead | null = await bucket.head(file.key)
    if (head?.bytes === file.bytes && (head.sha256 ?? file.sha256) === file.sha256) return
    await bucket.put(file.key, file.source, { sha256: file.sha256 as string, signal, onBytes })
  })
}

async function overSsh(
  setting: Setting,
  file: Wanted,
  machine: Machine,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  if (file.isLocal) return checked(file, await machine.put(file.source, file.target, { signal, onBytes }))
  await withTemp(setting, async here => {
    await setting.bucket.get(file.key, here, { signal, onBytes: bytes => onBytes(bytes / 2) })
    const sent = await machine.put(here, file.target, { signal, onBytes: bytes => onBytes((file.bytes + bytes) / 2) })
    checked(file, sent)
  })
}

function checked(file: Wanted, sent: { sha256: string }): void {
  if (file.sha256 !== null && sent.sha256 !== file.sha256) throw changedFault(file.source)
}
