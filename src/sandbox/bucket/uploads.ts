// Multipart uploads that are not finished: kept beside the objects of a shelf, over restarts too.
//
//   uploads/ID/upload.json   the key and the headers of the object to be
//   uploads/ID/N.json        part N, written when its bytes have come whole; a part sent again replaces it
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { noSuchUpload } from './errors.ts'
import { type Piece, pieceSchema } from './shelf.ts'

const partSchema = pieceSchema.extend({ md5: z.string(), modifiedAt: z.number() })
const uploadSchema = z.object({
  id: z.uuid(),
  key: z.string(),
  headers: z.record(z.string(), z.string()),
  startedAt: z.number(),
})

export type Part = z.infer<typeof partSchema>
export type Upload = z.infer<typeof uploadSchema> & { parts: Map<number, Part> }

export type Uploads = {
  all(): Upload[]
  /** Throws NoSuchUpload. */
  get(id: string, key: string): Upload
  create(upload: { key: string; headers: Record<string, string>; startedAt: number }): Promise<Upload>
  /** Returns what the part replaced. Throws NoSuchUpload when the upload has ended meanwhile. */
  keepPart(upload: Upload, number: number, part: Part): Promise<Piece[]>
  /** Forgets the upload, not the bytes; those not taken over are the caller's to discard. Only the first caller gets true. */
  close(upload: Upload): Promise<boolean>
}

/** @param used gets the names of all files that parts occupy */
export async function openUploads(dir: string, used: Set<string>): Promise<Uploads> {
  const folder = join(dir, 'uploads')
  await mkdir(folder, { recursive: true })
  const uploads = new Map<string, Upload>()
  for (const id of await readdir(folder)) {
    const upload = await load(join(folder, id))
    if (upload === null) {
      await rm(join(folder, id), { recursive: true })
      continue
    }
    uploads.set(id, upload)
    for (const part of upload.parts.values()) used.add(part.file)
  }

  return {
    all: () => [...uploads.values()],
    get: (id, key) => {
      const upload = uploads.get(id)
      if (upload === undefined || upload.key !== key) throw noSuchUpload()
      return upload
    },
    create: async ({ key, headers, startedAt }) => {
      const upload = { id: randomUUID(), key, headers, startedAt }
      await mkdir(join(folder, upload.id))
      await write(join(folder, upload.id, 'upload.json'), upload)
      const open = { ...upload, parts: new Map() }
      uploads.set(upload.id, open)
      return open
    },
    keepPart: async (upload, number, part) => {
      if (!uploads.has(upload.id)) throw noSuchUpload()
      const replaced = upload.parts.get(number)
      upload.parts.set(number, part)
      // The folder may go in this moment; then the part goes with it.
      await write(join(folder, upload.id, `${number}.json`), part).catch(() => {})
      return replaced === undefined ? [] : [replaced]
    },
    close: async upload => {
      const first = uploads.delete(upload.id)
      if (first) await rm(join(folder, upload.id), { recursive: true, force: true })
      return first
    },
  }
}

async function load(folder: string): Promise<Upload | null> {
  const names = await readdir(folder)
  if (!names.includes('upload.json')) return null
  const upload = uploadSchema.parse(JSON.parse(await readFile(join(folder, 'upload.json'), 'utf8')))
  const parts = new Map<number, Part>()
  for (const name of names.filter(one => /^\d+\.json$/.test(one))) {
    const part = partSchema.parse(JSON.parse(await readFile(join(folder, name), 'utf8')))
    parts.set(Number.parseInt(name, 10), part)
  }
  return { ...upload, parts }
}

async function write(path: string, value: unknown): Promise<void> {
  const mine = `${path}.${randomUUID()}`
  await writeFile(mine, JSON.stringify(value))
  await rename(mine, path)
}
