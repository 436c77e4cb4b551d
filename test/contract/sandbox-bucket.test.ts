// The sandbox's S3 server, against published signature examples, the AWS SDK, curl and rclone.
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
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
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decodeChunks } from '../../src/sandbox/bucket/chunked.ts'
import { refusalOf } from '../../src/sandbox/bucket/errors.ts'
import { type BucketServer, type BucketServerOptions, startBucketServer } from '../../src/sandbox/bucket/server.ts'
import { authenticate } from '../../src/sandbox/bucket/sigv4.ts'
import { parseTarget } from '../../src/sandbox/bucket/target.ts'

const run = promisify(execFile)
const KEYS = { accessKeyId: 'sandbox-id', secretAccessKey: 'sandbox-secret' }
const MIB = 1024 ** 2
const Bucket = 'files'
let folder: string
let server: BucketServer
let client: S3Client
let clients: S3Client[]
let skewMs: number

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopod-bucket-'))
  clients = []
  skewMs = 0
  server = await start()
  client = clientOf()
})
afterEach(async () => {
  for (const one of clients) one.destroy()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

function start(more: Partial<BucketServerOptions> = {}): Promise<BucketServer> {
  const now = () => Date.now() + skewMs
  return startBucketServer({ dir: join(folder, 's3'), ...KEYS, buckets: [Bucket, 'other'], now, ...more })
}

function clientOf(more: S3ClientConfig = {}): S3Client {
  const made = new S3Client({
    endpoint: server.url,
    region: 'auto',
    credentials: KEYS,
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // The SDK waits six seconds for an answer that R2, and this server, never gives.
    expectContinueHeader: false,
    ...more,
  })
  clients.push(made)
  return made
}

const md5 = (data: Buffer) => createHash('md5').update(data).digest('hex')
const put = (Key: string, Body: Buffer | string = 'x', more = {}) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))
const read = async (Key: string, more = {}) => {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, ...more }))
  return Buffer.from(await answer.Body!.transformToByteArray())
}
const refused = (status: number, name: string) => ({ name, $metadata: { httpStatusCode: status } })
const files = () => readdir(join(folder, 's3', Bucket, 'data'))

