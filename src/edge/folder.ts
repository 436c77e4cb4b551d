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
    if (!isMissingParent(error, await stat(dirname(path)).catch(() => null))) throw error
    await makeFolder(dirname(path), mode)
    await makeFolder(path, mode)
  }
}

/** As `makeFolder`, for what is made once, at the start. */
export function makeFolderNow(path: string, mode?: number): void {
  try {
    mkdirSync(path, mode)
  } catch (error) {
    if (isFolder(statSync(path, { throwIfNoEntry: false }))) return
    if (!isMissingParent(error, statSync(dirname(path), { throwIfNoEntry: false }))) throw error
    makeFolderNow(dirname(path), mode)
    makeFolderNow(path, mode)
  }
}

type Found = { isDirectory(): boolean } | null | undefined

function isFolder(found: Found): boolean {
  return found?.isDirectory() === true
}

/** With the parent there, the same answer would come again. */
function isMissingParent(error: unknown, parent: Found): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT' && !parent
}
