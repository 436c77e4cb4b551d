// One bucket on disk: an index in memory, a small JSON file an object, its bytes in files with random names.
//
//   objects/SHA256(key).json   the object; its arrival is the commit, replaced in one rename
//   data/UUID                  bytes: one file for a PUT, one a part for a multipart object (never copied together)
//   uploads/UPLOAD/…           see uploads.ts
//
// No name on disk comes from a client. Files of a replaced object stay until its last reader is done. Nothing is synced: what
// a power failure loses is a demo's data; a crash between two steps leaves unnamed files, which the next start removes.
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { insert, remove } from './sorted.ts'

const headersSchema = z.record(z.string(), z.string())
export const pieceSchema = z.object({ file: z.uuid(), sizeBytes: z.number() })
const objectSchema = z.object({
  key: z.string(),
  sizeBytes: z.number(),
  etag: z.string(),
  modifiedAt: z.number(),
  headers: headersSchema,
  pieces: z.array(pieceSchema),
})

export type Piece = z.infer<typeof pieceSchema>
/** `etag` without quotes; `headers` are sent back with the object: Content-Type, x-amz-meta-* and the like. */
export type StoredObject = z.infer<typeof objectSchema>

export type Shelf = {
  dir: string
  get(key: string): StoredObject | undefined
  /** In the order of their UTF-8 bytes. Not to be changed. */
  keys(): readonly string[]
  /** A name for new bytes in `data`. */
  newPiece(): { file: string; path: string }
  /** `check` sees what the key holds and may throw; no other write of the key comes between it and the commit. */
  commit(object: StoredObject, check: (current: StoredObject | undefined) => void): Promise<void>
  delete(key: string): Promise<void>
  /** Further names for the same bytes, on a shelf of the same disk. The object must be held. */
  duplicate(object: StoredObject, on: Shelf): Promise<Piece[]>
  /** `end` is inclusive. The bytes stay readable until `release`, whatever is written meanwhile. */
  hold(object: StoredObject): { read(start: number, end: number): AsyncIterable<Buffer>; release(): void }
  discard(pieces: Piece[]): Promise<void>
}

/** @param used files in `data` that belong to unfinished uploads */
export async function openShelf(dir: string, used: Set<string>): Promise<Shelf> {
  const objects = join(dir, 'objects')
  const data = join(dir, 'data')
  await Promise.all([objects, data].map(folder => mkdir(folder, { recursive: true })))
  const index = new Map<string, StoredObject>()
  for (const name of await readdir(objects)) {
    if (!name.endsWith('.json')) {
      await rm(join(objects, name))
      continue
    }
    const object = objectSchema.parse(JSON.parse(await readFile(join(objects, name), 'utf8')))
    index.set(object.key, object)
    for (const piece of object.pieces) used.add(piece.file)
  }
  for (const name of await readdir(data)) if (!used.has(name)) await rm(join(data, name))

  const keys: string[] = []
  for (const key of index.keys()) insert(keys, key)
  const readers = new Map<StoredObject, number>()
  const retired = new Set<StoredObject>()
  const turn = turns()
  const sidecar = (key: string) => join(objects, `${createHash('sha256').update(key).digest('hex')}.json`)

  const discard = async (pieces: Piece[]) => {
    await Promise.all(pieces.map(piece => rm(join(data, piece.file), { force: true })))
  }
  const retire = async (object: StoredObject | undefined) => {
    if (object === undefined) return
    if (readers.has(object)) retired.add(object)
    else await discard(object.pieces)
  }

  return {
    dir,
    get: key => index.get(key),
    keys: () => keys,
    newPiece: () => {
      const file = randomUUID()
      return { file, path: join(data, file) }
    },
    commit: (object, check) =>
      turn(object.key, async () => {
        const current = index.get(object.key)
        check(current)
        const path = sidecar(object.key)
        await writeFile(`${path}.new`, JSON.stringify(object))
        await rename(`${path}.new`, path)
        if (current === undefined) insert(keys, object.key)
        index.set(object.key, object)
        await retire(current)
      }),
    delete: key =>
      turn(key, async () => {
        const current = index.get(key)
        if (current === undefined) return
        await rm(sidecar(key), { force: true })
        index.delete(key)
        remove(keys, key)
        await retire(current)
      }),
    duplicate: (object, on) =>
      Promise.all(
        object.pieces.map(async piece => {
          const { file, path } = on.newPiece()
          await link(join(data, piece.file), path)
          return { ...piece, file }
        }),
      ),
    hold: object => {
      readers.set(object, (readers.get(object) ?? 0) + 1)
      return {
        read: (start, end) => readPieces(data, object.pieces, start, end),
        release: () => {
          const left = (readers.get(object) ?? 1) - 1
          if (left > 0) readers.set(object, left)
          else readers.delete(object)
          if (left === 0 && retired.delete(object)) discard(object.pieces).catch(() => {})
        },
      }
    },
    discard,
  }
}

async function* readPieces(folder: string, pieces: Piece[], start: number, end: number): AsyncGenerator<Buffer> {
  let at = 0
  for (const piece of pieces) {
    const [from, to] = [Math.max(start - at, 0), Math.min(end - at, piece.sizeBytes - 1)]
    if (from <= to)
      yield* createReadStream(join(folder, piece.file), { start: from, end: to, highWaterMark: 256 * 1024 })
    at += piece.sizeBytes
    if (at > end) return
  }
}

/** Runs the tasks of one name one after the other; names do not wait for each other. */
export function turns(): <T>(name: string, task: () => Promise<T>) => Promise<T> {
  const tails = new Map<string, Promise<unknown>>()
  return (name, task) => {
    const mine = (tails.get(name) ?? Promise.resolve()).then(task, task)
    const settled = mine.then(
      () => {},
      () => {},
    )
    tails.set(name, settled)
    settled.then(() => {
      if (tails.get(name) === settled) tails.delete(name)
    })
    return mine
  }
}
