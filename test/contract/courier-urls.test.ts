// The courier by signed URLs: what breaks, spoils or refuses on the way between a pod's curl and the bucket.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { curlConfig, fetchScript } from '../../src/edge/transfer-scripts.ts'
import type { Bucket } from '../../src/ports.ts'
import { secretOf } from '../../src/wire/secret.ts'
import { bucketMakers } from './bucket-worlds.ts'
import { beforeItEnds } from './child.ts'
import { courierSetting, never } from './courier-setting.ts'
import { localPod, sha, spoiler, taskWith, writeBig } from './courier-worlds.ts'

const signing = bucketMakers.filter(maker => maker.name !== 'disk')

describe.each(signing)('signed URLs of $name', ({ name, skip, open }) => {
  if (skip) return void test.skip(`${name} is not tested here, because ${skip}`, () => {})
  const { now, at, courierOf, input, deliver, onPod, podFile, collect, readBack } = courierSetting(open)

  test('twenty jobs with one input upload it once', async () => {
    let puts = 0
    const put: Bucket['put'] = (...args) => {
      puts++
      return now.bucket.put(...args)
    }
    const counting: Bucket = { ...now.bucket, put }
    const file = await input('a', randomBytes(100_000))
    const by = courierOf(counting)
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => by.deliver([file], localPod(), at('pod', `${index}`), () => {}, never)),
    )
    expect(puts).toBe(1)
    expect(sha(await readFile(at('pod', '19', file.podPath)))).toBe(file.sha256)
  })

  test('no command line shows a signed URL', async () => {
    await deliver([await input('a', 'x')])
    await collect([await podFile('o', 'y')])
    expect(now.pod.commands).toHaveLength(4)
    expect(now.pod.commands.join('\n')).not.toMatch(/X-Amz|https?:/)
  })

  test('a download that broke goes on where it stopped', async () => {
    const content = randomBytes(3_000_000)
    const file = await input('a', content)
    const server = await spoiler((request, response, number) => {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
      const length = content.length - from
      const range = from > 0 ? { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` } : {}
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': length, ...range })
      if (number > 1) return void response.end(content.subarray(from))
      response.write(content.subarray(0, 1_000_000), () => response.destroy())
    })
    const by = courierOf({ ...now.bucket, presign: () => Promise.resolve(`${server.base}/x`) })
    await deliver([file], now.pod, by)
    expect(server.seen.map(request => request.headers.range)).toEqual([undefined, 'bytes=1000000-'])
    expect(sha(await readFile(at('pod', file.podPath)))).toBe(file.sha256)
    await server.close()
  })

  test('a part of something else, and a spoilt object in the bucket, are replaced', async () => {
    const file = await input('a', 'the right content')
    await mkdir(at('pod', 'autopod'))
    await writeFile(at('pod', `${file.podPath}.part`), 'something')
    await deliver([file])
    expect(await onPod(file)).toBe('the right content')
    await rm(at('pod', file.podPath))
    const url = await now.bucket.presign(`in/${file.sha256}`, 'PUT', 60_000)
    await fetch(`${url}`, { method: 'PUT', body: 'the wrong content' })
    await deliver([file])
    expect(await onPod(file)).toBe('the right content')
    expect(await readBack(`in/${file.sha256}`)).toBe('the right content')
  })

  /** Passes uploads on; spoils or drops those it is told to, by their number from 1. */
  const flipping = (spoils: (number: number) => boolean, drops: (number: number) => boolean = () => false) =>
    spoiler(async (request, response, number, body) => {
      if (drops(number)) return void response.destroy()
      const bytes = new Uint8Array(body)
      if (spoils(number)) bytes[0] = (bytes[0] ?? 0) ^ 1
      const real = decodeURIComponent(new URL(request.url ?? '', 'http://x').searchParams.get('to') ?? '')
      const answer = await fetch(real, { method: 'PUT', body: bytes })
      response.writeHead(answer.status, { ETag: `${answer.headers.get('etag')}` }).end()
    })
  const through = (base: string): Bucket => ({
    ...now.bucket,
    presign: async (...args) => `${base}/?to=${encodeURIComponent(`${await now.bucket.presign(...args)}`)}`,
  })

  test('an upload that arrives spoilt is sent again, and never counted when it stays so', async () => {
    const once = await flipping(number => number === 1)
    const { artifacts } = await collect([await podFile('a.png', 'picture')], taskWith(), courierOf(through(once.base)))
    expect(await readBack(artifacts[0]?.key ?? '')).toBe('picture')
    await once.close()
    const always = await flipping(() => true)
    const { fault, stored } = await collect(
      [await podFile('a.png', 'picture')],
      taskWith({ attempt: 2 }),
      courierOf(through(always.base)),
    )
    expect(fault).toMatchObject({ data: { kind: 'transient', code: 'upload_corrupt' } })
    expect(stored).toEqual([])
    expect(await now.bucket.list('out/run1/job/2/')).toEqual([])
    await always.close()
  })

  test('where the ETag tells nothing the object is read back', async () => {
    const secretive = await spoiler(async (request, response, _, body) => {
      const real = decodeURIComponent(new URL(request.url ?? '', 'http://x').searchParams.get('to') ?? '')
      const answer = await fetch(real, { method: 'PUT', body: new Uint8Array(body) })
      response.writeHead(answer.status, { ETag: '"encrypted"' }).end()
    })
    const { artifacts } = await collect([await podFile('a', 'x')], taskWith(), courierOf(through(secretive.base)))
    expect(artifacts).toMatchObject([{ sha256: sha('x') }])
    await secretive.close()
  })

  test('a pod that cannot reach the bucket is served over SSH', async () => {
    const closed = await spoiler(() => {})
    await closed.close()
    const by = courierOf({ ...now.bucket, presign: () => Promise.resolve(`${closed.base}/x`) })
    const file = await input('a', 'by ssh')
    await deliver([file], now.pod, by)
    expect(await onPod(file)).toBe('by ssh')
    const { artifacts } = await collect([await podFile('a.png', 'back')], taskWith(), by)
    expect([now.pod.puts, now.pod.gets]).toEqual([1, 1])
    expect(await readBack(artifacts[0]?.key ?? '')).toBe('back')
  })

  test('a refused signature is passing, a refused key is not', async () => {
    const refusing = await spoiler((_, response) => void response.writeHead(403).end())
    const by = courierOf({
      ...now.bucket,
      presign: () => Promise.resolve(`${refusing.base}/x?X-Amz-Signature=secret`),
    })
    const { fault } = await collect([await podFile('a.png', 'x')], taskWith(), by)
    expect(fault).toMatchObject({ data: { kind: 'transient', code: 'transfer_refused' } })
    expect(`${fault}`).not.toContain('secret')
    await refusing.close()
    const wrong = await now.world.reopen?.({ secretAccessKey: secretOf('wrong') })
    const refused = collect([await podFile('a.png', 'x')], taskWith(), courierOf(wrong as Bucket))
    expect((await refused).fault).toMatchObject({ data: { kind: 'operator', code: 'bucket_key_refused' } })
  })

  test('parts are proven by their MD5, and a part that breaks is sent again', { timeout: 60_000 }, async () => {
    const sha256 = await writeBig(at('pod', 'output', 'b.bin'), 12, 77)
    const parts = await flipping(
      () => false,
      number => number === 2,
    )
    const bucket: Bucket = {
      ...now.bucket,
      async presignParts(...args) {
        const signed = await now.bucket.presignParts(...args)
        return signed && { ...signed, urls: signed.urls.map(url => `${parts.base}/?to=${encodeURIComponent(url)}`) }
      },
      get: () => Promise.reject(new Error('bug: read back')),
    }
    const file = { podPath: at('pod', 'output', 'b.bin'), nodeId: '9', file: 'b.bin' }
    const { artifacts, fault } = await collect([file], taskWith(), courierOf(bucket, 5 * 1024 * 1024))
    expect(fault).toBeUndefined()
    expect(parts.seen).toHaveLength(4)
    expect((await now.bucket.get(artifacts[0]?.key ?? '', at('back'))).sha256).toBe(sha256)
    await parts.close()
  })

  test('an upload cut short on the pod’s side leaves no object', async () => {
    const file = await podFile('a.bin', randomBytes(2_000_000))
    const cutting = await spoiler((_, response) => void response.destroy())
    const { fault } = await collect([file], taskWith(), courierOf(through(cutting.base)))
    expect(fault).toMatchObject({ data: { kind: 'transient', code: 'transfer_failed' } })
    expect(await now.bucket.list('out/')).toEqual([])
    await truncate(file.podPath, 10)
    expect((await collect([file])).artifacts[0]?.sha256).toBe(sha(await readFile(file.podPath)))
    await cutting.close()
  })

  test('curl ends when the connection does, so that no two write into one part', async () => {
    const file = await input('a', randomBytes(1_000_000))
    let gone = () => {}
    const left = new Promise<void>(resolve => {
      gone = resolve
    })
    let begun = () => {}
    const started = new Promise<void>(resolve => {
      begun = resolve
    })
    const slow = await spoiler((_, response) => {
      response.on('close', gone)
      response.writeHead(200, { 'content-length': 1_000_000 })
      response.write(Buffer.alloc(1000), begun)
    })
    const script = fetchScript(at('pod', 'a'), 1_000_000, file.sha256)
    const child = spawn('/bin/sh', ['-c', script])
    child.stdin.end(curlConfig(`${slow.base}/x`))
    await beforeItEnds(child, started)
    child.stdout.destroy()
    await left
    await slow.close()
  })
})
