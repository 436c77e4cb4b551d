// The courier between real folders, a real sh with curl, and every bucket: nothing is lost, nothing is believed unchecked.
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Fault } from '../../src/domain/fault.ts'
import type { InputFile } from '../../src/domain/job.ts'
import type { PodFile, Transfer } from '../../src/ports.ts'
import { bucketMakers } from './bucket-worlds.ts'
import { courierSetting } from './courier-setting.ts'
import { byKey, localPod, pathOf, sha, specWith, taskWith, writeBig } from './courier-worlds.ts'

const PLAIN_TOOLS = 'cat cksum dd dirname mkdir mktemp mv rm sha256sum sleep touch wc'.split(' ')

describe.each(bucketMakers)('a courier with $name', ({ name, skip, open }) => {
  if (skip) return void test.skip(`${name} is not tested here, because ${skip}`, () => {})
  const signs = name !== 'disk'
  const { now, at, courierOf, input, deliver, onPod, podFile, collect, readBack } = courierSetting(open)

  test('delivers inputs once, verified, and sends nothing again that is there', async () => {
    const files = [await input('a b.png', 'one'), await input('c', ''), await input("it's $(x)", 'three')]
    const seen: Transfer[] = []
    await deliver(files, now.pod, now.courier, t => void seen.push(t))
    expect(await Promise.all(files.map(onPod))).toEqual(['one', '', 'three'])
    expect(seen.at(-1)).toEqual({ phase: 'inputs', bytes: 8, bytesTotal: 8 })
    expect((await readdir(at('pod', 'autopod'))).filter(left => left.includes('part'))).toEqual([])
    const before = now.pod.commands.length
    await deliver(files)
    expect(now.pod.commands.length - before).toBe(1)
    expect(now.pod.puts).toBe(signs ? 0 : 3)
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
    await now.bucket.putText('voice.wav', 'sound')
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

  test('collects 60 small files', { timeout: 60_000 }, async () => {
    const files = await Promise.all(
      Array.from({ length: 60 }, (_, index) => podFile(`f${index}.txt`, `content ${index}`)),
    )
    const { artifacts } = await collect(files)
    expect(artifacts.map(artifact => artifact.sha256)).toEqual(files.map((_, index) => sha(`content ${index}`)))
    expect(await now.bucket.list('out/run1/job/1/')).toHaveLength(61)
  })

  test('moves a file of several parts up, down and onto the next pod', { timeout: 180_000 }, async () => {
    // More than a bucket takes in one request from this machine, and than the pod sends in two.
    const sha256 = await writeBig(at('pod', 'output', 'big.mp4'), 66, 1234)
    const inParts = courierOf(now.bucket, 32 * 1024 * 1024)
    const big: PodFile = { podPath: at('pod', 'output', 'big.mp4'), nodeId: '9', file: 'big.mp4' }
    const { artifacts, fault, moved } = await collect([big], taskWith(), inParts)
    expect(fault).toBeUndefined()
    expect(artifacts).toMatchObject([{ sha256, bytes: 66 * 1024 * 1024 + 1234 }])
    if (signs) expect(moved.length).toBeGreaterThan(2)
    const spec = specWith([{ name: 'image', nodeId: '9', target: at('out', 'clip.{ext}') }])
    expect(await now.courier.publish(spec, artifacts, () => false)).toMatchObject([
      { path: at('out', 'clip.mp4'), sha256 },
    ])
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
    expect((await now.bucket.list('out/')).map(item => item.key)).toEqual(['out/run1/job/1/good.png'])
  })

  test('file names are data to the pod’s shell', async () => {
    const evil = "a'$(touch HACKED)`touch HACKED`;touch HACKED #.png"
    const { artifacts } = await collect([await podFile(evil, 'x'), await podFile('-rf', 'y')])
    expect(byKey(artifacts)).toEqual([evil, '-rf'])
    const spec = specWith([{ name: 'image', nodeId: '9', target: at('out/') }])
    expect(await now.courier.publish(spec, artifacts, () => false)).toHaveLength(2)
    expect((await readdir(now.dir)).concat(await readdir('.'))).not.toContain('HACKED')
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
    await now.bucket.delete('out/run1/job/1/b.png')
    const broken = await collect([], taskWith({ resumed: true }))
    expect(broken.fault).toMatchObject({ data: { kind: 'transient', code: 'artifact_missing' } })
  })

  test('a resumed attempt without a manifest sends only what is not there', async () => {
    const [a, b] = [await podFile('a.png', 'a'), await podFile('b.png', 'b')]
    await collect([a])
    await now.bucket.delete('out/run1/job/1/manifest.json')
    const before = now.pod.commands.length + now.pod.gets
    const { artifacts } = await collect([a, b], taskWith({ resumed: true }))
    expect(artifacts).toHaveLength(2)
    // One look and one file.
    expect(now.pod.commands.length + now.pod.gets - before).toBe(2)
  })

  test('an output that is gone from the pod fails the attempt', async () => {
    const file = await podFile('a.png', 'a')
    const { fault } = await collect([file, { ...file, podPath: `${file.podPath}.gone` }])
    expect(fault).toMatchObject({ data: { kind: 'transient', code: 'output_file_missing' } })
  })

  test('a pod without curl and md5sum gets and gives its files all the same', async () => {
    const bare = localPod(await pathOf(at('bin'), PLAIN_TOOLS))
    const file = await input('a', 'over ssh')
    await now.bucket.putText('k', 'from the bucket')
    const remote = { name: 'r', source: 'r2://files/k', sha256: null, bytes: null, podPath: 'r' }
    await deliver([file, remote], bare)
    expect([await onPod(file), await onPod(remote)]).toEqual(['over ssh', 'from the bucket'])
    expect(bare.puts).toBe(2)
    const { artifacts } = await collect([await podFile('o.png', 'out')], taskWith(), now.courier, bare)
    expect(bare.gets).toBe(1)
    expect(await now.bucket.head(artifacts[0]?.key ?? '')).toMatchObject({ bytes: 3, sha256: sha('out') })
  })

  test('nothing is left here of files that broke on their way', async () => {
    const { artifacts } = await collect([await podFile('a.png', 'a')])
    const breaking = courierOf({
      ...now.bucket,
      async get(_, path) {
        await mkdir(dirname(path), { recursive: true })
        for (const end of ['.part', '.part.etag']) await writeFile(`${path}${end}`, 'half')
        throw new Fault({ kind: 'transient', code: 'bucket_unreachable', message: 'cut' })
      },
    })
    const spec = specWith([{ name: 'image', nodeId: '9', target: 'r2://files/to/a.png' }])
    const cut = { data: { code: 'bucket_unreachable' } }
    await expect(breaking.publish(spec, artifacts, () => false)).rejects.toMatchObject(cut)
    const remote = { name: 'r', source: `r2://files/${artifacts[0]?.key}`, sha256: null, bytes: null, podPath: 'r' }
    const bare = localPod(await pathOf(at('bin'), PLAIN_TOOLS))
    await expect(deliver([remote], bare, breaking)).rejects.toMatchObject(cut)
  })

  test('stops when asked to', async () => {
    const stop = new AbortController()
    stop.abort('cancel')
    const file = await input('a', 'x')
    await expect(now.courier.deliver([file], now.pod, at('pod'), () => {}, stop.signal)).rejects.toThrow()
    await expect(stat(at('pod', file.podPath))).rejects.toThrow()
  })
})
