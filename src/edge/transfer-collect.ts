// Outputs: pod → bucket, each verified; then the manifest, once. Names are the pod's and not to be trusted.
//
//   looked at ──▶ uploaded (signed PUT, signed parts, or over SSH) ──▶ compared with the pod's digest ──▶ stored
//   all stored ──▶ a refused name? the attempt fails, with the good files kept ──▶ else manifest
import { Fault } from '../domain/fault.ts'
import type { Artifact } from '../domain/job.ts'
import type { CollectOn, Machine, PodFile, Task } from '../ports.ts'
import type { Setting } from './transfer.ts'
import { stopIfAborted } from './transfer-fault.ts'
import { inLanes } from './transfer-lanes.ts'
import { attemptFolder, publishManifest, readManifest } from './transfer-manifest.ts'
import { isUnreachable, type PodFacts, probe } from './transfer-pod.ts'
import { meter } from './transfer-progress.ts'
import { type Sending, sendToBucket } from './transfer-send.ts'
import { withTemp } from './transfer-temp.ts'
import { nameRefusal, podPathRefusal, shownName, tamed } from './untrusted.ts'

const TRIES = 3

export async function collect(
  setting: Setting,
  task: Task,
  files: PodFile[],
  machine: Machine,
  on: CollectOn,
  signal: AbortSignal,
): Promise<Artifact[]> {
  const earlier = await readManifest(setting, task)
  if (earlier) {
    for (const artifact of earlier) on.stored(artifact)
    return earlier
  }
  const named = files.map(file => ({ ...file, file: tamed(file.file) }))
  const refusals = named.flatMap(file => {
    const why = nameRefusal(file.file) ?? podPathRefusal(file.podPath)
    return why ? [{ file, why }] : []
  })
  const good = named.filter(file => !refusals.some(refusal => refusal.file === file))
  const { curl, files: found } = await probe(
    machine,
    good.map(file => file.podPath),
    signal,
  )
  const facts = good.map((file, index) => found[index] ?? missing(file))
  const plan = planned(task, good, facts)
  const progress = meter(
    'outputs',
    facts.map(fact => fact.bytes),
    on.moved,
  )
  let reachable = curl
  const artifacts = await inLanes(plan, setting.transfersMax, async ({ artifact, podPath, fact }, index) => {
    const onBytes = (bytes: number) => progress.set(index, bytes)
    const sending: Sending = { machine, podPath, key: artifact.key, fact, onBytes, signal }
    const isThere = task.resumed && (await isStored(setting, artifact, fact))
    const byUrl = !isThere && reachable && (await overBucket(setting, sending))
    if (!isThere && !byUrl) {
      reachable = false
      await overSsh(setting, sending)
    }
    progress.set(index, artifact.bytes)
    on.stored(artifact)
    return artifact
  })
  const [first] = refusals
  if (first)
    throw new Fault({
      kind: 'job',
      code: 'unsafe_name',
      message:
        `the output file ${shownName(first.file.file)} at ${shownName(first.file.podPath)} ${first.why}` +
        (refusals.length > 1 ? `, and ${refusals.length - 1} more were refused` : ''),
      hint: 'Correct the file name in the workflow; the other files of this attempt are in the bucket.',
    })
  return publishManifest(setting, task, artifacts)
}

/** Keys and positions. Two files of one name (from different folders) get `-2`, `-3`; also where only upper case differs. */
export function planned(task: Task, files: PodFile[], facts: PodFacts[]) {
  const taken = new Set(['manifest.json'])
  const counts = new Map<string, number>()
  return files.map((file, at) => {
    const fact = facts[at] as PodFacts
    const index = counts.get(file.nodeId) ?? 0
    counts.set(file.nodeId, index + 1)
    const name = task.spec.outputs.find(output => output.nodeId === file.nodeId)?.name ?? null
    const key = `${attemptFolder(task)}/${unique(file.file, taken)}`
    const artifact: Artifact = {
      name,
      nodeId: file.nodeId,
      file: file.file,
      index,
      key,
      sha256: fact.sha256,
      bytes: fact.bytes,
    }
    return { artifact, podPath: file.podPath, fact }
  })
}

function unique(name: string, taken: Set<string>): string {
  const dot = name.lastIndexOf('.') > 0 ? name.lastIndexOf('.') : name.length
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name.slice(0, dot)}-${number}${name.slice(dot)}`
    const same = candidate.normalize('NFC').toLowerCase()
    if (taken.has(same)) continue
    taken.add(same)
    return candidate
  }
}

async function isStored({ bucket }: Setting, artifact: Artifact, fact: PodFacts): Promise<boolean> {
  const head = await bucket.head(artifact.key)
  return head?.bytes === fact.bytes && (head.sha256 === fact.sha256 || (fact.md5 !== null && head.etag === fact.md5))
}

/** `false`: this pod cannot send to this bucket. */
async function overBucket(setting: Setting, sending: Sending): Promise<boolean> {
  const { key, fact, signal } = sending
  for (let attempt = 1; ; attempt++) {
    stopIfAborted(signal)
    try {
      const proven = await sendToBucket(setting, sending)
      if (proven === null) return false
      if (proven || (await readBack(setting, key, fact, signal))) return true
      await setting.bucket.delete(key)
      throw new Fault({ kind: 'transient', code: 'upload_corrupt', message: `${key} arrived with other content` })
    } catch (error) {
      if (isUnreachable(error)) return false
      const passing = error instanceof Fault && error.data.kind === 'transient' && error.data.code !== 'aborted'
      if (!passing || attempt === TRIES) throw error
      await setting.clock.sleep(500 * attempt, signal)
    }
  }
}

/** The dear way to be sure, for a pod without md5sum and for buckets whose ETag is no MD5. */
async function readBack(setting: Setting, key: string, fact: PodFacts, signal: AbortSignal): Promise<boolean> {
  // Another size, or nothing there although the upload was confirmed: not worth reading.
  if ((await setting.bucket.head(key))?.bytes !== fact.bytes) return false
  const { sha256 } = await withTemp(setting, here => setting.bucket.get(key, here, { signal }))
  return sha256 === fact.sha256
}

async function overSsh(setting: Setting, { machine, podPath, key, fact, onBytes, signal }: Sending): Promise<void> {
  await withTemp(setting, async here => {
    const half = (bytes: number) => onBytes(bytes / 2)
    const got = await machine.get(podPath, here, { signal, onBytes: half, bytesMax: fact.bytes })
    if (got.sha256 !== fact.sha256)
      throw new Fault({ kind: 'transient', code: 'upload_corrupt', message: `${podPath} changed while it was read` })
    const rest = (bytes: number) => half(fact.bytes + bytes)
    await setting.bucket.put(key, here, { sha256: fact.sha256, signal, onBytes: rest })
  })
}

function missing(file: PodFile): never {
  throw new Fault({
    kind: 'transient',
    code: 'output_file_missing',
    message: `the output file ${shownName(file.podPath)} is not on the pod`,
  })
}
