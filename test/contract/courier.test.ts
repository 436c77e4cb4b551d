// The courier between real folders, a real sh with curl, and every bucket: nothing is lost, nothing is believed unchecked.
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Artifact, InputFile } from '../../src/domain/job.ts'
import { createCourier } from '../../src/edge/transfer.ts'
import type { Bucket, CollectOn, Courier, PodFile, Transfer } from '../../src/ports.ts'
import { type BucketWorld, bucketMakers } from './bucket-worlds.ts'
import {
  byKey,
  clock,
  type LocalPod,
  localPod,
  pathOf,
  sha,
  specWith,
  spoiler,
  taskWith,
  writeBig,
} from './courier-worlds.ts'

const PLAIN_TOOLS = [
  'cat',
  'cksum',
  'dd',
  'dirname',
  'mkdir',
  'mktemp',
  'mv',
  'rm',
  'sha256sum',
  'sleep',
  'touch',
  'wc',
]
const never = new AbortController().signal

describe.each(bucketMakers)('a courier with $name', ({ name, skip, open }) => {
  if (skip) return void test.skip(`${name} is not tested here, because ${skip}`, () => {})
  const signs = name !== 'disk'
  let world: BucketWorld
  let dir: string
  let courier: Courier
  let pod: LocalPod
  const at = (...path: string[]) => join(dir, ...path)
  const courierOf = (bucket: Bucket, partBytes?: number) =>
    createCourier({ bucket, bucketName: 'files', tempDir: at('temp'), clock, ...(partBytes ? { partBytes } : {}) })

  beforeEach(async () => {
    world = await open()
    dir = await mkdtemp(join(tmpdir(), 'courier-'))
    await mkdir(at('pod'))
    courier = courierOf(world.bucket)
    pod = localPod()
  })
  afterEach(async () => {
    for (const left of await readdir(at('temp')).catch(() => [])) expect.soft(left).toBe('nothing left behind')
    await world.close()
    await rm(dir, { recursive: true, force: true })
  })

  const input = async (file: string, content: string | Buffer): Promise<InputFile> => {
    await writeFile(at(file), content)
    const sha256 = sha(content)
    const bytes = Buffer.byteLength(content)
    return { name: file, source: at(file), sha256, bytes, podPath: `autopod/${sha256}.bin` }
  }
  const deliver = (inputs: InputFile[], to = pod, by = courier, on: (t: Transfer) => void = () => {}) =>
    by.deliver(inputs, to, at('pod'), on, never)
  const onPod = (file: InputFile) => readFile(at('pod', file.podPath), 'utf8')
  const podFile = async (file: string, content: string | Buffer, nodeId = '9', folder = 'output'): Promise<PodFile> => {
    await mkdir(at('pod', folder), { recursive: true })
    await writeFile(at('pod', folder, file), content)
    return { podPath: at('pod', folder, file), nodeId, file }
  }
  const collect = async (files: PodFile[], task = taskWith(), by = courier, from = pod) => {
    const stored: Artifact[] = []
    const moved: Transfer[] = []
    const on: CollectOn = { stored: artifact => void stored.push(artifact), moved: t => void moved.push(t) }
    const artifacts = await by.collect(task, files, from, on, never).catch(fault => ({ fault }))
    return { artifacts: artifacts as Artifact[], fault: (artifacts as { fault?: unknown }).fault, stored, moved }
  }
  const readBack = async (key: string) => {
    await world.bucket.get(key, at('back'))
    return readFile(at('back'), 'utf8')
  }

  test('delivers inputs once, verified, and sends nothing again that is there', async () => {
    const files = [await input('a b.png', 'one'), await input('c', ''), await input("it's $(x)", 'three')]
    const seen: Transfer[] = []
    await deliver(files, pod, courier, t => void seen.push(t))
    expect(await Promise.all(files.map(onPod))).toEqual(['one', '', 'three'])
    expect(seen.at(-1)).toEqual({ phase: 'inputs', bytes: 8, bytesTotal: 8 })
    expect((await readdir(at('pod', 'autopod'))).filter(left => left.includes('part'))).toEqual([])
    const before = pod.commands.length
    await deliver(files)
    expect(pod.commands.length - before).toBe(1)
    expect(pod.puts).toBe(signs ? 0 : 3)
  })

  test('a file on the pod with other content is replaced', async () => {
    const file = await input('a', 'right')
    await mkdir(at('pod', 'autopod'))
    await writeFile(at('pod', file.podPath), 'wrong')
    await deliver([file])
    expect(await onPod(file)).toBe('right')
  })

  test('an input that changed since it was checked stops the job', async () => {
    const file = await input('a', 'as it was')
    await writeFile(at('a'), 'as it is now')
    await expect(deliver([{ ...file, bytes: 12 }])).rejects.toMatchObject({
      data: { kind: 'job', code: 'file_changed' },
    })
  })

  test('input paths that would leave the folder are refused', async () => {
    const file = await input('a', 'x')
    for (const podPath of ['../a', 'x/../../a', 'a\nb'])
      await expect(deliver([{ ...file, podPath }])).rejects.toMatchObject({ data: { code: 'unsafe_name' } })
    expect(await readdir(at('pod'))).toEqual([])
  })

  test('fetches r2:// sources of its own bucket only', async () => {
    await world.bucket.putText('voice.wav', 'sound')
    const file: InputFile = { name: 'v', source: 'r2://files/voice.wav', sha256: null, bytes: null, podPath: 'v.wav' }
    await deliver([file])
    expect(await onPod(file)).toBe('sound')
    const other = deliver([{ ...file, source: 'r2://other/voice.wav' }])
    await expect(other).rejects.toMatchObject({ data: { kind: 'job', code: 'bucket_foreign' } })
    const missing = deliver([{ ...file, source: 'r2://files/none.wav' }])
    await expect(missing).rejects.toMatchObject({ data: { kind: 'job', code: 'input_missing' } })
  })

  test('collects outputs under the attempt, names them, and ends with a manifest', async () => {
    const files = [
      await podFile('a.png', 'first'),
      await podFile('b c.png', 'second'),
      await podFile('a.png', 'other node', '12', 'else'),
      await podFile('A.png', 'only the case differs', '9', 'upper'),
      await podFile('manifest.json', '{}', '9', 'm'),
    ]
    const { artifacts, stored, moved } = await collect(files)
    expect(byKey(artifacts)).toEqual(['a.png', 'b c.png', 'a-2.png', 'A-3.png', 'manifest-2.json'])
    expect(artifacts.map(a => [a.name, a.index])).toEqual([
      ['image', 0],
      ['image', 1],
      [null, 0],
      ['image', 2],
      ['image', 3],
    ])
    expect(artifacts[0]).toMatchObject({ key: 'out/run1/job/1/a.png', sha256: sha('first'), bytes: 5, file: 'a.png' })
    expect(new Set(stored)).toEqual(new Set(artifacts))
    expect(moved.at(-1)?.bytes).toBe(moved.at(-1)?.bytesTotal)
    expect(await readBack('out/run1/job/1/a-2.png')).toBe('other node')
    const manifest = JSON.parse(await readBack('out/run1/job/1/manifest.json'))
    expect(manifest).toMatchObject({ version: 1, promptId: 'p1', artifacts })
  })

  test('collects 200 small files', { timeout: 60_000 }, async () => {
    const files = await Promise.all(
      Array.from({ length: 200 }, (_, index) => podFile(`f${index}.txt`, `content ${index}`)),
    )
    const { artifacts } = await collect(files)
    expect(artifacts.map(artifact => artifact.sha256)).toEqual(files.map((_, index) => sha(`content ${index}`)))
    expect(await world.bucket.list('out/run1/job/1/')).toHaveLength(201)
  })

  test('moves 300 MB up, down and onto the next pod', { timeout: 180_000 }, async () => {
    const sha256 = await writeBig(at('pod', 'output', 'big.mp4'), 290, 1234)
    const big: PodFile = { podPath: at('pod', 'output', 'big.mp4'), nodeId: '9', file: 'big.mp4' }
    const { artifacts, fault, moved } = await collect([big])
    expect(fault).toBeUndefined()
    expect(artifacts).toMatchObject([{ sha256, bytes: 290 * 1024 * 1024 + 1234 }])
    if (signs) expect(moved.length).toBeGreaterThan(4)
    const spec = specWith([{ name: 'image', nodeId: '9', target: at('out', 'clip.{ext}') }])
    expect(await courier.publish(spec, artifacts, () => false)).toMatchObject([{ path: at('out', 'clip.mp4'), sha256 }])
    const bytes = artifacts[0]?.bytes ?? 0
    await deliver([{ name: 'x', source: at('out', 'clip.mp4'), sha256, bytes, podPath: 'in.mp4' }])
    expect((await stat(at('pod', 'in.mp4'))).size).toBe(bytes)
  })

  test('hostile names cost their own artifact and fail the attempt after the others are safe', async () => {
    const good = await podFile('good.png', 'good')
    const files = [
      { ...good, file: '../../evil.sh' },
      good,
      { ...good, podPath: `${at('pod')}/../secret`, file: 'x' },
      { ...good, file: 'con.png' },
    ]
    const { stored, fault } = await collect(files)
    expect(fault).toMatchObject({ data: { kind: 'job', code: 'unsafe_name' } })
    expect(`${fault}`).toMatch(/evil\.sh.*leads to another folder, and 2 more were refused/)
    expect(byKey(stored)).toEqual(['good.png'])
    expect((await world.bucket.list('out/')).map(item => item.key)).toEqual(['out/run1/job/1/good.png'])
  })

  test('file names are data to the pod’s shell', async () => {
    const evil = "a'$(touch HACKED)`touch HACKED`;touch HACKED #.png"
    const { artifacts } = await collect([await podFile(evil, 'x'), await podFile('-rf', 'y')])
    expect(byKey(artifacts)).toEqual([evil, '-rf'])
    const spec = specWith([{ name: 'image', nodeId: '9', target: at('out/') }])
    expect(await courier.publish(spec, artifacts, () => false)).toHaveLength(2)
    expect((await readdir(dir)).concat(await readdir('.'))).not.toContain('HACKED')
  })

  test('of two engines that end one attempt the first one counts', async () => {
    const mine = await podFile('a.png', 'same')
    const [one, two] = await Promise.all([collect([mine]), collect([mine])])
    expect(one.artifacts).toEqual(two.artifacts)
    expect(one.artifacts).toHaveLength(1)
    const late = await collect([await podFile('a.png', 'zombie')], taskWith({ promptId: 'p2' }))
    expect(late.fault).toMatchObject({ data: { kind: 'transient', code: 'attempt_fenced' } })
    expect(await readBack('out/run1/job/1/a.png')).toBe('same')
  })

  test('a resumed attempt takes its manifest, and notices when the bucket lost a file of it', async () => {
    const first = await collect([await podFile('a.png', 'same'), await podFile('b.png', 'b')])
    await rm(at('pod', 'output'), { recursive: true })
    const again = await collect([], taskWith({ resumed: true }))
    expect(again.artifacts).toEqual(first.artifacts)
    expect(again.stored).toEqual(first.artifacts)
    await world.bucket.delete('out/run1/job/1/b.png')
    const broken = await collect([], taskWith({ resumed: true }))
    expect(broken.fault).toMatchObject({ data: { kind: 'transient', code: 'artifact_missing' } })
  })

  test('a resumed attempt without a manifest sends only what is not there', async () => {
    const [a, b] = [await podFile('a.png', 'a'), await podFile('b.png', 'b')]
    await collect([a])
    await world.bucket.delete('out/run1/job/1/manifest.json')
    const before = pod.commands.length + pod.gets
    const { artifacts } = await collect([a, b], taskWith({ resumed: true }))
    expect(artifacts).toHaveLength(2)
    // One look and one file.
    expect(pod.commands.length + pod.gets - before).toBe(2)
  })

  test('an output that is gone from the pod fails the attempt', async () => {
    const file = await podFile('a.png', 'a')
    const { fault } = await collect([file, { ...file, podPath: `${file.podPath}.gone` }])
    expect(fault).toMatchObject({ data: { kind: 'transient', code: 'output_file_missing' } })
  })

  test('a pod without curl and md5sum gets and gives its files all the same', async () => {
    const bare = localPod(await pathOf(at('bin'), PLAIN_TOOLS))
    const file = await input('a', 'over ssh')
    await world.bucket.putText('k', 'from the bucket')
    const remote = { name: 'r', source: 'r2://files/k', sha256: null, bytes: null, podPath: 'r' }
    await deliver([file, remote], bare)
    expect([await onPod(file), await onPod(remote)]).toEqual(['over ssh', 'from the bucket'])
    expect(bare.puts).toBe(2)
    const { artifacts } = await collect([await podFile('o.png', 'out')], taskWith(), courier, bare)
    expect(bare.gets).toBe(1)
    expect(await world.bucket.head(artifacts[0]?.key ?? '')).toMatchObject({ bytes: 3, sha256: sha('out') })
  })

  test('stops when asked to', async () => {
    const stop = new AbortController()
    stop.abort('cancel')
    const file = await input('a', 'x')
    await expect(courier.deliver([file], pod, at('pod'), () => {}, stop.signal)).rejects.toThrow()
    await expect(stat(at('pod', file.podPath))).rejects.toThrow()
  })

  describe('publishing', () => {
    const targets = (target: string) => specWith([{ name: 'image', nodeId: '9', target }])
    const stored = async (...names: string[]) => {
      const files = await Promise.all(names.map((file, index) => podFile(file, `${file} ${index}`)))
      return (await collect(files)).artifacts
    }
    const paths = async (target: string, artifacts: Artifact[]) =>
      (await courier.publish(targets(target), artifacts, () => false)).map(done => done.path?.slice(dir.length + 1))

    test('fills {ext} and {index}, numbers what would collide, and keeps names in a folder', async () => {
      const two = await stored('x_1.png', 'x_2.png')
      expect(await paths(at('o/r-{index}.{ext}'), two)).toEqual(['o/r-0.png', 'o/r-1.png'])
      expect(await paths(at('p/r.{ext}'), two)).toEqual(['p/r-1.png', 'p/r-2.png'])
      expect(await paths(at('q/r.{ext}'), two.slice(0, 1))).toEqual(['q/r.png'])
      expect(await paths(at('o/f/'), two)).toEqual(['o/f/x_1.png', 'o/f/x_2.png'])
    })

    test('never replaces a stranger’s file, and takes the same content for done', async () => {
      const one = await stored('a.png')
      await writeFile(at('mine.png'), 'precious')
      const blocked = courier.publish(targets(at('mine.png')), one, () => false)
      await expect(blocked).rejects.toMatchObject({ data: { kind: 'job', code: 'output_exists' } })
      expect(await readFile(at('mine.png'), 'utf8')).toBe('precious')
      const asked: string[][] = []
      await courier.publish(targets(at('mine.png')), one, (...args) => asked.push(args) > 0)
      expect(asked[0]).toEqual([at('mine.png'), sha('precious')])
      expect(await readFile(at('mine.png'), 'utf8')).toBe('a.png 0')
      expect(await courier.publish(targets(at('mine.png')), one, () => false)).toHaveLength(1)
      await mkdir(at('folder'))
      await expect(courier.publish(targets(at('folder')), one, () => true)).rejects.toMatchObject({
        data: { code: 'output_exists' },
      })
      await symlink(at('nowhere'), at('dangling'))
      await expect(courier.publish(targets(at('dangling')), one, () => true)).rejects.toMatchObject({
        data: { code: 'output_exists' },
      })
      expect((await readdir(dir)).filter(left => left.startsWith('.autopod'))).toEqual([])
    })

    test('puts results into the bucket under the same rules', async () => {
      const one = await stored('a.png')
      const done = await courier.publish(targets('r2://files/results/a.{ext}'), one, () => false)
      expect(done).toEqual([
        { name: 'image', path: null, url: 'r2://files/results/a.png', bytes: 7, sha256: sha('a.png 0') },
      ])
      expect(await readBack('results/a.png')).toBe('a.png 0')
      expect(await courier.publish(targets('r2://files/results/a.png'), one, () => false)).toHaveLength(1)
      await world.bucket.putText('results/other', 'theirs')
      const blocked = courier.publish(targets('r2://files/results/other'), one, () => false)
      await expect(blocked).rejects.toMatchObject({ data: { code: 'output_exists' } })
      const foreign = courier.publish(targets('r2://elsewhere/a'), one, () => false)
      await expect(foreign).rejects.toMatchObject({ data: { code: 'bucket_foreign' } })
    })

    test('an output without a file, and an object that is not what it was, are faults', async () => {
      const one = await stored('a.png')
      await expect(courier.publish(targets(at('x')), [], () => false)).rejects.toMatchObject({
        data: { kind: 'job', code: 'output_missing' },
      })
      await world.bucket.putText(one[0]?.key ?? '', 'changed')
      await expect(courier.publish(targets(at('x')), one, () => false)).rejects.toMatchObject({
        data: { kind: 'transient', code: 'transfer_corrupt' },
      })
      expect((await readdir(dir)).filter(left => left === 'x' || left.startsWith('.autopod'))).toEqual([])
    })
  })

  describe.runIf(signs)('with signed URLs', () => {
    test('twenty jobs with one input upload it once', async () => {
      let puts = 0
      const put: Bucket['put'] = (...args) => {
        puts++
        return world.bucket.put(...args)
      }
      const counting: Bucket = { ...world.bucket, put }
      const file = await input('a', randomBytes(100_000))
      const by = courierOf(counting)
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          by.deliver([file], localPod(), at('pod', `${index}`), () => {}, never),
        ),
      )
      expect(puts).toBe(1)
      expect(sha(await readFile(at('pod', '19', file.podPath)))).toBe(file.sha256)
    })

    test('no command line shows a signed URL', async () => {
      await deliver([await input('a', 'x')])
      await collect([await podFile('o', 'y')])
      expect(pod.commands).toHaveLength(4)
      expect(pod.commands.join('\n')).not.toMatch(/X-Amz|https?:/)
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
      const by = courierOf({ ...world.bucket, presign: () => Promise.resolve(`${server.base}/x`) })
      await deliver([file], pod, by)
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
      const url = await world.bucket.presign(`in/${file.sha256}`, 'PUT', 60_000)
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
      ...world.bucket,
      presign: async (...args) => `${base}/?to=${encodeURIComponent(`${await world.bucket.presign(...args)}`)}`,
    })

    test('an upload that arrives spoilt is sent again, and never counted when it stays so', async () => {
      const once = await flipping(number => number === 1)
      const { artifacts } = await collect(
        [await podFile('a.png', 'picture')],
        taskWith(),
        courierOf(through(once.base)),
      )
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
      expect(await world.bucket.list('out/run1/job/2/')).toEqual([])
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
      const by = courierOf({ ...world.bucket, presign: () => Promise.resolve(`${closed.base}/x`) })
      const file = await input('a', 'by ssh')
      await deliver([file], pod, by)
      expect(await onPod(file)).toBe('by ssh')
      const { artifacts } = await collect([await podFile('a.png', 'back')], taskWith(), by)
      expect([pod.puts, pod.gets]).toEqual([1, 1])
      expect(await readBack(artifacts[0]?.key ?? '')).toBe('back')
    })

    test('a refused signature is passing, a refused key is not', async () => {
      const refusing = await spoiler((_, response) => void response.writeHead(403).end())
      const by = courierOf({
        ...world.bucket,
        presign: () => Promise.resolve(`${refusing.base}/x?X-Amz-Signature=secret`),
      })
      const { fault } = await collect([await podFile('a.png', 'x')], taskWith(), by)
      expect(fault).toMatchObject({ data: { kind: 'transient', code: 'transfer_refused' } })
      expect(`${fault}`).not.toContain('secret')
      await refusing.close()
      const wrong = await world.reopen?.({ secretAccessKey: 'wrong' })
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
        ...world.bucket,
        async presignParts(...args) {
          const signed = await world.bucket.presignParts(...args)
          return signed && { ...signed, urls: signed.urls.map(url => `${parts.base}/?to=${encodeURIComponent(url)}`) }
        },
        get: () => Promise.reject(new Error('bug: read back')),
      }
      const file = { podPath: at('pod', 'output', 'b.bin'), nodeId: '9', file: 'b.bin' }
      const { artifacts, fault } = await collect([file], taskWith(), courierOf(bucket, 5 * 1024 * 1024))
      expect(fault).toBeUndefined()
      expect(parts.seen).toHaveLength(4)
      expect((await world.bucket.get(artifacts[0]?.key ?? '', at('back'))).sha256).toBe(sha256)
      await parts.close()
    })

    test('an upload cut short on the pod’s side leaves no object', async () => {
      const file = await podFile('a.bin', randomBytes(2_000_000))
      const cutting = await spoiler((_, response) => void response.destroy())
      const { fault } = await collect([file], taskWith(), courierOf(through(cutting.base)))
      expect(fault).toMatchObject({ data: { kind: 'transient', code: 'transfer_failed' } })
      expect(await world.bucket.list('out/')).toEqual([])
      await truncate(file.podPath, 10)
      expect((await collect([file])).artifacts[0]?.sha256).toBe(sha(await readFile(file.podPath)))
      await cutting.close()
    })
  })
})
