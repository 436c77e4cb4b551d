// Uploads and downloads: /upload/image, /upload/mask, /view, /internal/files (recordings 15 and 16).
import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join, normalize, relative, resolve } from 'node:path'
import sharp from 'sharp'
import { type Folders, isFolderType, isInside } from './folders.ts'
import { empty, json, type Reply, type Request } from './http.ts'
import { parseForm } from './multipart.ts'

const contentTypes: Record<string, string> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
  '.bmp': 'image/bmp',
  '.mp4': 'video/mp4',
  '.webm': 'video/webm',
  '.flac': 'audio/flac',
  '.mp3': 'audio/mpeg',
  '.wav': 'audio/x-wav',
  '.txt': 'text/plain',
  '.json': 'application/json',
}

/** POST /upload/image and, with `isMask`, /upload/mask. An unknown type throws, as it does there: HTTP 500. */
export async function upload(folders: Folders, request: Request, isMask: boolean): Promise<Reply> {
  const form = parseForm(request.headers['content-type'], request.body)
  const field = (name: string) => form.get(name)?.data.toString()
  const file = form.get('image')
  if (!file?.filename) return empty(400)
  const type = field('type') ?? 'input'
  if (!isFolderType(type)) throw new Error(`UnboundLocalError: type_dir for '${type}'`)
  const asked = field('subfolder') ?? ''
  const subfolder = asked === '' ? '' : normalize(asked)
  const folder = resolve(folders[type], subfolder)
  const path = resolve(folder, file.filename)
  if (!isInside(folders[type], path) || path === folders[type]) return empty(400)
  const overwrite = field('overwrite') === 'true' || field('overwrite') === '1'
  const target = isMask || overwrite ? { path, isNew: true } : await freeName(path, file.data)
  if (target.isNew) {
    await mkdir(dirname(target.path), { recursive: true })
    await writeFile(target.path, isMask ? await masked(folders, field('original_ref'), file.data) : file.data)
  }
  return json({ name: relative(folder, target.path), subfolder, type })
}

/** The same content under the same name is the same file; other content gets " (1)", " (2)" … */
async function freeName(path: string, data: Buffer): Promise<{ path: string; isNew: boolean }> {
  const extension = extname(path)
  const stem = path.slice(0, path.length - extension.length)
  for (let count = 0; ; count++) {
    const candidate = count === 0 ? path : `${stem} (${count})${extension}`
    const there = await readFile(candidate).catch(() => null)
    if (!there) return { path: candidate, isNew: true }
    if (there.equals(data)) return { path: candidate, isNew: false }
  }
}