type Answer = { status: number; headers: IncomingHttpHeaders; body: string }
/** A request as it is written, without what fetch and URL make of a path. */
function raw(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: Buffer | string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ port: server.port, host: '127.0.0.1', method, path, headers }, response => {
      let text = ''
      response.on('data', data => {
        text += data
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
/** A request signed in its headers, as the SDK's own signer does it, and then sent with some more. */
async function signed(method: string, path: string, headers: Record<string, string>, body: string, more = {}) {
  const host = `127.0.0.1:${server.port}`
  const plain = { method, protocol: 'http:', hostname: '127.0.0.1', port: server.port, path, query: {} }
  const signer = await client.config.signer({ name: 'sigv4', signingName: 's3', signingRegion: 'auto', properties: {} })
  const request = { ...plain, headers: { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers } }
  const { headers: sent } = await signer.sign(request as Parameters<typeof signer.sign>[0])
  return raw(method, path, { ...sent, ...more, 'content-length': String(body.length) }, body)
}
const codeOf = (answer: Answer) => [answer.status, /<Code>(\w+)</.exec(answer.body)?.[1]]
const pathOf = (url: string) => url.slice(server.url.length)

describe('signatures', () => {
  // S3 API reference, "Authenticating requests (AWS Signature Version 4)", the examples of each page (2026).
  const EXAMPLE = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    region: 'us-east-1',
  }
  const TIME = Date.UTC(2013, 4, 24)
  const EMPTY = createHash('sha256').digest('hex')
  const authorization = (signedHeaders: string, signature: string) =>
    `AWS4-HMAC-SHA256 Credential=${EXAMPLE.accessKeyId}/20130524/us-east-1/s3/aws4_request,` +
    `SignedHeaders=${signedHeaders},Signature=${signature}`

  it('of the published GET example are found right, and wrong when anything differs', () => {
    const headers = new Map([
      ['host', 'examplebucket.s3.amazonaws.com'],
      ['range', 'bytes=0-9'],
      ['x-amz-content-sha256', EMPTY],
      ['x-amz-date', '20130524T000000Z'],
      [
        'authorization',
        authorization(
          'host;range;x-amz-content-sha256;x-amz-date',
          'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
        ),
      ],
    ])
    const target = parseTarget('/test.txt')
    expect(authenticate({ method: 'GET', target, headers }, EXAMPLE, TIME)).toEqual({ kind: 'hashed', sha256: EMPTY })
    expect(() => authenticate({ method: 'HEAD', target, headers }, EXAMPLE, TIME)).toThrow(/SignatureDoesNotMatch/)
    const other = new Map([...headers, ['range', 'bytes=0-8'] as const])
    expect(() => authenticate({ method: 'GET', target, headers: other }, EXAMPLE, TIME)).toThrow(
      /SignatureDoesNotMatch/,
    )
  })

  it('of the published presigned example hold for a day', () => {
    const target = parseTarget(
      '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
        '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
        '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    )
    const headers = new Map([['host', 'examplebucket.s3.amazonaws.com']])
    const at = (time: number) => authenticate({ method: 'GET', target, headers }, EXAMPLE, time)
    expect(at(TIME + 86_400_000)).toEqual({ kind: 'unsigned' })
    expect(() => at(TIME + 86_401_000)).toThrow(/ExpiredRequest/)
    expect(() => at(TIME - 3_600_000)).toThrow(/AccessDenied/)
  })

  it('of the published chunked upload are followed from chunk to chunk', async () => {
    const headers = new Map([
      ['host', 's3.amazonaws.com'],
      ['x-amz-date', '20130524T000000Z'],
      ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
      ['x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'],
      ['content-encoding', 'aws-chunked'],
      ['x-amz-decoded-content-length', '66560'],
      ['content-length', '66824'],
      [
        'authorization',
        authorization(
          'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
          '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
        ),
      ],
    ])
    const target = parseTarget('/examplebucket/chunkObject.txt')
    const decode = async (second: string) => {
      const payload = authenticate({ method: 'PUT', target, headers }, EXAMPLE, TIME)
      if (payload.kind !== 'chunked') throw new Error(`taken for ${payload.kind}`)
      const body = Buffer.from(
        `10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n${'a'.repeat(65536)}\r\n` +
          `400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n${second}\r\n` +
          '0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n',
      )
      // In odd pieces, so that headers are cut in the middle.
      const pieces = Array.from({ length: Math.ceil(body.length / 997) }, (_, n) =>
        body.subarray(n * 997, (n + 1) * 997),
      )
      let size = 0
      for await (const part of decodeChunks(Readable.from(pieces), payload, () => {})) size += part.length
      return size
    }
    expect(await decode('a'.repeat(1024))).toBe(66_560)
    await expect(decode(`${'a'.repeat(1023)}b`)).rejects.toThrow(/SignatureDoesNotMatch/)
    expect(refusalOf(await decode('a'.repeat(1000)).catch(error => error)).status).toBeLessThan(500)
  })

  it('with another key, another secret, a wrong clock or none at all are refused', async () => {
    const list = (one: S3Client) => one.send(new ListObjectsV2Command({ Bucket }))
    const stranger = clientOf({ credentials: { ...KEYS, accessKeyId: 'who' } })
    await expect(list(stranger)).rejects.toMatchObject(refused(403, 'InvalidAccessKeyId'))
    const guesser = clientOf({ credentials: { ...KEYS, secretAccessKey: 'guess' } })
    await expect(list(guesser)).rejects.toMatchObject(refused(403, 'SignatureDoesNotMatch'))
    const abroad = clientOf({ region: 'eu-west-1' })
    await expect(list(abroad)).rejects.toMatchObject(refused(400, 'InvalidRegionName'))
    expect(codeOf(await raw('GET', `/${Bucket}`))).toEqual([400, 'InvalidArgument'])
    skewMs = 16 * 60_000
    await expect(list(client)).rejects.toMatchObject(refused(403, 'RequestTimeTooSkewed'))
    skewMs = 0
    await list(clientOf({ region: 'us-east-1' }))
    expect(server.requests()).toBe(6)
  })

  it('on URLs carry a PUT and a GET without keys, until they expire', async () => {
    const up = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: 'a b/ü+.txt', Metadata: { sha: 'abc' } }))
    expect((await fetch(up, { method: 'PUT', body: 'hello' })).status).toBe(200)
    const get = new GetObjectCommand({
      Bucket,
      Key: 'a b/ü+.txt',
      ResponseContentDisposition: 'attachment; filename="x y"',
    })
    const down = await getSignedUrl(client, get, { expiresIn: 60 })
    const answer = await fetch(down)
    expect(await answer.text()).toBe('hello')
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="x y"')
    expect(answer.headers.get('x-amz-meta-sha')).toBe('abc')
    expect((await fetch(down, { method: 'PUT', body: 'no' })).status).toBe(403)
    expect(codeOf(await raw('GET', pathOf(down).replace('expires', 'Expires').replace('=60', '=61')))).toEqual([
      403,
      'SignatureDoesNotMatch',
    ])
    skewMs = 61_000
    expect(codeOf(await raw('GET', pathOf(down)))).toEqual([400, 'ExpiredRequest'])
  })

  it('on a URL with a condition bind the client to it', async () => {
    const command = new PutObjectCommand({ Bucket, Key: 'once', IfNoneMatch: '*' })
    const url = await getSignedUrl(client, command, { unhoistableHeaders: new Set(['if-none-match']) })
    const send = (headers: Record<string, string>) => fetch(url, { method: 'PUT', body: 'x', headers })
    expect((await send({})).status).toBe(403)
    expect((await send({ 'if-none-match': '*' })).status).toBe(200)
    expect((await send({ 'if-none-match': '*' })).status).toBe(412)
  })
})

