// A folder as a Bucket: for `bucket: none`, tests and air-gapped use. Keys are paths below `objects/`; it signs nothing.
//
// An object appears whole: written into `tmp/`, synced, then renamed, or linked when the key must be free (link(2) never
// replaces). Digests lie in `digests/` and count only while size and time of the object are those they were taken from.
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { link, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Fault } from '../../domain/fault.ts'
import type { Bucket, BucketHead, TransferOptions } from '../../ports.ts'
import { makeFolder } from '../folder.ts'
import { changedFault, stopIfAborted, tooLargeFault, unreadableFault, unwritableFault } from '../transfer-fault.ts'

/** `root` is made when first written to. Faults: operator `disk_full`, `file_unwritable`; job as every bucket. */
export function createDisk(root: string): Bucket {
  const at = (area: 'objects' | 'digests', key: string) => join(root, area, ...parts(key))

  async function head(key: string): Promise<BucketHead | null> {
    const info = await stat(at('objects', key), { bigint: true }).catch(() => null)
    if (!info?.isFile()) return null
    const etag = `${info.size.toString(16)}-${info.mtimeNs.toString(16)}`
    const [of, sha256] = await readFile(at('digests', key), 'utf8').then(
      text => text.split(' '),
      () => [],
    )
    return { bytes: Number(info.size), sha256: of === etag && sha256 ? sha256 : null, etag }
  }

  /** Moves a finished file to its key; false = taken. */
  async function settle(beside: string, key: string, sha256: string, onlyNew: boolean): Promise<boolean> {
    const path = at('objects', key)
    await makeFolder(dirname(path))
    if (onlyNew) {
      try {
        await link(beside, path)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
        throw error
      }
    } else await rename(beside, path)
    const digest = at('digests', key)
    await makeFolder(dirname(digest))
    await writeFile(digest, `${(await head(key))?.etag} ${sha256}`)
    return true
  }

  async function write(
    key: string,
    onlyNew: boolean,
    fill: (beside: string) => Promise<string>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const path = at('objects', key)
    const beside = join(root, 'tmp', randomUUID())
    try {
      await makeFolder(dirname(beside))
      return await settle(beside, key, await fill(beside), onlyNew)
    } catch (error) {
      stopIfAborted(signal)
      throw error instanceof Fault ? error : unwritableFault(path, error)
    } finally {
      await rm(beside, { force: true })
    }
  }

  return {
    name: basename(root),
    put: (key, localPath, options) =>
      write(
        key,
        options.onlyNew ?? false,
        async beside => {
          const copied = await copy(localPath, beside, options)
          if (copied.sha256 !== options.sha256) throw changedFault(localPath)
          return copied.sha256
        },
        options.signal,
      ),
    putText: (key, text, options = {}) =>
      write(key, options.onlyNew ?? false, async beside => {
        await writeFile(beside, text, { flush: true })
        return createHash('sha256').update(text).digest('hex')
      }),
    head,
    async get(key, localPath, options = {}) {
      const path = at('objects', key)
      const before = await head(key)
      if (!before) throw new Fault({ kind: 'job', code: 'object_missing', message: `${key} is not in the bucket` })
      const { bytesMax = before.bytes } = options
      if (before.bytes > bytesMax) throw tooLargeFault(key, bytesMax)
      const part = `${localPath}.part`
      try {
        await makeFolder(dirname(localPath))
        const copied = await copy(path, part, options)
        if (before.sha256 !== null && before.sha256 !== copied.sha256 && (await head(key))?.etag === before.etag)
          throw new Fault({
            kind: 'transient',
            code: 'transfer_corrupt',
            message: `${key} has other content than it had`,
          })
        await rename(part, localPath)
        return copied
      } catch (error) {
        stopIfAborted(options.signal)
        throw error instanceof Fault ? error : unwritableFault(localPath, error)
      }
    },
    async list(prefix) {
      const base = join(root, 'objects')
      const found: { key: string; bytes: number }[] = []
      for (const entry of await readdir(base, { recursive: true, withFileTypes: true }).catch(() => [])) {
        if (!entry.isFile()) continue
        const path = join(entry.parentPath, entry.name)
        const key = path.slice(base.length + 1).replaceAll('\\', '/')
        if (!key.startsWith(prefix)) continue
        const info = await stat(path).catch(() => null)
        if (info) found.push({ key, bytes: info.size })
      }
      return found.sort((a, b) => (a.key < b.key ? -1 : 1))
    },
    async delete(key) {
      await rm(at('objects', key), { force: true })
      await rm(at('digests', key), { force: true })
    },
    presign: () => Promise.resolve(null),
    presignParts: () => Promise.resolve(null),
    completeParts: key => Promise.reject(new Error(`bug: ${key} cannot have parts, a folder signs none`)),
  }
}

/** Fault job `key_invalid` for a key that would leave the folder. */
function parts(key: string): string[] {
  const names = key.split('/')
  if (names.some(name => name === '' || name === '.' || name === '..' || name.includes('\0') || name.includes('\\')))
    throw new Fault({ kind: 'job', code: 'key_invalid', message: `${JSON.stringify(key)} is no key of this bucket` })
  return names
}

async function copy(from: string, to: string, options: TransferOptions) {
  const hash = createHash('sha256')
  let bytes = 0
  const source = createReadStream(from, { highWaterMark: 1024 * 1024 })
  const target = createWriteStream(to, { flush: true })
  // Whichever fails, a pipeline ends both with the same error.
  let failed: 'source' | 'target' | null = null
  source.once('error', () => {
    failed ??= 'source'
  })
  target.once('error', () => {
    failed ??= 'target'
  })
  await pipeline(
    source,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk)
        bytes += chunk.length
        options.onBytes?.(bytes)
        yield chunk
      }
    },
    target,
    options.signal ? { signal: options.signal } : {},
  ).catch(error => {
    throw failed === 'source' ? unreadableFault(from, error) : error
  })
  return { sha256: hash.digest('hex'), bytes }
}
