// Bucket → the targets of a job: written beside, synced, verified, and put in place without ever replacing a stranger's file.
import { link, lstat, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Fault } from '../domain/fault.ts'
import type { Artifact, JobSpec } from '../domain/job.ts'
import type { Courier, Published } from '../ports.ts'
import type { Setting } from './transfer.ts'
import { digestIfThere } from './transfer-digest.ts'
import { targetFault, unwritableFault } from './transfer-fault.ts'
import { inLanes } from './transfer-lanes.ts'
import { bucketKey, fillTarget } from './transfer-target.ts'
import { withTemp } from './transfer-temp.ts'

type Replace = Parameters<Courier['publish']>[2]
type Placing = { name: string; artifact: Artifact; to: string }

/** Faults: job `output_missing`, `output_exists`, `bucket_foreign`, `unsafe_name`, `target_unusable`; operator `disk_full`, `file_unwritable`. */
export async function publish(
  setting: Setting,
  spec: JobSpec,
  artifacts: Artifact[],
  replace: Replace,
): Promise<Published[]> {
  const placings = spec.outputs.flatMap(({ name, nodeId, target }): Placing[] => {
    const files = artifacts.filter(artifact => artifact.nodeId === nodeId)
    if (files.length === 0)
      throw new Fault({
        kind: 'job',
        code: 'output_missing',
        message: `output ${name}: node ${nodeId} wrote no file`,
        hint: 'Check which node of the workflow saves this output.',
      })
    return files.map(artifact => ({ name, artifact, to: fillTarget(target, artifact, files.length) }))
  })
  try {
    return await inLanes(placings, setting.transfersMax, placing =>
      placing.to.startsWith('r2://') ? toBucket(setting, placing, replace) : toPath(setting, placing, replace),
    )
  } catch (error) {
    // What is to be resumed stays. Of wrong content nothing is, and after any other fault nobody may come back.
    const isResumed =
      error instanceof Fault && error.data.kind === 'transient' && error.data.code !== 'transfer_corrupt'
    if (!isResumed) for (const placing of placings) if (!placing.to.startsWith('r2://')) await tidy(placing)
    throw error
  }
}

/** The digest in the name lets a broken download go on, whoever starts it again; the dot hides it from a glob. */
function besideOf({ artifact, to }: Placing): string {
  return join(dirname(to), `.autopod-${artifact.sha256.slice(0, 16)}-${basename(to).slice(0, 60)}`)
}

/** The part and its `.etag` are the download's own. */
async function tidy(placing: Placing): Promise<void> {
  const beside = besideOf(placing)
  for (const path of [beside, `${beside}.part`, `${beside}.part.etag`]) await rm(path, { force: true }).catch(() => {})
}

async function toPath(setting: Setting, placing: Placing, replace: Replace): Promise<Published> {
  return toFile(setting, placing, replace).catch((error: unknown) => {
    throw targetFault(placing.to, error instanceof Fault ? error : unwritableFault(placing.to, error))
  })
}

async function toFile(setting: Setting, placing: Placing, replace: Replace): Promise<Published> {
  const { name, artifact, to } = placing
  const { sha256, bytes, key } = artifact
  const published = { name, path: to, url: null, bytes, sha256 }
  if (await isSettled(to, sha256, replace)) {
    // A program that died after it was put in place left its traces.
    await tidy(placing)
    return published
  }
  const beside = besideOf(placing)
  const got = await setting.bucket.get(key, beside, { bytesMax: bytes })
  try {
    if (got.sha256 !== sha256 || got.bytes !== bytes)
      throw new Fault({ kind: 'transient', code: 'transfer_corrupt', message: `${key} arrived with other content` })
    await sync(beside)
    await place(beside, to, sha256, replace)
    await sync(dirname(to))
  } finally {
    await rm(beside, { force: true })
  }
  await tidy(placing)
  return published
}

/** true: this content is there already · false: free, or ours to replace. Fault job `output_exists` for anything else. */
async function isSettled(path: string, sha256: string, replace: Replace): Promise<boolean> {
  const info = await lstat(path).catch(() => null)
  if (!info) return false
  const there = info.isDirectory() ? null : await digestIfThere(path).catch(() => null)
  if (there?.sha256 === sha256) return true
  if (there && replace(path, there.sha256)) return false
  throw exists(path)
}

/** link(2) never replaces: a file that appeared since we looked stays. */
async function place(beside: string, to: string, sha256: string, replace: Replace): Promise<void> {
  try {
    await link(beside, to)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST') {
      // File systems without hard links (exFAT, some network shares): look again, as late as possible.
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code ?? '')) throw error
    }
    if (!(await isSettled(to, sha256, replace))) await rename(beside, to)
  }
}

async function toBucket(setting: Setting, { name, artifact, to }: Placing, replace: Replace): Promise<Published> {
  const { bucket } = setting
  const { sha256, bytes } = artifact
  const key = bucketKey(setting, to)
  const published = { name, path: null, url: to, bytes, sha256 }
  const digestOf = async () => {
    const head = await bucket.head(key)
    return head && (head.sha256 ?? (await withTemp(setting, old => bucket.get(key, old))).sha256)
  }
  const there = await digestOf()
  if (there === sha256) return published
  if (there && !replace(to, there)) throw exists(to)
  await withTemp(setting, async here => {
    const got = await bucket.get(artifact.key, here, { bytesMax: bytes })
    if (got.sha256 !== sha256)
      throw new Fault({
        kind: 'transient',
        code: 'transfer_corrupt',
        message: `${artifact.key} arrived with other content`,
      })
    const isNew = there === null
    const done = await bucket.put(key, here, { sha256, onlyNew: isNew })
    if (!done && (await digestOf()) !== sha256) throw exists(to)
  })
  return published
}

/** A folder can be synced, too, on every system but Windows. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync().catch(error => {
      if (error.code !== 'EPERM' && error.code !== 'EINVAL' && error.code !== 'EISDIR') throw error
    })
  } finally {
    await handle.close()
  }
}

const exists = (path: string) =>
  new Fault({
    kind: 'job',
    code: 'output_exists',
    message: `${path} exists with another content`,
    hint: 'Move it away.',
  })