describe('objects', () => {
  it('come back as they were put, with their type and metadata, after a restart too', async () => {
    const data = randomBytes(3_000_000)
    const sent = await put('dir/file.png', data, {
      ContentType: 'image/png',
      Metadata: { sha256: 'f00' },
      CacheControl: 'no-store',
    })
    expect(sent.ETag).toBe(`"${md5(data)}"`)
    await server.stop()
    server = await start()
    client = clientOf()
    expect((await read('dir/file.png')).equals(data)).toBe(true)
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'dir/file.png' }))
    expect(head).toMatchObject({
      ContentType: 'image/png',
      ContentLength: 3_000_000,
      ETag: `"${md5(data)}"`,
      Metadata: { sha256: 'f00' },
      CacheControl: 'no-store',
      AcceptRanges: 'bytes',
    })
    expect(Math.abs(Date.now() - head.LastModified!.getTime())).toBeLessThan(60_000)
  })

  it('may be empty, replaced and deleted, and leave no bytes behind', async () => {
    await put('a', '')
    expect((await read('a')).length).toBe(0)
    await put('a', 'second')
    expect((await read('a')).toString()).toBe('second')
    expect((await files()).length).toBe(1)
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'a' }))
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'a' }))
    await expect(read('a')).rejects.toMatchObject(refused(404, 'NoSuchKey'))
    await expect(client.send(new HeadObjectCommand({ Bucket, Key: 'a' }))).rejects.toMatchObject(
      refused(404, 'NotFound'),
    )
    expect(await files()).toEqual([])
  })

  it('give the ranges that are asked for', async () => {
    const data = randomBytes(1000)
    await put('r', data)
    const range = async (Range: string) => {
      const answer = await client.send(new GetObjectCommand({ Bucket, Key: 'r', Range }))
      const bytes = Buffer.from(await answer.Body!.transformToByteArray())
      return [answer.$metadata.httpStatusCode, answer.ContentRange, bytes.toString('hex')]
    }
    expect(await range('bytes=0-9')).toEqual([206, 'bytes 0-9/1000', data.subarray(0, 10).toString('hex')])
    expect(await range('bytes=990-')).toEqual([206, 'bytes 990-999/1000', data.subarray(990).toString('hex')])
    expect(await range('bytes=-10')).toEqual([206, 'bytes 990-999/1000', data.subarray(990).toString('hex')])
    expect(await range('bytes=5-99999')).toEqual([206, 'bytes 5-999/1000', data.subarray(5).toString('hex')])
    expect(await range('bytes=0-1,5-6')).toEqual([200, undefined, data.toString('hex')])
    await expect(range('bytes=1000-')).rejects.toMatchObject(refused(416, 'InvalidRange'))
  })

  it('obey conditions on reading', async () => {
    const { ETag } = await put('c', 'content')
    expect((await read('c', { IfMatch: ETag })).toString()).toBe('content')
    await expect(read('c', { IfMatch: '"other"' })).rejects.toMatchObject(refused(412, 'PreconditionFailed'))
    await expect(read('c', { IfNoneMatch: ETag })).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } })
    expect((await read('c', { IfNoneMatch: '"other"' })).toString()).toBe('content')
    await expect(read('c', { IfModifiedSince: new Date() })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 304 },
    })
    await expect(read('c', { IfUnmodifiedSince: new Date(0) })).rejects.toMatchObject(
      refused(412, 'PreconditionFailed'),
    )
  })

  it('obey conditions on writing, and of many first writers one wins', async () => {
    const tries = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => put('lock', `writer ${n}`, { IfNoneMatch: '*' })),
    )
    const winners = tries.flatMap((one, n) => (one.status === 'fulfilled' ? [n] : []))
    expect(winners.length).toBe(1)
    expect((await read('lock')).toString()).toBe(`writer ${winners[0]}`)
    for (const one of tries)
      if (one.status === 'rejected') expect(one.reason).toMatchObject(refused(412, 'PreconditionFailed'))
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'lock' }))
    const swaps = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) => put('lock', `swap ${n}`, { IfMatch: head.ETag })),
    )
    expect(swaps.filter(one => one.status === 'fulfilled').length).toBe(1)
    await expect(put('absent', 'x', { IfMatch: '"x"' })).rejects.toMatchObject(refused(412, 'PreconditionFailed'))
    expect((await files()).length).toBe(1)
  })

  it.each([
    '..',
    '../../escape',
    'a/../b',
    '/lead',
    'a//b',
    'é%20+&=?#"<>',
    '\u{1F600}/x',
    'new\nline',
    'x'.repeat(1024),
  ])('can have the key %j', async Key => {
    await put(Key, Key)
    expect((await read(Key)).toString()).toBe(Key)
    const list = await client.send(new ListObjectsV2Command({ Bucket }))
    expect(list.Contents?.map(one => one.Key)).toEqual([Key])
    expect((await readdir(folder)).sort()).toEqual(['s3'])
  })

  it('are refused with a key too long, too much metadata, a wrong digest or no length', async () => {
    await expect(put('x'.repeat(1025))).rejects.toMatchObject(refused(400, 'KeyTooLongError'))
    await expect(put('m', 'x', { Metadata: { big: 'x'.repeat(8200) } })).rejects.toMatchObject(
      refused(400, 'MetadataTooLarge'),
    )
    await expect(put('d', 'x', { ContentMD5: md5(Buffer.from('y')) })).rejects.toMatchObject(refused(400, 'BadDigest'))
    await expect(put('d', 'x', { ChecksumSHA256: 'AAAA' })).rejects.toMatchObject(refused(400, 'BadDigest'))
    const url = pathOf(await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: 'l' })))
    const chunked = await raw('PUT', url, { 'transfer-encoding': 'chunked' }, 'x')
    expect(codeOf(chunked)).toEqual([411, 'MissingContentLength'])
    await expect(client.send(new PutObjectCommand({ Bucket: 'nowhere', Key: 'x' }))).rejects.toMatchObject(
      refused(404, 'NoSuchBucket'),
    )
    expect(await files()).toEqual([])
  })

  it('do not come to be when the client breaks off', async () => {
    const url = pathOf(await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: 'half' })))
    const socket = connect(server.port, '127.0.0.1')
    socket.write(`PUT ${url} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Length: 1000\r\n\r\nonly this`)
    for (let seen: string[] = []; seen.length === 0; ) seen = await files()
    socket.destroy()
    for (let seen = ['']; seen.length > 0; ) seen = await files()
    await expect(read('half')).rejects.toMatchObject(refused(404, 'NoSuchKey'))
  })

  it('are read to the end by who began before they were replaced', async () => {
    const data = randomBytes(20 * MIB)
    await put('big', data)
    const answer = await client.send(new GetObjectCommand({ Bucket, Key: 'big' }))
    await put('big', 'new')
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'big' }))
    expect(md5(Buffer.from(await answer.Body!.transformToByteArray()))).toBe(md5(data))
    for (let seen = ['']; seen.length > 0; ) seen = await files()
  })

  it('are copied with their metadata or with other', async () => {
    await put('from/ä', 'content', { ContentType: 'text/plain', Metadata: { a: '1' } })
    const CopySource = `${Bucket}/${encodeURIComponent('from/ä')}`
    await client.send(new CopyObjectCommand({ Bucket: 'other', Key: 'to', CopySource }))
    await client.send(
      new CopyObjectCommand({ Bucket, Key: 'to', CopySource, MetadataDirective: 'REPLACE', Metadata: { b: '2' } }),
    )
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'from/ä' }))
    const head = (bucket: string) => client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'to' }))
    expect(await head('other')).toMatchObject({ ContentType: 'text/plain', Metadata: { a: '1' }, ContentLength: 7 })
    expect(await head(Bucket)).toMatchObject({ Metadata: { b: '2' } })
    expect((await read('to')).toString()).toBe('content')
    await expect(client.send(new CopyObjectCommand({ Bucket, Key: 'x', CopySource }))).rejects.toMatchObject(
      refused(404, 'NoSuchKey'),
    )
  })

  it('arrive in chunks with trailing checksums, as the SDK sends streams by default', async () => {
    const modern = clientOf({
      requestChecksumCalculation: 'WHEN_SUPPORTED',
      responseChecksumValidation: 'WHEN_SUPPORTED',
    })
    const data = randomBytes(700_000)
    const Body = Readable.from([data.subarray(0, 300_001), data.subarray(300_001)])
    await modern.send(new PutObjectCommand({ Bucket, Key: 'chunked', Body, ContentLength: data.length }))
    await modern.send(new PutObjectCommand({ Bucket, Key: 'plain', Body: data }))
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'chunked' }))
    expect(head.ContentEncoding).toBeUndefined()
    expect(head.ETag).toBe(`"${md5(data)}"`)
    expect((await read('plain')).equals(data)).toBe(true)
  })

  it('are refused when the body does not keep its promises, and the connection answers on', async () => {
    const sha256 = (data: string) => createHash('sha256').update(data).digest('hex')
    const chunked = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
    const send = async (content: string, body: string, more: Record<string, string> = {}) =>
      codeOf(await signed('PUT', `/${Bucket}/promise`, { 'x-amz-content-sha256': content, ...more }, body))
    const size = (bytes: number) => ({ 'x-amz-decoded-content-length': String(bytes) })
    expect(await send(sha256('abc'), 'abd')).toEqual([400, 'XAmzContentSHA256Mismatch'])
    expect(await send('nonsense', 'abc')).toEqual([400, 'InvalidArgument'])
    const crc = '0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n'
    expect(await send(chunked, `3\r\nabc\r\n${crc}`, { ...size(3), 'x-amz-trailer': 'x-amz-checksum-crc32' })).toEqual([
      400,
      'BadDigest',
    ])
    expect(await send(chunked, '3\r\nabc\r\n0\r\n\r\n', size(4))).toEqual([400, 'IncompleteBody'])
    expect(await send(chunked, '9\r\nabc\r\n', size(9))).toEqual([400, 'IncompleteBody'])
    expect(await send(chunked, `nonsense\r\n${'x'.repeat(3_000_000)}`, size(9))).toEqual([400, 'IncompleteBody'])
    expect(await send(chunked, '3\r\nabc\r\n0\r\n\r\n', size(3))).toEqual([200, undefined])
    expect((await read('promise')).toString()).toBe('abc')
    const added = await signed('PUT', `/${Bucket}/promise`, {}, 'abc', { 'x-amz-meta-late': '1' })
    expect(codeOf(added)).toEqual([403, 'AccessDenied'])
    expect((await files()).length).toBe(1)
  })
})

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

  it('list 2,500 keys in three pages', async () => {
    const send = async (n: number) => put(`n/${String(n).padStart(4, '0')}`)
    for (let n = 0; n < 2500; n += 50) await Promise.all(Array.from({ length: 50 }, (_, at) => send(n + at)))
    const sizes: (number | undefined)[] = []
    let token: string | undefined
    do {
      const page = await client.send(new ListObjectsV2Command({ Bucket, ContinuationToken: token }))
      sizes.push(page.KeyCount)
      token = page.NextContinuationToken
    } while (token !== undefined)
    expect(sizes).toEqual([1000, 1000, 500])
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
    await server.stop()
    server = await start({ port: server.port })
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
    expect(server.requests() - before).toBeLessThan(60)
    await rclone('move', `r2:${Bucket}/in`, 'r2:other/moved')
    expect((await rclone('lsf', '-R', '--files-only', 'r2:other/moved')).trim().split('\n').length).toBe(20)
    await rclone('purge', 'r2:other/moved').catch(() => {})
    await rclone('delete', 'r2:other')
    expect((await client.send(new ListObjectsV2Command({ Bucket: 'other' }))).KeyCount).toBe(0)
    expect(await files()).toEqual([])
  }, 60_000)
})
