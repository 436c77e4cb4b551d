// The buckets that the suites run against: the sandbox's S3 server, a folder, and any real S3 that the environment names.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDisk } from '../../src/edge/buckets/disk.ts'
import { createR2, type R2Options } from '../../src/edge/buckets/r2.ts'
import type { Bucket } from '../../src/ports.ts'
import { startBucketServer } from '../../src/sandbox/bucket/server.ts'
import { secretOf } from '../../src/wire/secret.ts'

export type BucketWorld = {
  bucket: Bucket
  /** Only where there is a server: the same bucket seen with other settings. */
  reopen: ((changes: Partial<R2Options>) => Promise<Bucket>) | null
  close(): Promise<void>
}

export type BucketMaker = { name: string; skip: string | null; open(): Promise<BucketWorld> }

const { S3_TEST_ENDPOINT: endpoint, S3_TEST_KEY: id, S3_TEST_SECRET: secret, S3_TEST_BUCKET: name } = process.env

export const bucketMakers: BucketMaker[] = [
  { name: 'r2 on the sandbox', skip: null, open: sandboxWorld },
  {
    name: 'r2 on a real S3',
    skip: endpoint && id && secret && name ? null : 'S3_TEST_ENDPOINT, _KEY, _SECRET and _BUCKET are not set',
    open: () =>
      realWorld({
        endpoint: `${endpoint}`,
        accessKeyId: `${id}`,
        secretAccessKey: secretOf(`${secret}`),
        bucket: `${name}`,
      }),
  },
  { name: 'disk', skip: null, open: diskWorld },
]

async function sandboxWorld(): Promise<BucketWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'bucket-'))
  const keys = { accessKeyId: 'test-key', secretAccessKey: 'test-secret' }
  const server = await startBucketServer({ dir, ...keys, buckets: ['files'] })
  const options: R2Options = {
    endpoint: server.url,
    bucket: 'files',
    ...keys,
    secretAccessKey: secretOf(keys.secretAccessKey),
  }
  return {
    bucket: await createR2(options),
    reopen: changes => createR2({ ...options, ...changes }),
    close: async () => {
      await server.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function realWorld(options: R2Options): Promise<BucketWorld> {
  const bucket = await createR2({ ...options, profile: 's3' })
  const clean = async () => {
    for (const { key } of await bucket.list('')) await bucket.delete(key)
  }
  await clean()
  return { bucket, reopen: changes => createR2({ ...options, profile: 's3', ...changes }), close: clean }
}

async function diskWorld(): Promise<BucketWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'bucket-'))
  return { bucket: createDisk(dir), reopen: null, close: () => rm(dir, { recursive: true, force: true }) }
}
