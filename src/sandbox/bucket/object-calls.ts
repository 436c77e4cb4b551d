// What can be done with one object: put, copy, get, head, delete.
import { pipeline } from 'node:stream/promises'
import { receiveFile } from './body.ts'
import { type Call, objectHeaders, respond, respondXml } from './call.ts'
import { checkRead, checkWrite } from './conditions.ts'
import { noSuchBucket, noSuchKey, refusal } from './errors.ts'
import type { StoredObject } from './shelf.ts'
import { parseCopySource } from './target.ts'
import { element } from './xml.ts'

/** R2: user metadata of an object is at most 8,192 bytes (limits page, 2026). */
const METADATA_MAX_BYTES = 8192

export async function putObject(call: Call): Promise<void> {
  const { shelf } = call.bucket
  const headers = limitedHeaders(call)
  // A condition that fails already needs no gigabytes first; the check that counts is the one at the commit.
  checkWrite(call.headers, shelf.get(call.key))
  const { file, path } = shelf.newPiece()
  const { sizeBytes, md5 } = await receiveFile(call.request, call.headers, call.payload, path)
  const pieces = [{ file, sizeBytes }]
  const object = { key: call.key, sizeBytes, etag: md5, modifiedAt: call.now(), headers, pieces }
  await commit(call, object)
  respond(call, 200, { etag: `"${md5}"` })
}

/** Commits under the request's conditions; when they fail the new bytes go. */
export async function commit(call: Call, object: StoredObject, prefix = ''): Promise<void> {
  try {
    await call.bucket.shelf.commit(object, current => checkWrite(call.headers, current, prefix))
  } catch (error) {
    await call.bucket.shelf.discard(object.pieces)
    throw error
  }
}

export function limitedHeaders(call: Call): Record<string, string> {
  const headers = objectHeaders(call.headers)
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'))
  const bytes = metadata.reduce((sum, [name, value]) => sum + name.length - 'x-amz-meta-'.length + value.length, 0)
  if (bytes > METADATA_MAX_BYTES) {
    throw refusal(400, 'MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size.')
  }
  return headers
}

export async function copyObject(call: Call): Promise<void> {
  const from = parseCopySource(call.headers.get('x-amz-copy-source') ?? '')
  const shelf = call.buckets.get(from.bucket)?.shelf
  if (shelf === undefined) throw noSuchBucket()
  const source = shelf.get(from.key)
  if (source === undefined) throw noSuchKey()
  checkRead(call.headers, source, 'x-amz-copy-source-')
  const replaces = call.headers.get('x-amz-metadata-directive') === 'REPLACE'
  if (!replaces && shelf === call.bucket.shelf && from.key === call.key) {
    const message = 'This copy request is illegal because it is trying to copy an object to itself without changing it.'
    throw refusal(400, 'InvalidRequest', message)
  }
  const headers = replaces ? limitedHeaders(call) : source.headers
  const held = shelf.hold(source)
  let pieces: StoredObject['pieces']
  try {
    pieces = await shelf.duplicate(source, call.bucket.shelf)
  } finally {
    held.release()
  }
  const object = { ...source, key: call.key, modifiedAt: call.now(), headers, pieces }
  // R2 "Extensions" (2026): conditions on the key that is written have names of their own here.
  await commit(call, object, 'cf-copy-destination-')
  respondXml(call, 'CopyObjectResult', [
    element('LastModified', new Date(object.modifiedAt).toISOString()),
    element('ETag', `"${object.etag}"`),
  ])
}

/** GET and HEAD. */
export async function getObject(call: Call): Promise<void> {
  const object = call.bucket.shelf.get(call.key)
  if (object === undefined) throw noSuchKey()
  checkRead(call.headers, object)
  const range = rangeOf(call.headers.get('range'), object.sizeBytes)
  const { start, end } = range ?? { start: 0, end: object.sizeBytes - 1 }
  const headers: Record<string, string> = {
    ...object.headers,
    ...overrides(call.query),
    etag: `"${object.etag}"`,
    'last-modified': new Date(object.modifiedAt).toUTCString(),
    'accept-ranges': 'bytes',
    'content-length': String(end - start + 1),
  }
  if (range !== null) headers['content-range'] = `bytes ${start}-${end}/${object.sizeBytes}`
  call.response.writeHead(range === null ? 200 : 206, headers)
  if (call.request.method === 'HEAD' || object.sizeBytes === 0) {
    call.response.end()
    return
  }
  const held = call.bucket.shelf.hold(object)
  try {
    await pipeline(held.read(start, end), call.response)
  } finally {
    held.release()
  }
}

export async function deleteObject(call: Call): Promise<void> {
  await call.bucket.shelf.delete(call.key)
  respond(call, 204)
}

/** `end` inclusive; null: the whole object. Several ranges in one request are answered with the whole object, as S3 does. */
function rangeOf(header: string | undefined, sizeBytes: number): { start: number; end: number } | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '')
  if (match === null || (match[1] === '' && match[2] === '')) return null
  const [from, to] = [match[1] ?? '', match[2] ?? '']
  const start = from === '' ? Math.max(sizeBytes - Number(to), 0) : Number(from)
  const end = from === '' || to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1)
  if (from !== '' && to !== '' && Number(to) < start) return null
  if (start >= sizeBytes || (from === '' && Number(to) === 0)) {
    throw refusal(416, 'InvalidRange', 'The requested range is not satisfiable', {
      'content-range': `bytes */${sizeBytes}`,
    })
  }
  return { start, end }
}

function overrides(query: Map<string, string>): Record<string, string> {
  const names = [
    'content-type',
    'content-language',
    'expires',
    'cache-control',
    'content-disposition',
    'content-encoding',
  ]
  const given = names.map(name => [name, query.get(`response-${name}`)] as const)
  return Object.fromEntries(given.filter((one): one is [string, string] => one[1] !== undefined))
}
