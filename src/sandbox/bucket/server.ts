// An S3 server on loopback that behaves as R2 does: signatures, conditions, multipart rules and error codes.
//
// Paths are `/bucket/key`. Consistency is strong: one process, one index. As on R2 an `Expect: 100-continue` gets no answer.
// Left out: creating and deleting buckets (a token for objects may not), ACLs, tags, versions, encryption, part copies,
// R2's limit of one write a second and key. Checked against foreign clients, not only ours.
import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { bucketLocation, deleteObjects, listObjects } from './bucket-calls.ts'
import { type Bucket, type Call, respond, sendXml } from './call.ts'
import { noSuchBucket, notImplemented, refusal, refusalOf, refusalXml } from './errors.ts'
import { abortUpload, completeUpload, createUpload, listParts, listUploads, putPart } from './multipart-calls.ts'
import { copyObject, deleteObject, getObject, putObject } from './object-calls.ts'
import { openShelf, turns } from './shelf.ts'
import { authenticate } from './sigv4.ts'
import { parseTarget } from './target.ts'
import { openUploads } from './uploads.ts'
import { element, xmlDocument } from './xml.ts'

export type BucketServerOptions = {
  /** Holds everything; a server started on it again has the same objects. One server at a time. */
  dir: string
  accessKeyId: string
  secretAccessKey: string
  /** The buckets that exist: lower-case letters, digits and hyphens. */
  buckets: string[]
  /** 0 or absent: any free port. */
  port?: number
  /** Default 'auto', which also takes us-east-1, as R2 does. */
  region?: string
  /** Milliseconds since 1970: judges signatures, dates objects. */
  now?: () => number
}

export type BucketServer = {
  port: number
  /** The endpoint for clients, without a slash at the end. */
  url: string
  /** Drops all connections; an upload under way leaves nothing. Idempotent. */
  stop(): Promise<void>
  /** Requests so far, refused ones included. */
  requests(): number
}

/** Rejects when the port is taken, or a bucket's name or the files in `dir` are not as they must be. */
export async function startBucketServer(options: BucketServerOptions): Promise<BucketServer> {
  const now = options.now ?? Date.now
  const region = options.region ?? 'auto'
  const keys = { accessKeyId: options.accessKeyId, secretAccessKey: options.secretAccessKey, region }
  const buckets = new Map<string, Bucket>()
  for (const name of options.buckets) buckets.set(name, await openBucket(options.dir, name))
  let requests = 0

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    requests++
    request.on('error', () => {})
    response.on('error', () => {})
    const requestId = randomUUID()
    response.setHeader('x-amz-request-id', requestId)
    try {
      const target = parseTarget(request.url ?? '/')
      const headers = headersOf(request)
      const method = request.method ?? ''
      const payload = authenticate({ method, target, headers }, keys, now())
      const query = new Map(target.query)
      if (query.has('X-Amz-Signature')) {
        for (const [name, value] of query) if (name.startsWith('x-amz-') && !headers.has(name)) headers.set(name, value)
      }
      if (target.bucket === '') return listBuckets(method, response, [...buckets.keys()])
      const bucket = buckets.get(target.bucket)
      if (bucket === undefined) throw method === 'PUT' && target.key === '' ? denied() : noSuchBucket()
      await route({ request, response, bucket, key: target.key, query, headers, payload, now, buckets, region })
    } catch (error) {
      refuse(request, response, error, requestId)
    }
  }
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    handle(request, response).catch(() => response.destroy())
  }
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0, noDelay: true }, listener)
  server.on('checkContinue', listener)
  await new Promise<void>((resolve, reject) => {
    // For good: a connection that cannot be taken (no descriptor left) is an error of the listener, too.
    server.on('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('bug: a TCP listener without a port')

  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    requests: () => requests,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function openBucket(dir: string, name: string): Promise<Bucket> {
  if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name)) throw new Error(`not a bucket name: ${name}`)
  const folder = join(dir, name)
  await mkdir(folder, { recursive: true })
  const used = new Set<string>()
  const uploads = await openUploads(folder, used)
  return { name, uploads, shelf: await openShelf(folder, used), uploadTurn: turns() }
}

/** Parts of S3 that R2 has not, or that this server leaves out; without the list they would be taken for plain reads. */
const SUBRESOURCES = [
  'acl',
  'tagging',
  'policy',
  'versioning',
  'versions',
  'cors',
  'lifecycle',
  'encryption',
  'torrent',
]

function route(call: Call): Promise<void> | void {
  const { query } = call
  const method = call.request.method ?? ''
  const other = SUBRESOURCES.find(name => query.has(name))
  if (other !== undefined) throw notImplemented(other)
  if (call.key === '') {
    if (method === 'HEAD') return respond(call, 200)
    if (method === 'GET' && query.has('location')) return bucketLocation(call)
    if (method === 'GET' && query.has('uploads')) return listUploads(call)
    if (method === 'GET') return listObjects(call)
    if (method === 'POST' && query.has('delete')) return deleteObjects(call)
    if (method === 'PUT') throw refusal(409, 'BucketAlreadyOwnedByYou', 'Your previous request to create it succeeded.')
    if (method === 'DELETE') throw denied()
  } else if (query.has('uploadId')) {
    if (method === 'PUT' && call.headers.has('x-amz-copy-source')) throw notImplemented('UploadPartCopy')
    if (method === 'PUT') return putPart(call)
    if (method === 'POST') return completeUpload(call)
    if (method === 'DELETE') return abortUpload(call)
    if (method === 'GET') return listParts(call)
  } else {
    if (method === 'GET' || method === 'HEAD') return getObject(call)
    if (method === 'PUT' && call.headers.has('x-amz-copy-source')) return copyObject(call)
    if (method === 'PUT') return putObject(call)
    if (method === 'DELETE') return deleteObject(call)
    if (method === 'POST' && query.has('uploads')) return createUpload(call)
  }
  throw refusal(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.')
}

function listBuckets(method: string, response: ServerResponse, names: string[]): void {
  if (method !== 'GET')
    throw refusal(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.')
  const created = element('CreationDate', new Date(0).toISOString())
  const buckets = names.map(name => element('Bucket', [element('Name', name), created]))
  const owner = element('Owner', [element('ID', 'sandbox'), element('DisplayName', 'sandbox')])
  sendXml(response, 200, xmlDocument('ListAllMyBucketsResult', [owner, element('Buckets', buckets)]))
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown, requestId: string): void {
  const refused = refusalOf(error)
  // Too late for an answer: half an object was sent, or the client has gone.
  if (response.headersSent || request.errored !== null) {
    response.destroy()
    return
  }
  // What is left of the body is read, or the client would find a reset connection and not the reason.
  request.resume()
  if (request.method === 'HEAD' || refused.status === 304) {
    response.writeHead(refused.status, refused.headers).end()
    return
  }
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  sendXml(response, refused.status, refusalXml(refused, path, requestId), refused.headers)
}

/** Names in lower case, several values joined as the signature wants them. */
function headersOf(request: IncomingMessage): Map<string, string> {
  const headers = new Map<string, string>()
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    if (values !== undefined) headers.set(name, values.map(value => value.trim()).join(','))
  }
  return headers
}

function denied(): Error {
  return refusal(403, 'AccessDenied', 'Access Denied')
}
