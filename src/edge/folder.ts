// A folder and those above it. Node's own recursive mkdir never ends where a file system answers ENOENT to a new folder (/proc and
// others; seen on Node 26.10 and 24.21: it makes the parent, which is there, and tries again), and keeps the process from ending.
import { mkdirSync, statSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Made, or there already. Errors: those of mkdir; EEXIST where something else has that name. */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  try {
    await mkdir(path, mode)
  } catch (error) {
    if (isFolder(await stat(path).catch(() => null))) return
    if (!isMissing(error, path)) throw error
    await makeFolder(dirname(path), mode)
    // Once, whether the parent was made here or by another meanwhile: with it there, the same answer would come for ever.
    await mkdir(path, mode).catch(async (again: unknown) => {
      if (!isFolder(await stat(path).catch(() => null))) throw again
    })
  }
}

/** As `makeFolder`, for what is made once, at the start. */
export function makeFolderNow(path: string, mode?: number): void {
  try {
    mkdirSync(path, mode)
  } catch (error) {
    if (isFolder(statSync(path, { throwIfNoEntry: false }))) return
    if (!isMissing(error, path)) throw error
    makeFolderNow(dirname(path), mode)
    try {
      mkdirSync(path, mode)
    } catch (again) {
      if (!isFolder(statSync(path, { throwIfNoEntry: false }))) throw again
    }
  }
}

type Found = { isDirectory(): boolean } | null | undefined

function isFolder(found: Found): boolean {
  return found?.isDirectory() === true
}

/** A root has no parent that could be made. */
function isMissing(error: unknown, path: string): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(path) !== path
}
