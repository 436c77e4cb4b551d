// Making folders, also where the file system will not have them: an answer, whatever it is.
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeFolder, makeFolderNow } from '../../src/edge/folder.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'autopod-folder-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe.each([
  ['at leisure', makeFolder],
  ['at once', async (path: string, mode?: number) => makeFolderNow(path, mode)],
])('a folder made %s', (_name, make) => {
  test('comes with those above it, in their mode, and may be there already', async () => {
    await make(join(dir, 'a/b/c'), 0o700)
    await make(join(dir, 'a/b/c'), 0o700)
    await make(join(dir, 'a/b/d/'), 0o700)
    for (const made of ['a', 'a/b', 'a/b/c', 'a/b/d']) expect(statSync(join(dir, made)).mode & 0o777).toBe(0o700)
  })

  test('comes to everyone who makes it, or one beside it, in the same moment', async () => {
    for (let round = 0; round < 60; round++) {
      const paths = ['0', '1', '2', '3'].map(name => join(dir, `${round}/b`, name))
      await Promise.all(paths.map(path => make(path)))
      for (const path of paths) expect(statSync(path).isDirectory()).toBe(true)
    }
  })

  test('is an error where a file or a link to nowhere stands in the way', async () => {
    writeFileSync(join(dir, 'file'), '')
    symlinkSync(join(dir, 'nowhere/at/all'), join(dir, 'link'))
    await expect(make(join(dir, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(make(join(dir, 'file/below/it'))).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(make(join(dir, 'link/below'))).rejects.toMatchObject({ code: 'EEXIST' })
  })

  test('is an error where the file system takes none', async () => {
    await expect(make('/proc/autopod/below')).rejects.toThrow('autopod')
  })
})