async function masked(folders: Folders, reference: string | undefined, mask: Buffer): Promise<Buffer> {
  const original = JSON.parse(reference ?? '') as { filename: string; subfolder?: string; type?: string }
  const type = original.type ?? 'output'
  if (!isFolderType(type)) throw new Error(`unknown folder ${type}`)
  const path = resolve(folders[type], original.subfolder ?? '', original.filename)
  if (!isInside(folders[type], path)) throw new Error('original_ref leaves its folder')
  const alpha = await sharp(mask).ensureAlpha().extractChannel('alpha').raw().toBuffer({ resolveWithObject: true })
  const { width, height } = alpha.info
  const rgb = sharp(path).removeAlpha().toColourspace('srgb').resize(width, height, { fit: 'fill' })
  return await rgb
    .joinChannel(alpha.data, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer()
}

/** GET and HEAD /view. */
export async function view(folders: Folders, request: Request): Promise<Reply> {
  const asked = request.query.get('filename')
  if (asked === null) return empty(404)
  const annotated = /^(.*) \[(input|output|temp)\]$/.exec(asked)
  const name = annotated?.[1] ?? asked
  if (name === '' || name.startsWith('/') || name.includes('..')) return empty(400)
  const type = annotated?.[2] ?? request.query.get('type') ?? 'output'
  if (!isFolderType(type)) return empty(400)
  const folder = resolve(folders[type], request.query.get('subfolder') ?? '')
  if (!isInside(folders[type], folder)) return empty(403)
  const filename = basename(name)
  const path = join(folder, filename)
  const info = await stat(path, { bigint: true }).catch(() => null)
  if (!info?.isFile()) return empty(404)
  const headers = { 'Content-Disposition': `filename="${encodeName(filename)}"` }
  const reencoded = await preview(path, request.query)
  if (reencoded) {
    return { status: 200, headers: { ...headers, 'Content-Type': reencoded.type }, body: reencoded.body }
  }
  const size = Number(info.size)
  const etag = `"${info.mtimeNs.toString(16)}-${size.toString(16)}"`
  const modified = new Date(Number(info.mtimeMs)).toUTCString()
  return plain(path, size, request, {
    'X-Content-Type-Options': 'nosniff',
    ...headers,
    'Content-Type': contentTypes[extname(filename).toLowerCase()] ?? 'application/octet-stream',
    Etag: etag,
    'Last-Modified': modified,
  })
}

// The real server sends raw UTF-8 bytes; Node takes header text as Latin-1.
const encodeName = (name: string) => Buffer.from(name).toString('latin1')

async function preview(path: string, query: URLSearchParams): Promise<{ type: string; body: Buffer } | null> {
  const wanted = query.get('preview')
  if (wanted !== null) {
    const [format, quality] = wanted.split(';')
    const level = Number(quality) || 90
    if (format === 'jpeg') return { type: 'image/jpeg', body: await sharp(path).jpeg({ quality: level }).toBuffer() }
    return { type: 'image/webp', body: await sharp(path).webp({ quality: level }).toBuffer() }
  }
  const channel = query.get('channel')
  if (channel === 'rgb') return { type: 'image/png', body: await sharp(path).removeAlpha().png().toBuffer() }
  if (channel !== 'a') return null
  const picture = sharp(path).ensureAlpha()
  const { data, info } = await picture.extractChannel('alpha').raw().toBuffer({ resolveWithObject: true })
  const { width, height } = info
  const black = sharp({ create: { width, height, channels: 3, background: 'black' } })
  const body = await black
    .joinChannel(data, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer()
  return { type: 'image/png', body }
}

/** Ranges and conditions. If-Range with an ETag is not honoured: 206 whatever it says (recording 16). */
function plain(path: string, size: number, request: Request, headers: Record<string, string>): Reply {
  const { range } = request.headers
  if (request.headers['if-none-match'] === headers.Etag) return { status: 304, headers }
  const sized = (length: number) => ({ ...headers, 'Content-Length': String(length), 'Accept-Ranges': 'bytes' })
  if (range === undefined) return { status: 200, headers: sized(size), body: createReadStream(path) }
  const match = /^bytes=(\d*)-(\d*)$/.exec(range)
  const [from, to] = [match?.[1] ?? '', match?.[2] ?? '']
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const end = from === '' || to === '' ? size - 1 : Math.min(size - 1, Number(to))
  if (!match || (from === '' && to === '') || start >= size || start > end) {
    const { Etag: _etag, 'Last-Modified': _modified, ...rest } = headers
    return { status: 416, headers: { ...rest, 'Content-Range': `bytes */${size}` } }
  }
  return {
    status: 206,
    headers: { ...sized(end - start + 1), 'Content-Range': `bytes ${start}-${end}/${size}` },
    body: createReadStream(path, { start, end }),
  }
}

/** Top-level files, newest first, as "a.png [output]". */
export async function listFiles(folders: Folders, type: string): Promise<Reply> {
  if (!isFolderType(type)) return json({ error: 'Invalid directory type' }, 400)
  const entries = (await readdir(folders[type], { withFileTypes: true })).filter(entry => entry.isFile())
  const files = await Promise.all(
    entries.map(async ({ name }) => ({ name, at: (await stat(join(folders[type], name))).mtimeMs })),
  )
  return json(files.sort((a, b) => b.at - a.at).map(({ name }) => `${name} [${type}]`))
}
