// Where results end up: the targets of a job file, local or in the bucket, and what they never replace.
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import type { Artifact } from '../../src/domain/job.ts'
import { bucketMakers } from './bucket-worlds.ts'
import { courierSetting } from './courier-setting.ts'
import { sha, specWith } from './courier-worlds.ts'

describe.each(bucketMakers)('publishing from $name', ({ name, skip, open }) => {
  if (skip) return void test.skip(`${name} is not tested here, because ${skip}`, () => {})
  const { now, at, podFile, collect, readBack } = courierSetting(open)
  const targets = (target: string) => specWith([{ name: 'image', nodeId: '9', target }])
  const stored = async (...names: string[]) => {
    const files = await Promise.all(names.map((file, index) => podFile(file, `${file} ${index}`)))
    return (await collect(files)).artifacts
  }
  const paths = async (target: string, artifacts: Artifact[]) =>
    (await now.courier.publish(targets(target), artifacts, () => false)).map(done =>
      done.path?.slice(now.dir.length + 1),
    )

  test('fills {ext} and {index}, numbers what would collide, and keeps names in a folder', async () => {
    const two = await stored('x_1.png', 'x_2.png')
    expect(await paths(at('o/r-{index}.{ext}'), two)).toEqual(['o/r-0.png', 'o/r-1.png'])
    expect(await paths(at('p/r.{ext}'), two)).toEqual(['p/r-1.png', 'p/r-2.png'])
    expect(await paths(at('q/r.{ext}'), two.slice(0, 1))).toEqual(['q/r.png'])
    expect(await paths(at('o/f/'), two)).toEqual(['o/f/x_1.png', 'o/f/x_2.png'])
  })

  test('a target whose path is wrong is the fault of its job alone, and is told with its remedy', async () => {
    const one = await stored('a.png')
    await writeFile(at('file'), 'in the way')
    await symlink('nowhere', at('lost'))
    await symlink('round', at('round'))
    for (const [target, why] of [
      ['file/a.png', 'a part of its path is no folder'],
      ['file/deep/a.png', 'a part of its path is no folder'],
      ['lost/a.png', 'a part of its path is no folder'],
      ['round/deep/a.png', 'a link in its path leads to itself'],
      [`${'x'.repeat(256)}.png`, 'its name is too long'],
    ] as const)
      await expect(
        now.courier.publish(targets(at(target)), one, () => false),
        target,
      ).rejects.toMatchObject({
        data: {
          kind: 'job',
          code: 'target_unusable',
          message: `${at(target)} cannot be written: ${why}`,
          hint: expect.stringContaining('Move away what is in the way'),
        },
      })
  })

  test('never replaces a stranger’s file, and takes the same content for done', async () => {
    const one = await stored('a.png')
    await writeFile(at('mine.png'), 'precious')
    const blocked = now.courier.publish(targets(at('mine.png')), one, () => false)
    await expect(blocked).rejects.toMatchObject({ data: { kind: 'job', code: 'output_exists' } })
    expect(await readFile(at('mine.png'), 'utf8')).toBe('precious')
    const asked: string[][] = []
    await now.courier.publish(targets(at('mine.png')), one, (...args) => asked.push(args) > 0)
    expect(asked[0]).toEqual([at('mine.png'), sha('precious')])
    expect(await readFile(at('mine.png'), 'utf8')).toBe('a.png 0')
    expect(await now.courier.publish(targets(at('mine.png')), one, () => false)).toHaveLength(1)
    await mkdir(at('folder'))
    await expect(now.courier.publish(targets(at('folder')), one, () => true)).rejects.toMatchObject({
      data: { code: 'output_exists' },
    })
    await symlink(at('nowhere'), at('dangling'))
    await expect(now.courier.publish(targets(at('dangling')), one, () => true)).rejects.toMatchObject({
      data: { code: 'output_exists' },
    })
    expect((await readdir(now.dir)).filter(left => left.startsWith('.autopod'))).toEqual([])
  })

  test('leaves nothing of a broken download beside its target, once it is there or cannot be', async () => {
    const one = await stored('a.png')
    const begun = async () => {
      for (const end of ['', '.part', '.part.etag'])
        await writeFile(at(`.autopod-${sha('a.png 0').slice(0, 16)}-a.png${end}`), 'half')
    }
    const left = async () => (await readdir(now.dir)).filter(name => name.startsWith('.autopod'))
    await begun()
    await writeFile(at('a.png'), 'precious')
    await expect(now.courier.publish(targets(at('a.png')), one, () => false)).rejects.toMatchObject({
      data: { code: 'output_exists' },
    })
    expect(await left()).toEqual([])
    await begun()
    await now.courier.publish(targets(at('a.png')), one, () => true)
    expect(await left()).toEqual([])
    await begun()
    await now.courier.publish(targets(at('a.png')), one, () => false)
    expect(await left()).toEqual([])
  })

  test('puts results into the bucket under the same rules', async () => {
    const one = await stored('a.png')
    const done = await now.courier.publish(targets('r2://files/results/a.{ext}'), one, () => false)
    expect(done).toEqual([
      { name: 'image', path: null, url: 'r2://files/results/a.png', bytes: 7, sha256: sha('a.png 0') },
    ])
    expect(await readBack('results/a.png')).toBe('a.png 0')
    expect(await now.courier.publish(targets('r2://files/results/a.png'), one, () => false)).toHaveLength(1)
    await now.bucket.putText('results/other', 'theirs')
    const blocked = now.courier.publish(targets('r2://files/results/other'), one, () => false)
    await expect(blocked).rejects.toMatchObject({ data: { code: 'output_exists' } })
    const foreign = now.courier.publish(targets('r2://elsewhere/a'), one, () => false)
    await expect(foreign).rejects.toMatchObject({ data: { code: 'bucket_foreign' } })
  })

  test('an output without a file, and an object that is not what it was, are faults', async () => {
    const one = await stored('a.png')
    await expect(now.courier.publish(targets(at('x')), [], () => false)).rejects.toMatchObject({
      data: { kind: 'job', code: 'output_missing' },
    })
    await now.bucket.putText(one[0]?.key ?? '', 'changed')
    await expect(now.courier.publish(targets(at('x')), one, () => false)).rejects.toMatchObject({
      data: { kind: 'transient', code: 'transfer_corrupt' },
    })
    expect((await readdir(now.dir)).filter(left => left === 'x' || left.startsWith('.autopod'))).toEqual([])
  })
})
