// What every Bucket promises, and what only one that is reached over a network can get wrong.
import { createHash, randomBytes } from 'node:crypto'
import { createWriteStream, existsSync } from 'node:fs'
import { copyFile, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createR2 } from '../../src/edge/buckets/r2.ts'
import type { Clock } from '../../src/ports.ts'
import { secretOf } from '../../src/wire/secret.ts'
import { type BucketWorld, bucketMakers } from './bucket-worlds.ts'

const sha = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')

/** Deterministic bytes, written without holding them; the digest comes back. */
async function bigFile(path: string, bytes: number): Promise<string> {
  const block = randomBytes(1024 * 1024)
  const hash = createHash('sha256')
  const out = createWriteStream(path)
  for (let at = 0; at < bytes; at += block.length) {
    block.writeUInt32BE(at / block.length, 0)
    const piece = Buffer.from(block.subarray(0, Math.min(block.length, bytes - at)))
    hash.update(piece)
    if (!out.write(piece)) await new Promise(resolve => out.once('drain', resolve))
  }
  await new Promise(resolve => out.end(resolve))
  return hash.digest('hex')
}

describe.each(bucketMakers)('a bucket: $name', ({ name, skip, open }) => {
  if (skip) return void test.skip(`${name} is not tested here, because ${skip}`, () => {})
  let world: BucketWorld
  let dir: string
  const here = (file: string) => join(dir, file)
  const file = async (name: string, content: string | Buffer) => {
    await writeFile(here(name), content)
    return here(name)
  }
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'bucket-test-'))
    world = await open()
  })
  afterAll(async () => {
    await world?.close()
    await rm(dir, { recursive: true, force: true })
  })

  test('gives back what was put, with its size and digest', async () => {
    const { bucket } = world
    expect(await bucket.head('a/one.bin')).toBeNull()
    const path = await file('one', 'first content')
    expect(await bucket.put('a/one.bin', path, { sha256: sha('first content') })).toBe(true)
    const head = await bucket.head('a/one.bin')
    expect(head).toMatchObject({ bytes: 13, sha256: sha('first content') })
    expect(head?.etag).not.toBe('')
    const got = await bucket.get('a/one.bin', here('deep/er/one'))
    expect(got).toEqual({ sha256: sha('first content'), bytes: 13 })
    expect(await readFile(here('deep/er/one'), 'utf8')).toBe('first content')
    expect(await readdir(here('deep/er'))).toEqual(['one'])
  })

  test.skipIf(!existsSync('/dev/full'))('a full disk here is a matter for the operator', async () => {
    await world.bucket.put('a/some', await file('some', 'x'.repeat(1000)), { sha256: sha('x'.repeat(1000)) })
    await symlink('/dev/full', here('full.part'))
    await expect(world.bucket.get('a/some', here('full'))).rejects.toMatchObject({
      data: { kind: 'operator', code: 'disk_full' },
    })
    await rm(here('full.part'))
  })

  test('gives nothing of an object that is larger than it should be', async () => {
    const { bucket } = world
    await bucket.put('a/large', await file('large', 'x'.repeat(1000)), { sha256: sha('x'.repeat(1000)) })
    await expect(bucket.get('a/large', here('got/large'), { bytesMax: 999 })).rejects.toMatchObject({
      data: { kind: 'transient', code: 'transfer_corrupt' },
    })
    expect(existsSync(here('got/large.part'))).toBe(false)
    expect((await bucket.get('a/large', here('got/large'), { bytesMax: 1000 })).bytes).toBe(1000)
  })

  test('keeps an empty file and names with spaces, plus signs and umlauts', async () => {
    const key = 'a/ä +%20 &?#=.png'
    await world.bucket.put(key, await file('empty', ''), { sha256: sha('') })
    expect(await world.bucket.head(key)).toMatchObject({ bytes: 0, sha256: sha('') })
    expect(await world.bucket.get(key, here('empty-back'))).toEqual({ sha256: sha(''), bytes: 0 })
    expect((await world.bucket.list('a/ä')).map(item => item.key)).toEqual([key])
  })

  test('replaces by default, and never when only a new key is wanted', async () => {
    const { bucket } = world
    const [one, two] = [await file('n1', 'one'), await file('n2', 'two')]
    expect(await bucket.put('new', one, { sha256: sha('one'), onlyNew: true })).toBe(true)
    expect(await bucket.put('new', two, { sha256: sha('two'), onlyNew: true })).toBe(false)
    expect(await bucket.putText('new', 'three', { onlyNew: true })).toBe(false)
    expect((await bucket.head('new'))?.sha256).toBe(sha('one'))
    expect(await bucket.put('new', two, { sha256: sha('two') })).toBe(true)
    expect((await bucket.head('new'))?.sha256).toBe(sha('two'))
  })

  test('lets exactly one of twenty racing writers publish a key', async () => {
    const texts = Array.from({ length: 20 }, (_, index) => `writer ${index}`)
    const won = await Promise.all(texts.map(text => world.bucket.putText('race', text, { onlyNew: true })))
    expect(won.filter(Boolean)).toHaveLength(1)
    await world.bucket.get('race', here('race'))
    expect(await readFile(here('race'), 'utf8')).toBe(texts[won.indexOf(true)])
  })

  test('publishes nothing when the file is not what its digest says, or is not there', async () => {
    const path = await file('wrong', 'something')
    const wrong = world.bucket.put('wrong', path, { sha256: sha('something else') })
    await expect(wrong).rejects.toMatchObject({ data: { kind: 'job', code: 'file_changed' } })
    const missing = world.bucket.put('wrong', here('nowhere'), { sha256: sha('') })
    await expect(missing).rejects.toMatchObject({ data: { kind: 'job', code: 'file_unreadable' } })
    const folder = world.bucket.put('wrong', dir, { sha256: sha('') })
    await expect(folder).rejects.toMatchObject({ data: { kind: 'job', code: 'file_unreadable' } })
    expect(await world.bucket.head('wrong')).toBeNull()
  })

  test('says job object_missing for what is not there, and deletes without asking', async () => {
    const missing = world.bucket.get('not/there', here('x'))
    await expect(missing).rejects.toMatchObject({ data: { kind: 'job', code: 'object_missing' } })
    await world.bucket.delete('not/there')
    await world.bucket.putText('soon/gone', 'x')
    await world.bucket.delete('soon/gone')
    expect(await world.bucket.head('soon/gone')).toBeNull()
  })

  test('takes 200 small files at once and lists them all', async () => {
    const path = await file('small', 'small')
    const keys = Array.from({ length: 200 }, (_, index) => `many/${String(index).padStart(3, '0')}`)
    await Promise.all(keys.map(key => world.bucket.put(key, path, { sha256: sha('small') })))
    expect(await world.bucket.list('many/')).toEqual(keys.map(key => ({ key, bytes: 5 })))
    expect(await world.bucket.list('many/01')).toHaveLength(10)
  })

  test('moves a file of several parts and tells how far it is', { timeout: 120_000 }, async () => {
    const bytes = 70_000_000
    const sha256 = await bigFile(here('big'), bytes)
    const up: number[] = []
    await world.bucket.put('big', here('big'), { sha256, onBytes: now => up.push(now) })
    expect(up.at(-1)).toBe(bytes)
    const down: number[] = []
    expect(await world.bucket.get('big', here('big-back'), { onBytes: now => down.push(now) })).toEqual({
      sha256,
      bytes,
    })
    expect(down.at(-1)).toBe(bytes)
    expect(down).toEqual([...down].sort((a, b) => a - b))
    const wrong = world.bucket.put('big-wrong', here('big'), { sha256: sha('') })
    await expect(wrong).rejects.toMatchObject({ data: { code: 'file_changed' } })
    expect(await world.bucket.head('big-wrong')).toBeNull()
    await copyFile(here('big-back'), here('big-back.part'))
    await truncate(here('big-back.part'), 1000)
    // A part of unknown origin is worth nothing.
    expect((await world.bucket.get('big', here('big-back'))).sha256).toBe(sha256)
  })

  test('stops when asked to', async () => {
    const stop = new AbortController()
    stop.abort('cancel')
    const path = await file('stopped', 'x')
    const put = world.bucket.put('stopped', path, { sha256: sha('x'), signal: stop.signal })
    await expect(put).rejects.toMatchObject({ data: { kind: 'transient', code: 'aborted' } })
    expect(await world.bucket.head('stopped')).toBeNull()
  })
})

