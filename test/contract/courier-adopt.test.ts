// Outputs of an attempt whose pod is gone: out of its manifest, or out of the tar that the pod left, as real tars write it.
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { LeftFiles } from '../../src/ports.ts'
import { bucketMakers } from './bucket-worlds.ts'
import { courierSetting, never } from './courier-setting.ts'
import { sha, taskWith } from './courier-worlds.ts'

const NAMES = ['run-job-1/x_00001_.png', `run-job-1/${'a folder with a long name/'.repeat(8)}ünï "x".png`, 'empty.txt']
const maker = bucketMakers.find(({ name }) => name === 'disk') as (typeof bucketMakers)[number]

describe('the courier after the end of a pod', () => {
  const { now, at, courierOf, podFile, collect, readBack } = courierSetting(maker.open)

  async function left(format: string): Promise<LeftFiles> {
    const files: LeftFiles['files'] = []
    for (const [index, podPath] of NAMES.entries()) {
      const content = podPath === 'empty.txt' ? '' : `content ${index} `.repeat(300)
      await mkdir(dirname(at('left', podPath)), { recursive: true })
      await writeFile(at('left', podPath), content)
      const file = podPath.split('/').at(-1) as string
      files.push({ podPath, nodeId: '9', file, bytes: Buffer.byteLength(content), sha256: sha(content) })
    }
    execFileSync('tar', [`--format=${format}`, '-chf', at('left.tar'), '-C', at('left'), '.'])
    const tar = await readFile(at('left.tar'))
    await now.bucket.put('farewell/pod.tar', at('left.tar'), { sha256: sha(tar) })
    return { tar: { key: 'farewell/pod.tar', bytes: tar.length, sha256: sha(tar) }, files }
  }

  test.each(['gnu', 'pax', 'ustar'])(
    'finds every file of a tar in the format %s, and writes the manifest',
    async format => {
      const given = await left(format)
      // What ustar cannot name is not in it.
      const files = format === 'ustar' ? given.files.filter(({ podPath }) => podPath.length < 100) : given.files
      const artifacts = await now.courier.adopt(taskWith(), { ...given, files }, never)
      expect(artifacts?.map(({ sha256 }) => sha256)).toEqual(files.map(({ sha256 }) => sha256))
      expect(artifacts?.[0]).toMatchObject({ name: 'image', index: 0, key: 'out/run1/job/1/x_00001_.png' })
      expect(await readBack('out/run1/job/1/x_00001_.png')).toMatch(/^content 0/)
      expect(await now.courier.adopt(taskWith(), null, never)).toEqual(artifacts)
    },
  )

  test('a file that cannot be unpacked here is a matter for the operator', async () => {
    const losing = courierOf({
      ...now.bucket,
      put: (...args) => now.bucket.put(...args).finally(() => rm(at('temp'), { recursive: true })),
    })
    const adopting = losing.adopt(taskWith(), await left('gnu'), never)
    await expect(adopting).rejects.toMatchObject({ data: { kind: 'operator', code: 'file_unwritable' } })
  })

  test('takes the manifest for enough, whatever the pod left', async () => {
    const { artifacts } = await collect([await podFile('a.png', 'a')])
    expect(await now.courier.adopt(taskWith(), null, never)).toEqual(artifacts)
  })

  test('takes nothing where nothing is', async () => {
    expect(await now.courier.adopt(taskWith(), null, never)).toBeNull()
  })

  test('refuses a tar, or a file in it, that is not what was said of it', async () => {
    const given = await left('gnu')
    const corrupt = { data: { kind: 'pod', code: 'farewell_corrupt' } }
    const [first, ...rest] = given.files
    const forged = [{ ...(first as (typeof rest)[number]), sha256: sha('another') }, ...rest]
    const longer = { ...given.tar, bytes: given.tar.bytes + 1 }
    for (const wrong of [
      { ...given, files: forged },
      { ...given, tar: longer },
    ])
      await expect(now.courier.adopt(taskWith(), wrong, never)).rejects.toMatchObject(corrupt)
    const hostile = [{ ...(first as (typeof rest)[number]), file: '../../etc/passwd' }]
    expect(await now.courier.adopt(taskWith(), { ...given, files: hostile }, never)).toBeNull()
  })
})
