// The sandbox's S3 server: listings and multipart uploads by the AWS SDK, the whole by curl and rclone.
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { describe, expect, it } from 'vitest'
import {
  Bucket,
  client,
  eachWithItsServer,
  files,
  folder,
  KEYS,
  MIB,
  md5,
  put,
  read,
  refused,
  restart,
  server,
} from './sandbox-bucket-world.ts'

eachWithItsServer()
const run = promisify(execFile)

describe('buckets', () => {
  it('are listed, found and located, not created', async () => {
    const { Buckets } = await client.send(new ListBucketsCommand({}))
    expect(Buckets?.map(one => one.Name)).toEqual([Bucket, 'other'])
    await client.send(new HeadBucketCommand({ Bucket }))
    await expect(client.send(new HeadBucketCommand({ Bucket: 'nowhere' }))).rejects.toMatchObject(
      refused(404, 'NotFound'),
    )
    expect((await client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBe('auto')
  })

  it('list their keys in pages, folded at a delimiter, in the order of bytes', async () => {
    const keys = ['a', 'b/1', 'b/2', 'b/c/3', 'b0', 'c d&<', '\uffee', '\u{1F600}']
    for (const key of [...keys].reverse()) await put(key)
    const list = (more = {}) => client.send(new ListObjectsV2Command({ Bucket, ...more }))
    expect((await list()).Contents?.map(one => one.Key)).toEqual(keys)
    expect((await list({ Prefix: 'b/' })).Contents?.map(one => one.Key)).toEqual(['b/1', 'b/2', 'b/c/3'])
    const folded = await list({ Prefix: 'b/', Delimiter: '/' })
    expect([folded.Contents?.length, folded.CommonPrefixes, folded.KeyCount]).toEqual([2, [{ Prefix: 'b/c/' }], 3])
    expect((await list({ StartAfter: 'b/2' })).Contents?.[0]?.Key).toBe('b/c/3')
    expect((await list({ EncodingType: 'url', Prefix: 'c ' })).Contents?.[0]?.Key).toBe('c%20d%26%3C')
    expect((await list({ MaxKeys: 0 })).IsTruncated).toBe(false)
    await expect(list({ ContinuationToken: 'nonsense' })).rejects.toMatchObject(refused(400, 'InvalidArgument'))

    const seen: string[] = []
    let ContinuationToken: string | undefined
    do {
      const page = await list({ Delimiter: '/', MaxKeys: 1, ContinuationToken })
      seen.push(
        ...(page.Contents ?? []).map(one => one.Key ?? ''),
        ...(page.CommonPrefixes ?? []).map(one => one.Prefix ?? ''),
      )
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken !== undefined)
    expect(seen).toEqual(['a', 'b/', 'b0', 'c d&<', '\uffee', '\u{1F600}'])
    const old = await client.send(new ListObjectsCommand({ Bucket, Delimiter: '/', MaxKeys: 2 }))
    expect([old.NextMarker, old.IsTruncated]).toEqual(['b/', true])
    const rest = await client.send(new ListObjectsCommand({ Bucket, Delimiter: '/', Marker: 'b/' }))
    expect(rest.Contents?.[0]?.Key).toBe('b0')
  })

  it('list 1,100 keys in two pages', async () => {
    const send = async (n: number) => put(`n/${String(n).padStart(4, '0')}`)
    for (let n = 0; n < 1100; n += 50) await Promise.all(Array.from({ length: 50 }, (_, at) => send(n + at)))
    const sizes: (number | undefined)[] = []
    let token: string | undefined
    do {
      const page = await client.send(new ListObjectsV2Command({ Bucket, ContinuationToken: token }))
      sizes.push(page.KeyCount)
      token = page.NextContinuationToken
    } while (token !== undefined)
    expect(sizes).toEqual([1000, 100])
  })

  it('delete many keys at once, whatever they contain', async () => {
    const keys = ['a&b', '<c>', 'd"\'', 'e']
    for (const key of keys) await put(key)
    const Objects = [...keys.slice(0, 3), 'absent'].map(Key => ({ Key }))
    const { Deleted } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    expect(Deleted?.map(one => one.Key)).toEqual(['a&b', '<c>', 'd"\'', 'absent'])
    expect((await client.send(new ListObjectsV2Command({ Bucket }))).Contents?.map(one => one.Key)).toEqual(['e'])
    const many = Array.from({ length: 1001 }, (_, n) => ({ Key: String(n) }))
    const batch = client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: many } }))
    await expect(batch).rejects.toMatchObject(refused(400, 'MalformedXML'))
  })
})