const [sandbox, real, disk] = bucketMakers as [
  (typeof bucketMakers)[0],
  (typeof bucketMakers)[0],
  (typeof bucketMakers)[0],
]

test('a folder refuses keys that lead out of it', async () => {
  const world = await disk.open()
  for (const key of ['../x', 'a/../../x', '/etc/x', 'a//b', 'a\\..\\b', 'a/\0'])
    await expect(world.bucket.putText(key, 'x')).rejects.toMatchObject({ data: { code: 'key_invalid' } })
  expect(await world.bucket.presign('a', 'GET', 1000)).toBeNull()
  await world.close()
})

describe.each([sandbox, real])('over the network: $name', ({ name, skip, open }) => {
  if (skip) return void test.skip(`${name} is not tested here, because ${skip}`, () => {})
  let world: BucketWorld
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'bucket-test-'))
    world = await open()
  })
  afterAll(async () => {
    await world?.close()
    await rm(dir, { recursive: true, force: true })
  })
  const reopen = (changes: Parameters<NonNullable<BucketWorld['reopen']>>[0]) => {
    if (!world.reopen) throw new Error('this bucket has no server')
    return world.reopen(changes)
  }

  test('a refused key and a missing bucket are for the operator', async () => {
    const refused = await reopen({ secretAccessKey: secretOf('not-the-secret') })
    const expected = { data: { kind: 'operator', code: 'bucket_key_refused' } }
    await expect(refused.putText('x', 'x')).rejects.toMatchObject(expected)
    await expect(refused.head('x')).rejects.toMatchObject(expected)
    await expect(refused.list('')).rejects.toMatchObject(expected)
    const unknown = await reopen({ accessKeyId: 'nobody' })
    await expect(unknown.putText('x', 'x')).rejects.toMatchObject(expected)
    const lost = await reopen({ bucket: 'no-such-bucket-here' })
    await expect(lost.putText('x', 'x')).rejects.toMatchObject({ data: { kind: 'operator', code: 'bucket_missing' } })
  })

  test('signed URLs read and write one object without a key', async () => {
    const put = await world.bucket.presign('signed/ö 1', 'PUT', 60_000)
    expect((await fetch(`${put}`, { method: 'PUT', body: 'by url' })).status).toBe(200)
    const get = await world.bucket.presign('signed/ö 1', 'GET', 60_000)
    expect(await (await fetch(`${get}`)).text()).toBe('by url')
    expect((await fetch(`${get}`, { method: 'PUT', body: 'no' })).status).toBe(403)
    expect(await world.bucket.head('signed/ö 1')).toEqual({
      bytes: 6,
      sha256: null,
      etag: createHash('md5').update('by url').digest('hex'),
    })
  })

  test('signed parts become one object', async () => {
    const parts = [randomBytes(5 * 1024 * 1024), randomBytes(1000)]
    const signed = await world.bucket.presignParts('signed/parts', 2, 60_000)
    if (!signed) throw new Error('no signed parts')
    const etags: string[] = []
    for (const [index, body] of parts.entries()) {
      const answer = await fetch(`${signed.urls[index]}`, { method: 'PUT', body: new Uint8Array(body) })
      etags.push(`${answer.headers.get('etag')}`)
    }
    await world.bucket.completeParts('signed/parts', signed.uploadId, etags)
    const got = await world.bucket.get('signed/parts', join(dir, 'parts'))
    expect(got.sha256).toBe(sha(Buffer.concat(parts)))
  })

  test('a broken download goes on where it stopped', async () => {
    const proxy = await brokenProxy(await reopen({}), reopen)
    const content = randomBytes(6_000_000)
    await writeFile(join(dir, 'src'), content)
    await world.bucket.put('resume', join(dir, 'src'), { sha256: sha(content) })
    proxy.cutAfter(2_500_000)
    const got = await proxy.bucket.get('resume', join(dir, 'resumed'))
    expect(got.sha256).toBe(sha(content))
    const starts = proxy.ranges()
    expect(starts).toHaveLength(2)
    expect(starts[0]).toBeUndefined()
    expect(Number(/bytes=(\d+)-/.exec(`${starts[1]}`)?.[1])).toBeGreaterThan(1_000_000)
    await proxy.close()
  })

  test('a part of another version is thrown away', async () => {
    const proxy = await brokenProxy(await reopen({}), reopen)
    const [first, second] = [randomBytes(3_000_000), randomBytes(3_000_000)]
    await writeFile(join(dir, 'v'), first)
    await world.bucket.put('version', join(dir, 'v'), { sha256: sha(first) })
    proxy.cutAfter(400_000, 4)
    await expect(proxy.bucket.get('version', join(dir, 'v-back'))).rejects.toMatchObject({
      data: { kind: 'transient' },
    })
    expect((await stat(join(dir, 'v-back.part'))).size).toBeGreaterThan(0)
    await writeFile(join(dir, 'v'), second)
    await world.bucket.put('version', join(dir, 'v'), { sha256: sha(second) })
    expect((await proxy.bucket.get('version', join(dir, 'v-back'))).sha256).toBe(sha(second))
    await proxy.close()
  })

  test('an answer that was lost after the object was made is not taken for a stranger’s object', async () => {
    const proxy = await brokenProxy(await reopen({}), reopen)
    proxy.loseAnswers(1)
    expect(await proxy.bucket.putText('lost-answer', 'mine', { onlyNew: true })).toBe(true)
    await world.bucket.putText('taken', 'theirs')
    proxy.loseAnswers(1)
    expect(await proxy.bucket.putText('taken', 'mine', { onlyNew: true })).toBe(false)
    await proxy.close()
  })

  test('a busy or absent bucket is tried four times, then left to the engine', async () => {
    let asked = 0
    const server = createServer((_, response) => {
      asked++
      response.writeHead(503, { 'retry-after': '7', connection: 'close' }).end()
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const options = { bucket: 'b', accessKeyId: 'k', secretAccessKey: secretOf('s'), clock: patient }
    const busy = await createR2({ ...options, endpoint: `http://127.0.0.1:${port}` })
    await expect(busy.putText('x', 'x')).rejects.toMatchObject({
      data: { kind: 'transient', code: 'bucket_busy', retryAfterMs: 7000 },
    })
    // An unclear PUT is followed by a look at the object, which is asked once for each further try.
    expect(asked).toBe(4)
    await new Promise(resolve => server.close(resolve))
    const gone = await createR2({ ...options, endpoint: `http://127.0.0.1:${port}` })
    await expect(gone.head('x')).rejects.toMatchObject({ data: { kind: 'transient', code: 'bucket_unreachable' } })
  })

  const patient: Clock = { now: () => 0, sleep: () => Promise.resolve(), uuid: () => '' }

  /** Passes requests on to the server unchanged, Host included, so that signatures hold; breaks those it is told to. */
  async function brokenProxy(_: unknown, open: typeof reopen) {
    const seen: (string | undefined)[] = []
    let cutAt = 0
    let cuts = 0
    let losses = 0
    const direct = await world.bucket.presign('probe', 'GET', 1000)
    const upstream = new URL(`${direct}`)
    const server = createServer((incoming, outgoing) => {
      incoming.on('error', () => {})
      const headers = { ...incoming.headers }
      const passed = request(
        { host: upstream.hostname, port: upstream.port, method: incoming.method, path: incoming.url, headers },
        answer => {
          if (incoming.method === 'PUT' && losses > 0) {
            losses--
            answer.resume().on('end', () => outgoing.destroy())
            return
          }
          outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
          if (incoming.method !== 'GET') return void answer.pipe(outgoing)
          seen.push(incoming.headers.range)
          if (cuts === 0) return void answer.pipe(outgoing)
          cuts--
          let sent = 0
          answer.on('data', (chunk: Buffer) => {
            sent += chunk.length
            if (sent < cutAt) outgoing.write(chunk)
            else outgoing.write(chunk, () => outgoing.destroy())
          })
        },
      )
      passed.on('error', () => outgoing.destroy())
      outgoing.on('close', () => passed.destroy())
      incoming.pipe(passed)
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return {
      bucket: await open({ endpoint: `http://127.0.0.1:${port}`, clock: patient }),
      ranges: () => seen,
      cutAfter: (bytes: number, times = 1) => {
        cutAt = bytes
        cuts = times
      },
      loseAnswers: (times: number) => {
        losses = times
      },
      close: () => {
        server.closeAllConnections()
        return new Promise(resolve => server.close(resolve))
      },
    }
  }
})
