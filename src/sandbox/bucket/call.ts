// One request on its way through the S3 server, and the answers it can get.
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Shelf } from './shelf.ts'
import type { Payload } from './sigv4.ts'
import type { Uploads } from './uploads.ts'
import { xmlDocument } from './xml.ts'

export type Bucket = {
  name: string
  shelf: Shelf
  uploads: Uploads
  /** Runs one after the other what touches one upload. */
  uploadTurn: <T>(id: string, task: () => Promise<T>) => Promise<T>
}

export type Call = {
  request: IncomingMessage
  response: ServerResponse
  bucket: Bucket
  key: string
  /** The last value where a name comes twice. */
  query: Map<string, string>
  /** Names in lower case; of a presigned URL also the x-amz- parameters of its query, which count as headers. */
  headers: Map<string, string>
  payload: Payload
  now: () => number
  /** Every bucket, for copies from one to another. */
  buckets: Map<string, Bucket>
  region: string
}

export function respond(
  call: { response: ServerResponse },
  status: number,
  headers: Record<string, string> = {},
): void {
  call.response.writeHead(status, STATUS_CODES[status] ?? '', { ...headers, 'content-length': '0' }).end()
}

export function respondXml(call: { response: ServerResponse }, root: string, content: string[]): void {
  sendXml(call.response, 200, xmlDocument(root, content))
}

export function sendXml(
  response: ServerResponse,
  status: number,
  xml: string,
  headers: Record<string, string> = {},
): void {
  const body = Buffer.from(xml)
  const all = { ...headers, 'content-type': 'application/xml', 'content-length': String(body.length) }
  response.writeHead(status, all).end(body)
}

/** The headers of a write that belong to the object. */
export function objectHeaders(headers: Map<string, string>): Record<string, string> {
  const kept: Record<string, string> = { 'content-type': headers.get('content-type') ?? 'application/octet-stream' }
  for (const name of ['cache-control', 'content-disposition', 'content-language', 'expires']) {
    const value = headers.get(name)
    if (value !== undefined) kept[name] = value
  }
  // aws-chunked is how the body travelled, not what it is.
  const encodings = (headers.get('content-encoding') ?? '').split(',').map(one => one.trim())
  const real = encodings.filter(one => one !== '' && one !== 'aws-chunked').join(', ')
  if (real !== '') kept['content-encoding'] = real
  for (const [name, value] of headers) if (name.startsWith('x-amz-meta-')) kept[name] = value
  return kept
}
