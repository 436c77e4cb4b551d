// What the tests of the sandbox's S3 server share: a server, clients of it, and requests written by hand.
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand, PutObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, vi } from 'vitest'
import { type BucketServer, type BucketServerOptions, startBucketServer } from '../../src/sandbox/bucket/server.ts'

// Megabytes and foreign programs, on machines that have other work as well.
vi.setConfig({ testTimeout: 60_000 })

export const KEYS = { accessKeyId: 'sandbox-id', secretAccessKey: 'sandbox-secret' }
export const MIB = 1024 ** 2
export const Bucket = 'files'
export let folder: string
export let server: BucketServer
export let client: S3Client
let clients: S3Client[]
let skewMs: number

/** Call once in a test file: a fresh server for every test. */
export function eachWithItsServer(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'autopod-bucket-'))
    clients = []
    skewMs = 0
    server = await start()
    client = clientOf()
  })
  afterEach(async () => {
    for (const one of clients) one.destroy()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })
}

/** Stops the server and starts another one on the same files. */
export async function restart(more: Partial<BucketServerOptions> = {}): Promise<void> {
  await server.stop()
  server = await start(more)
  client = clientOf()
}

export function setSkew(ms: number): void {
  skewMs = ms
}

function start(more: Partial<BucketServerOptions> = {}): Promise<BucketServer> {
  const now = () => Date.now() + skewMs
  return startBucketServer({ dir: join(folder, 's3'), ...KEYS, buckets: [Bucket, 'other'], now, ...more })
}

export function clientOf(more: S3ClientConfig = {}): S3Client {
  const made = new S3Client({
    endpoint: server.url,
    region: 'auto',
    credentials: KEYS,
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // The SDK waits six seconds for an answer that R2, and this server, never gives.
    expectContinueHeader: false,
    ...more,
  })
  clients.push(made)
  return made
}

export const md5 = (data: Buffer) => createHash('md5').update(data).digest('hex')
export const put = (Key: string, Body: Buffer | string = 'x', more = {}) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))
export const read = async (Key: string, more = {}) => {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, ...more }))
  return Buffer.from(await answer.Body!.transformToByteArray())
}
export const refused = (status: number, name: string) => ({ name, $metadata: { httpStatusCode: status } })
export const files = () => readdir(join(folder, 's3', Bucket, 'data'))

type Answer = { status: number; headers: IncomingHttpHeaders; body: string }
/** A request as it is written, without what fetch and URL make of a path. */
export function raw(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: Buffer | string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ port: server.port, host: '127.0.0.1', method, path, headers }, response => {
      let text = ''
      response.on('data', data => {
        text += data
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
/** A request signed in its headers, as the SDK's own signer does it, and then sent with some more. */
export async function signed(method: string, path: string, headers: Record<string, string>, body: string, more = {}) {
  const host = `127.0.0.1:${server.port}`
  const plain = { method, protocol: 'http:', hostname: '127.0.0.1', port: server.port, path, query: {} }
  const signer = await client.config.signer({ name: 'sigv4', signingName: 's3', signingRegion: 'auto', properties: {} })
  const request = { ...plain, headers: { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers } }
  const { headers: sent } = await signer.sign(request as Parameters<typeof signer.sign>[0])
  return raw(method, path, { ...sent, ...more, 'content-length': String(body.length) }, body)
}
export const codeOf = (answer: Answer) => [answer.status, /<Code>(\w+)</.exec(answer.body)?.[1]]
export const pathOf = (url: string) => url.slice(server.url.length)