describe('multipart uploads', () => {
  const begin = async (Key: string, more = {}) => {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }))
    const part = async (PartNumber: number, Body: Buffer) => {
      const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
      return { PartNumber, ETag }
    }
    const complete = (Parts: { PartNumber: number; ETag: string | undefined }[], conditions = {}) =>
      client.send(
        new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...conditions }),
      )
    const abort = () => client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
    const parts = (more = {}) => client.send(new ListPartsCommand({ Bucket, Key, UploadId, ...more }))
    return { UploadId, part, complete, abort, parts }
  }

  it('join equal parts, over a restart, and give ranges across them', async () => {
    const data = randomBytes(12 * MIB)
    const pieces = [data.subarray(0, 5 * MIB), data.subarray(5 * MIB, 10 * MIB), data.subarray(10 * MIB)]
    const upload = await begin('big', { ContentType: 'video/mp4', Metadata: { a: '1' } })
    const tags = [await upload.part(3, pieces[2]!), await upload.part(1, pieces[1]!), await upload.part(1, pieces[0]!)]
    await restart({ port: server.port })
    tags.push(await upload.part(2, pieces[1]!))
    const listed = await upload.parts()
    expect(listed.Parts?.map(part => [part.PartNumber, part.Size])).toEqual([
      [1, 5 * MIB],
      [2, 5 * MIB],
      [3, 2 * MIB],
    ])
    expect((await upload.parts({ MaxParts: 1, PartNumberMarker: '1' })).Parts?.map(part => part.PartNumber)).toEqual([
      2,
    ])
    const open = await client.send(new ListMultipartUploadsCommand({ Bucket }))
    expect(open.Uploads?.map(one => [one.Key, one.UploadId])).toEqual([['big', upload.UploadId]])

    const done = await upload.complete([tags[2]!, tags[3]!, tags[0]!])
    const joined = Buffer.concat(pieces.map(piece => createHash('md5').update(piece).digest()))
    expect(done.ETag).toBe(`"${md5(joined)}-3"`)
    expect(md5(await read('big'))).toBe(md5(data))
    const over = await read('big', { Range: `bytes=${5 * MIB - 3}-${10 * MIB + 2}` })
    expect(over.equals(data.subarray(5 * MIB - 3, 10 * MIB + 3))).toBe(true)
    expect(await client.send(new HeadObjectCommand({ Bucket, Key: 'big' }))).toMatchObject({
      ContentType: 'video/mp4',
      Metadata: { a: '1' },
    })
    expect((await files()).length).toBe(3)
    await expect(upload.parts()).rejects.toMatchObject(refused(404, 'NoSuchUpload'))
  })

  it('give objects that are read to the end by who began before they were replaced', async () => {
    const data = randomBytes(20 * MIB)
    const upload = await begin('big')
    const tags = [0, 1, 2, 3].map(n => upload.part(n + 1, data.subarray(n * 5 * MIB, (n + 1) * 5 * MIB)))
    await upload.complete(await Promise.all(tags))
    const answer = await client.send(new GetObjectCommand({ Bucket, Key: 'big' }))
    await put('big', 'new')
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'big' }))
    expect(md5(Buffer.from(await answer.Body!.transformToByteArray()))).toBe(md5(data))
    for (let seen = ['']; seen.length > 0; ) seen = await files()
  })

  it('are refused by the rules of R2', async () => {
    const upload = await begin('k')
    const five = Buffer.alloc(5 * MIB)
    const [one, two, small] = [
      await upload.part(1, five),
      await upload.part(2, Buffer.alloc(6 * MIB)),
      await upload.part(3, five.subarray(9)),
    ]
    const rule = async (parts: (typeof one)[], code: string) =>
      expect(upload.complete(parts)).rejects.toMatchObject(refused(400, code))
    await rule([one, two, small], 'InvalidPart')
    await rule([one, two], 'InvalidPart')
    await rule([small, one], 'InvalidPartOrder')
    await rule([{ ...one, ETag: '"0"' }], 'InvalidPart')
    await rule([one, { PartNumber: 9, ETag: one.ETag }], 'InvalidPart')
    const tiny = await upload.part(1, five.subarray(1))
    await rule([tiny, small], 'EntityTooSmall')
    await expect(upload.part(10_001, five)).rejects.toMatchObject(refused(400, 'InvalidArgument'))
    await upload.abort()
    await expect(upload.complete([tiny])).rejects.toMatchObject(refused(404, 'NoSuchUpload'))
    await expect(upload.part(1, five)).rejects.toMatchObject(refused(404, 'NoSuchUpload'))
    await expect(upload.abort()).rejects.toMatchObject(refused(404, 'NoSuchUpload'))
    expect(await files()).toEqual([])
  })

  it('obey a condition when they are completed, and of two one wins', async () => {
    const uploads = [await begin('once'), await begin('once')]
    const finish = async (upload: (typeof uploads)[number], n: number) =>
      upload.complete([await upload.part(1, Buffer.from(`writer ${n}`))], { IfNoneMatch: '*' })
    const ends = await Promise.allSettled(uploads.map(finish))
    expect(ends.map(end => end.status).sort()).toEqual(['fulfilled', 'rejected'])
    const loser = uploads[ends.findIndex(end => end.status === 'rejected')]!
    expect((await loser.parts()).Parts?.length).toBe(1)
    await expect(begin('once', {})).resolves.toBeDefined()
  })
})

