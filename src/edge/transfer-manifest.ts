// What an attempt stored, written last and only once: `out/<run>/<job>/<attempt>/manifest.json`.
import { readFile } from 'node:fs/promises'
import { Fault } from '../domain/fault.ts'
import type { Artifact } from '../domain/job.ts'
import type { Task } from '../ports.ts'
import type { Setting } from './transfer.ts'
import { inLanes } from './transfer-lanes.ts'
import { withTemp } from './transfer-temp.ts'

type Manifest = { version: 1; run: string; job: string; attempt: number; promptId: string; artifacts: Artifact[] }

export const attemptFolder = (task: Task) => `out/${task.runId}/${task.jobId}/${task.attempt}`
const manifestKey = (task: Task) => `${attemptFolder(task)}/manifest.json`

/**
 * The artifacts of a manifest that this very prompt wrote before; null when there is none. Faults: transient `attempt_fenced`
 * (another prompt ended under this number), `artifact_missing` (listed, but no longer in the bucket).
 */
export async function readManifest(setting: Setting, task: Task): Promise<Artifact[] | null> {
  const key = manifestKey(task)
  if (!(await setting.bucket.head(key))) return null
  const text = await withTemp(setting, async here => {
    await setting.bucket.get(key, here)
    return readFile(here, 'utf8')
  })
  let manifest: Manifest
  try {
    manifest = JSON.parse(text)
  } catch {
    throw fenced(task)
  }
  if (manifest.promptId !== task.promptId || !Array.isArray(manifest.artifacts)) throw fenced(task)
  await inLanes(manifest.artifacts, setting.transfersMax, async artifact => {
    const head = await setting.bucket.head(artifact.key)
    if (head?.bytes !== artifact.bytes || (head.sha256 ?? artifact.sha256) !== artifact.sha256)
      throw new Fault({
        kind: 'transient',
        code: 'artifact_missing',
        message: `${artifact.key} is in the manifest, but not in the bucket as it was`,
      })
  })
  return manifest.artifacts
}

/** The artifacts that count: ours, or those of the one who was first with the same prompt. Faults as `readManifest`. */
export async function publishManifest(setting: Setting, task: Task, artifacts: Artifact[]): Promise<Artifact[]> {
  const { runId: run, jobId: job, attempt, promptId } = task
  const manifest: Manifest = { version: 1, run, job, attempt, promptId, artifacts }
  const text = `${JSON.stringify(manifest, null, 2)}\n`
  if (await setting.bucket.putText(manifestKey(task), text, { onlyNew: true })) return artifacts
  const first = await readManifest(setting, task)
  if (!first) throw fenced(task)
  return first
}

const fenced = (task: Task) =>
  new Fault({
    kind: 'transient',
    code: 'attempt_fenced',
    message: `attempt ${task.attempt} of ${task.jobId} has results of another prompt already`,
  })
