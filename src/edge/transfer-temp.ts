// A file on its way through this machine: under a name that nobody else has, and gone with all its traces when the work is over.
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Setting } from './transfer.ts'

/** What a download that broke off leaves to be resumed; nobody would, under such a name. */
const TRACES = ['', '.part', '.part.etag']

/** `work` makes the file, or not. */
export async function withTemp<T>(
  { tempDir }: Pick<Setting, 'tempDir'>,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(tempDir, randomUUID())
  try {
    return await work(path)
  } finally {
    for (const trace of TRACES) await rm(`${path}${trace}`, { force: true })
  }
}