const has = (name: string) => existsSync(`/usr/bin/${name}`)
for (const name of ['curl', 'rclone']) if (!has(name)) console.log(`${name} is not tried: not in /usr/bin`)

describe.skipIf(!has('curl'))('with curl', () => {
  it('puts by a signed URL without an answer to Expect, and gets the rest of a broken download', async () => {
    const data = randomBytes(2 * MIB)
    await writeFile(join(folder, 'file'), data)
    const up = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: 'by-curl' }))
    await run('curl', [
      '-sSf',
      '--expect100-timeout',
      '0.2',
      '-H',
      'Expect: 100-continue',
      '-T',
      join(folder, 'file'),
      up,
    ])
    const down = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'by-curl' }))
    await writeFile(join(folder, 'part'), data.subarray(0, 1_000_000))
    await run('curl', ['-sSf', '-C', '-', '-o', join(folder, 'part'), down])
    expect(md5(await readFile(join(folder, 'part')))).toBe(md5(data))
  })
})

describe.skipIf(!has('rclone'))('with rclone', () => {
  it('copies a folder up and down, a large file in parts, compares and deletes', async () => {
    const env = {
      PATH: '/usr/bin:/bin',
      HOME: folder,
      RCLONE_CONFIG: join(folder, 'none.conf'),
      RCLONE_CONFIG_R2_TYPE: 's3',
      RCLONE_CONFIG_R2_PROVIDER: 'Cloudflare',
      RCLONE_CONFIG_R2_ENDPOINT: server.url,
      RCLONE_CONFIG_R2_ACCESS_KEY_ID: KEYS.accessKeyId,
      RCLONE_CONFIG_R2_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
      RCLONE_S3_UPLOAD_CUTOFF: '5M',
      RCLONE_S3_CHUNK_SIZE: '5M',
      RCLONE_RETRIES: '1',
    }
    const rclone = async (...args: string[]) => (await run('rclone', args, { env })).stdout
    await mkdir(join(folder, 'up', 'sub dir'), { recursive: true })
    for (let n = 0; n < 19; n++)
      await writeFile(join(folder, 'up', n % 2 ? 'sub dir' : '', `f ${n} ä&.bin`), randomBytes(n * 1000))
    await writeFile(join(folder, 'up', 'large.bin'), randomBytes(12 * MIB + 5))
    await rclone('copy', join(folder, 'up'), `r2:${Bucket}/in`)
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'in/large.bin' }))
    expect(head.ETag).toMatch(/-3"$/)
    expect((await rclone('lsf', '-R', '--files-only', `r2:${Bucket}/in`)).trim().split('\n').length).toBe(20)
    await rclone('check', join(folder, 'up'), `r2:${Bucket}/in`, '--download')
    await rclone('check', join(folder, 'up'), `r2:${Bucket}/in`)
    await rclone('copy', `r2:${Bucket}/in`, join(folder, 'down'))
    await rclone('check', join(folder, 'up'), join(folder, 'down'))
    const before = server.requests()
    await rclone('copy', join(folder, 'up'), `r2:${Bucket}/in`)
    const asked = server.requests() - before
    expect(asked).toBeLessThan(60)
    await rclone('move', `r2:${Bucket}/in`, 'r2:other/moved')
    expect((await rclone('lsf', '-R', '--files-only', 'r2:other/moved')).trim().split('\n').length).toBe(20)
    await rclone('purge', 'r2:other/moved').catch(() => {})
    await rclone('delete', 'r2:other')
    expect((await client.send(new ListObjectsV2Command({ Bucket: 'other' }))).KeyCount).toBe(0)
    expect(await files()).toEqual([])
  })
})
