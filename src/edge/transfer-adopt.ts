// The outputs of an attempt whose pod is gone: those that its manifest names, or out of the tar that the pod left in the bucket.
//
//   manifest there? ──▶ its artifacts · else tar → here, each file compared with the digest that the pod took → `out/…` → manifest
//
// Everything that comes from the pod is compared with what the pod itself said of it: it can leave wrong files of its own job, as it
// always could, and nothing under another key than this attempt's.
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Fault } from '../domain/fault.ts'
import type { Artifact } from '../domain/job.ts'
import type { LeftFiles, Task } from '../ports.ts'
import type { Setting } from './transfer.ts'
import { planned } from './transfer-collect.ts'
import { stopIfAborted, unwritableFault } from './transfer-fault.ts'
import { publishManifest, readManifest } from './transfer-manifest.ts'
import { readTar, type TarEntry } from './transfer-tar.ts'
import { withTemp } from './transfer-temp.ts'
import { nameRefusal, tamed } from './untrusted.ts'

export async function adopt(
  setting: Setting,
  task: Task,
  left: LeftFiles | null,
  signal: AbortSignal,
): Promise<Artifact[] | null> {
  const earlier = await readManifest(setting, task)
  if (earlier || !left) return earlier
  const files = left.files.map(file => ({ ...file, file: tamed(file.file) }))
  if (files.some(({ file }) => nameRefusal(file) !== null)) return null
  return withTemp(setting, async here => {
    // Looked at first: whoever has the pod could have put anything there, of any size.
    if ((await setting.bucket.head(left.tar.key))?.bytes !== left.tar.bytes) throw corrupt(left.tar.key)
    const got = await setting.bucket.get(left.tar.key, here, { signal, bytesMax: left.tar.bytes })
    if (got.sha256 !== left.tar.sha256) throw corrupt(left.tar.key)
    const table = new Map((await readTar(here)).map(entry => [entry.path, entry]))
    const facts = files.map(({ bytes, sha256 }) => ({ bytes, sha256, md5: null }))
    const artifacts: Artifact[] = []
    for (const { artifact, podPath } of planned(task, files, facts)) {
      stopIfAborted(signal)
      const entry = table.get(podPath)
      if (entry?.bytes !== artifact.bytes) throw corrupt(left.tar.key)
      await withTemp(setting, async file => {
        if ((await unpack(here, entry, file)) !== artifact.sha256) throw corrupt(left.tar.key)
        await setting.bucket.put(artifact.key, file, { sha256: artifact.sha256, signal })
      })
      artifacts.push(artifact)
    }
    return await publishManifest(setting, task, artifacts)
  })
}

/** Its digest. Fault operator `disk_full` · `file_unwritable`. */
async function unpack(tar: string, { at, bytes }: TarEntry, to: string): Promise<string> {
  const hash = createHash('sha256')
  const from = bytes === 0 ? [] : createReadStream(tar, { start: at, end: at + bytes - 1 })
  const copied = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      hash.update(chunk)
      yield chunk
    }
  }
  await pipeline(from, copied, createWriteStream(to)).catch(cause => {
    throw unwritableFault(to, cause)
  })
  return hash.digest('hex')
}

const corrupt = (key: string) =>
  new Fault({ kind: 'pod', code: 'farewell_corrupt', message: `${key} is not what its farewell says of it` })
