// The body of a request, on its way to disk or, for small documents, to text; every digest that was promised is checked.
import { createHash, type Hash } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { crc32 } from 'node:zlib'
import { decodeChunks } from './chunked.ts'
import { refusal } from './errors.ts'
import type { Payload } from './sigv4.ts'

export type Received = { sizeBytes: number; md5: string }
type Headers = Map<string, string>

/** R2: one PUT or part is at most 4.995 GiB (limits page, 2026). */
const PUT_MAX_BYTES = Math.floor(4.995 * 1024 ** 3)
/** A list of 1,000 keys of 1,024 bytes, every byte escaped, has about 6 MB. */
const DOCUMENT_MAX_BYTES = 8_000_000

/** Writes the content to `path`, which must be new. After a refusal nothing is left there. */
export async function receiveFile(
  request: IncomingMessage,
  headers: Headers,
  payload: Payload,
  path: string,
): Promise<Received> {
  const length = declaredLength(headers)
  if (length === null) throw refusal(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.')
  if (length > PUT_MAX_BYTES) {
    throw refusal(400, 'EntityTooLarge', 'Your proposed upload exceeds the maximum allowed object size.')
  }
  const file = await open(path, 'wx')
  try {
    let sizeBytes = 0
    const md5 = await checked(request, headers, payload, async data => {
      sizeBytes += data.length
      for (let done = 0; done < data.length; ) done += (await file.write(data, done)).bytesWritten
    })
    if (sizeBytes !== length) {
      const message = 'You did not provide the number of bytes specified by the Content-Length HTTP header'
      throw refusal(400, 'IncompleteBody', message)
    }
    await file.close()
    return { sizeBytes, md5 }
  } catch (error) {
    await file.close().catch(() => {})
    await rm(path, { force: true })
    throw error
  }
}

export async function receiveDocument(request: IncomingMessage, headers: Headers, payload: Payload): Promise<string> {
  const parts: Buffer[] = []
  let left = DOCUMENT_MAX_BYTES
  await checked(request, headers, payload, async data => {
    left -= data.length
    if (left < 0) throw refusal(400, 'MaxMessageLengthExceeded', 'Your request was too big.')
    parts.push(data)
  })
  return Buffer.concat(parts).toString('utf8')
}

function declaredLength(headers: Headers): number | null {
  const text = headers.get('x-amz-decoded-content-length') ?? headers.get('content-length')
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null
}

/** Hands on the content piece by piece and returns its MD5 in hex. */
async function checked(
  request: IncomingMessage,
  headers: Headers,
  payload: Payload,
  sink: (data: Buffer) => Promise<void>,
): Promise<string> {
  const md5 = createHash('md5')
  const promises = new Map<string, string>()
  const keep = (name: string, value: string) => {
    if (name.startsWith('x-amz-checksum-')) promises.set(name.slice('x-amz-checksum-'.length), value)
  }
  for (const [name, value] of headers) keep(name, value)
  const expected = new Set([...promises.keys(), (headers.get('x-amz-trailer') ?? '').replace('x-amz-checksum-', '')])
  const hashes = new Map<string, Hash>()
  for (const name of ['sha1', 'sha256']) if (expected.has(name)) hashes.set(name, createHash(name))
  const signed = payload.kind === 'hashed' ? createHash('sha256') : null
  let crc = 0

  // Never destroyed by an early end: a refusal must still be answered on this connection.
  const raw: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false })
  for await (const data of payload.kind === 'chunked' ? decodeChunks(raw, payload, keep) : raw) {
    md5.update(data)
    signed?.update(data)
    for (const hash of hashes.values()) hash.update(data)
    if (expected.has('crc32')) crc = crc32(data, crc)
    await sink(data)
  }

  if (payload.kind === 'hashed' && signed?.digest('hex') !== payload.sha256) {
    const message = "The provided 'x-amz-content-sha256' header does not match what was computed."
    throw refusal(400, 'XAmzContentSHA256Mismatch', message)
  }
  const digest = md5.digest()
  agree('Content-MD5', headers.get('content-md5'), digest)
  for (const [name, hash] of hashes) agree(name, promises.get(name), hash.digest())
  const crcBytes = Buffer.alloc(4)
  crcBytes.writeUInt32BE(crc)
  if (expected.has('crc32')) agree('crc32', promises.get('crc32'), crcBytes)
  return digest.toString('hex')
}

function agree(name: string, promised: string | undefined, found: Buffer): void {
  if (promised === undefined || promised === found.toString('base64')) return
  throw refusal(400, 'BadDigest', `The ${name} you specified did not match what we received.`)
}
