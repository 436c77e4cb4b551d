// The sandbox's S3 server: signatures, by their published examples, and objects, by the AWS SDK.
import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { describe, expect, it } from 'vitest'
import { decodeChunks } from '../../src/sandbox/bucket/chunked.ts'
import { refusalOf } from '../../src/sandbox/bucket/errors.ts'
import { authenticate } from '../../src/sandbox/bucket/sigv4.ts'
import { parseTarget } from '../../src/sandbox/bucket/target.ts'
import {
  Bucket,
  client,
  clientOf,
  codeOf,
  eachWithItsServer,
  files,
  folder,
  KEYS,
  md5,
  pathOf,
  put,
  raw,
  read,
  refused,
  restart,
  server,
  setSkew,
  signed,
} from './sandbox-bucket-world.ts'

eachWithItsServer()

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
    setSkew(16 * 60_000)
    await expect(list(client)).rejects.toMatchObject(refused(403, 'RequestTimeTooSkewed'))
    setSkew(0)
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
    setSkew(61_000)
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
    await restart()
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
