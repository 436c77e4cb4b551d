// The courier between fresh folders, one bucket and one local pod, for each test of a suite anew.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Artifact, InputFile } from '../../src/domain/job.ts'
import { createCourier } from '../../src/edge/transfer.ts'
import type { Bucket, CollectOn, Courier, PodFile, Transfer } from '../../src/ports.ts'
import type { BucketMaker, BucketWorld } from './bucket-worlds.ts'
import { clock, type LocalPod, localPod, sha, taskWith } from './courier-worlds.ts'

export const never = new AbortController().signal

type Now = { world: BucketWorld; bucket: Bucket; dir: string; courier: Courier; pod: LocalPod }

/** `now` is filled before each test; after each, the courier must have left nothing in its folder. */
export function courierSetting(open: BucketMaker['open']) {
  const now = {} as Now
  const at = (...path: string[]) => join(now.dir, ...path)
  const courierOf = (bucket: Bucket, partBytes?: number) =>
    createCourier({ bucket, bucketName: 'files', tempDir: at('temp'), clock, ...(partBytes ? { partBytes } : {}) })

  beforeEach(async () => {
    now.world = await open()
    now.bucket = now.world.bucket
    now.dir = await mkdtemp(join(tmpdir(), 'courier-'))
    await mkdir(at('pod'))
    now.courier = courierOf(now.bucket)
    now.pod = localPod()
  })
  afterEach(async () => {
    const left = await readdir(at('temp')).catch(() => [])
    await now.world.close()
    await rm(now.dir, { recursive: true, force: true })
    expect(left).toEqual([])
  })

  const input = async (file: string, content: string | Buffer): Promise<InputFile> => {
    await writeFile(at(file), content)
    const sha256 = sha(content)
    const bytes = Buffer.byteLength(content)
    return { name: file, source: at(file), sha256, bytes, podPath: `autopod/${sha256}.bin` }
  }
  const deliver = (inputs: InputFile[], to = now.pod, by = now.courier, on: (t: Transfer) => void = () => {}) =>
    by.deliver(inputs, to, at('pod'), on, never)
  const onPod = (file: InputFile) => readFile(at('pod', file.podPath), 'utf8')
  const podFile = async (file: string, content: string | Buffer, nodeId = '9', folder = 'output'): Promise<PodFile> => {
    await mkdir(at('pod', folder), { recursive: true })
    await writeFile(at('pod', folder, file), content)
    return { podPath: at('pod', folder, file), nodeId, file }
  }
  const collect = async (files: PodFile[], task = taskWith(), by = now.courier, from = now.pod) => {
    const stored: Artifact[] = []
    const moved: Transfer[] = []
    const on: CollectOn = { stored: artifact => void stored.push(artifact), moved: t => void moved.push(t) }
    const artifacts = await by.collect(task, files, from, on, never).catch(fault => ({ fault }))
    return { artifacts: artifacts as Artifact[], fault: (artifacts as { fault?: unknown }).fault, stored, moved }
  }
  const readBack = async (key: string) => {
    await now.bucket.get(key, at('back'))
    return readFile(at('back'), 'utf8')
  }
  return { now, at, courierOf, input, deliver, onPod, podFile, collect, readBack }
}
