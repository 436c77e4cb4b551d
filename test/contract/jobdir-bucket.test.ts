// `r2://` addresses of jobs are looked up before anything is rented.
import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { checkAddresses } from '../../src/edge/jobdir-bucket.ts'
import type { Bucket } from '../../src/ports.ts'
import { specOf } from '../unit/fleet-story.ts'
import { bucketMakers } from './bucket-worlds.ts'
import { courierSetting } from './courier-setting.ts'
import { sha } from './courier-worlds.ts'

describe.each(bucketMakers)('addresses in $name', ({ name, skip, open }) => {
  if (skip) return void test.skip(`${name} is not tested here, because ${skip}`, () => {})
  const { now, at } = courierSetting(open)
  const put = async (...keys: string[]) => {
    await writeFile(at('file'), 'old')
    for (const key of keys) await now.bucket.put(key, at('file'), { sha256: sha('old') })
  }
  const job = (jobId: string, inputs: string[], outputs: string[]) =>
    specOf(jobId, {
      inputs: inputs.map(source => ({ name: 'image', source, sha256: null, bytes: null, podPath: 'autopod/x' })),
      outputs: outputs.map(target => ({ name: 'picture', nodeId: '9', target })),
    })
  const check = (
    specs: ReturnType<typeof job>[],
    replaceable: (address: string, sha256: string | null) => boolean = () => false,
    bucket: Bucket = now.bucket,
  ) => checkAddresses(specs, { bucket, bucketName: 'files', cwd: '/jobs', replaceable })

  test('may be of another bucket, of an input that is missing or of a result that is there: each is told by its place', async () => {
    await put('in/there.png', 'out/b.png', 'out/c-3.png', 'out/c-x.png')
    const checking = check([
      job('a', ['r2://files/in/there.png', 'r2://files/in/gone.png'], ['r2://files/out/a.png', '/local.png']),
      job('b', ['r2://other/x.png'], ['r2://files/out/b.png', 'r2://files/out/']),
      job('c', [], ['r2://files/out/c-{index}.{ext}', 'r2://files/out/d.{ext}']),
    ])
    await expect(checking).rejects.toMatchObject({
      data: {
        kind: 'job',
        message: [
          'a.json: inputs.image: r2://files/in/gone.png does not exist',
          'b.json: inputs.image: r2://other/x.png is not in the bucket files',
          'b.json: outputs.picture: r2://files/out/b.png exists and would be written over',
          'c.json: outputs.picture: r2://files/out/c-3.png exists and would be written over',
        ].join('\n'),
        hint: 'Upload it, or correct the key in the job file.',
      },
    })
  })

  test('of results that may be replaced are let pass, by their digest where the bucket knows it', async () => {
    await put('out/a.png')
    const asked: unknown[] = []
    await check([job('a', [], ['r2://files/out/a.{ext}'])], (...args) => asked.push(args) > 0)
    const { sha256 } = (await now.bucket.head('out/a.png'))!
    expect(asked).toEqual([['r2://files/out/a.png', sha256]])
  })

  test('are asked for once, however many jobs name them', async () => {
    await put('in/there.png')
    let heads = 0
    const counting: Bucket = { ...now.bucket, head: key => now.bucket.head(key).finally(() => heads++) }
    const specs = ['a', 'b', 'c'].map(jobId => job(jobId, ['r2://files/in/there.png'], []))
    await check(specs, undefined, counting)
    expect(heads).toBe(1)
  })
})
