// Addresses in job files, `r2://bucket/key`, and the places an output's files are published at.
import { posix } from 'node:path'
import { Fault } from '../domain/fault.ts'
import type { Artifact } from '../domain/job.ts'
import { nameRefusal, shownName } from './untrusted.ts'

/** The key behind `r2://bucket/key`. Fault job `bucket_foreign` when it is not the bucket of the settings. */
export function bucketKey({ bucketName }: { bucketName: string | null }, address: string): string {
  const [, bucket = '', key = ''] = /^r2:\/\/([^/]+)\/(.+)$/s.exec(address) ?? []
  if (bucketName === null || bucket !== bucketName || key === '')
    throw new Fault({
      kind: 'job',
      code: 'bucket_foreign',
      message: `${address} is not in ${bucketName === null ? 'a bucket: none is set' : `the bucket ${bucketName}`}`,
      hint: bucketName === null ? 'Set up a bucket, or use local paths.' : `Use r2://${bucketName}/… or a local path.`,
    })
  return key
}

/**
 * The target of one file. `{index}` counts from 0. A target that ends in `/` keeps the file's name as stored (unique within the
 * attempt). Several files and no `{index}`: `-1`, `-2` … before the extension, so that none is lost.
 * Fault job `unsafe_name` when a stored name is not one.
 */
export function fillTarget(target: string, artifact: Artifact, filesOfOutput: number): string {
  const name = posix.basename(artifact.key)
  const refusal = nameRefusal(name)
  if (refusal)
    throw new Fault({ kind: 'job', code: 'unsafe_name', message: `the output file ${shownName(name)} ${refusal}` })
  if (target.endsWith('/')) return `${target}${name}`
  const extension = posix.extname(name).slice(1)
  const numbered = filesOfOutput > 1 && !target.includes('{index}') ? suffixed(target, artifact.index + 1) : target
  const filled = numbered.replaceAll('{index}', String(artifact.index)).replaceAll('{ext}', extension)
  // `clip.{ext}` for a file without one.
  return extension === '' ? filled.replace(/\.$/, '') : filled
}

function suffixed(path: string, number: number): string {
  const extension = posix.extname(path)
  return `${path.slice(0, path.length - extension.length)}-${number}${extension}`
}
