// `r2://` addresses of jobs, looked up before anything is rented: they are in the bucket of the settings, inputs are there, targets free.
import { Fault } from '../domain/fault.ts'
import type { JobSpec } from '../domain/job.ts'
import type { Bucket } from '../ports.ts'
import { existsFlaw, pattern } from './jobdir-output.ts'
import { type Flaw, flawsFault, shownPath } from './jobdir-read.ts'
import { inLanes } from './transfer-lanes.ts'
import { bucketKey } from './transfer-target.ts'

/** Looks at once: a batch of a thousand jobs should not wait a minute for its first pod. */
const LOOKS_AT_ONCE = 8

export type BucketLook = {
  bucket: Bucket
  /** null: none is set, and every such address is wrong. */
  bucketName: string | null
  /** Absolute. Job files are named as from there. */
  cwd: string
  /** An object that may be replaced; its digest is null where the bucket knows none, and publishing asks again. */
  replaceable: (address: string, sha256: string | null) => boolean
}

/** Faults: job `job_file_invalid`, a line for each problem; those of the bucket. */
export async function checkAddresses(specs: readonly JobSpec[], look: BucketLook): Promise<void> {
  const looks = specs.flatMap(spec => [
    ...spec.inputs.map(({ name, source }) => ({ spec, place: `inputs.${name}`, address: source, wrong: inputWrong })),
    ...spec.outputs.map(({ name, target }) => ({
      spec,
      place: `outputs.${name}`,
      address: target,
      wrong: outputWrong,
    })),
  ])
  const remote = looks.filter(({ address }) => address.startsWith('r2://'))
  // Forty jobs with one input ask once.
  const asked = new Map<string, Promise<Wrong | null>>()
  const found = await inLanes(remote, LOOKS_AT_ONCE, ({ address, place, wrong }) => {
    const question = `${place.split('.')[0]} ${address}`
    const answer = asked.get(question) ?? wrong(address, look)
    asked.set(question, answer)
    return answer
  })
  const flaws = found.flatMap((wrong, at): Flaw[] => {
    const { spec, place } = remote[at] as (typeof remote)[number]
    return wrong ? [{ file: shownPath(spec.source, look.cwd), place, ...wrong }] : []
  })
  if (flaws.length > 0) throw flawsFault('job_file_invalid', flaws)
}

type Wrong = Pick<Flaw, 'what' | 'remedy'>

async function inputWrong(address: string, look: BucketLook): Promise<Wrong | null> {
  const key = keyOf(address, look)
  if (typeof key !== 'string') return key
  if (await look.bucket.head(key)) return null
  return { what: `${address} does not exist`, remedy: 'Upload it, or correct the key in the job file.' }
}

async function outputWrong(address: string, look: BucketLook): Promise<Wrong | null> {
  const key = keyOf(address, look)
  if (typeof key !== 'string') return key
  // Files keep their own names there; they are told apart when they are known.
  if (key.endsWith('/')) return null
  const expected = pattern(key)
  const listed = expected ? await look.bucket.list(key.slice(0, key.indexOf('{'))) : [{ key }]
  for (const one of listed) {
    if (expected && !expected.test(one.key)) continue
    const head = await look.bucket.head(one.key)
    const found = `${address.slice(0, -key.length)}${one.key}`
    if (head && !look.replaceable(found, head.sha256)) return existsFlaw(found)
  }
  return null
}

function keyOf(address: string, look: BucketLook): string | Wrong {
  try {
    return bucketKey(look, address)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { what: error.data.message, remedy: error.data.hint ?? '' }
  }
}
