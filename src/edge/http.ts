// HTTP for all clients of this program: kept-alive connections, bounded waits, answers taken as bytes until someone knows better.
import http from 'node:http'
import https from 'node:https'
import { pipeline, Readable } from 'node:stream'
import { Fault } from '../domain/fault.ts'
import { version } from './config.ts'

export type HttpRequest = {
  /** Default GET. */
  method?: string
  url: string
  headers?: Record<string, string>
  /** A Readable is sent as it comes (give `content-length` in the headers, else it goes chunked). */
  body?: string | Uint8Array | Readable
  /** Longest silence of the other side, connecting included; default 30 000. A slow but living transfer is never cut. */
  timeoutMs?: number
  signal?: AbortSignal
}

export type HttpResponse = {
  status: number
  /** Names in lower case. */
  headers: http.IncomingHttpHeaders
  /** The body as it comes; read it, or call `text`, `bytes` or `stream.destroy`, else the connection is not freed. */
  stream: Readable
  bytes(): Promise<Buffer>
  text(): Promise<string>
}

/** More than any answer that is held in memory should have (ComfyUI's longest, a list of all node classes, has some 10 MB); files are streamed. */
const BODY_MAX_BYTES = 64 * 1024 * 1024

// Idle connections are dropped after 30 s: sooner than the 75 s of ComfyUI's aiohttp and the 60 s of common balancers do it.
const agents = {
  'http:': new http.Agent({ keepAlive: true, timeout: 30_000 }),
  'https:': new https.Agent({ keepAlive: true, timeout: 30_000 }),
}

/**
 * Sends one request and resolves with the head of the answer, whatever its status. Faults: transient `http_unreachable`,
 * `http_timed_out`, `http_broken`, `http_too_large`. Aborting throws the signal's reason. A GET or HEAD on a kept connection
 * that the other side closed meanwhile is sent once more; other methods never are.
 */
export async function request(options: HttpRequest): Promise<HttpResponse> {
  options.signal?.throwIfAborted()
  const method = options.method ?? 'GET'
  const seen = { stale: false }
  try {
    return await send(options, method, seen)
  } catch (error) {
    if (seen.stale && (method === 'GET' || method === 'HEAD')) return await send(options, method, seen)
    throw error
  }
}

/** Sets `seen.stale` when it failed on a reused connection, where the request probably never arrived. */
function send(options: HttpRequest, method: string, seen: { stale: boolean }): Promise<HttpResponse> {
  const url = new URL(options.url)
  // Without the query: signed addresses and keys live there, and messages reach logs.
  const what = `${method} ${url.origin}${url.pathname}`
  const timeoutMs = options.timeoutMs ?? 30_000
  const { body, signal } = options
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>()
  const headers: Record<string, string | number> = { 'user-agent': userAgent(), ...options.headers }
  if (typeof body === 'string' || body instanceof Uint8Array) headers['content-length'] = Buffer.byteLength(body)
  const client = url.protocol === 'https:' ? https : http
  const agent = agents[url.protocol === 'https:' ? 'https:' : 'http:']
  const sent = client.request(url, { method, headers, agent, timeout: timeoutMs, signal })
  const reasonOf = (error: unknown): unknown => (signal?.aborted ? signal.reason : networkFault(what, error))
  let answer: Readable | null = null
  // Destroying the request would end an answer under way as cut, not as timed out.
  sent.on('timeout', () => (answer ?? sent).destroy(timedOut(what, timeoutMs)))
  sent.on('error', error => {
    seen.stale = sent.reusedSocket && isReset(error) && !signal?.aborted
    reject(reasonOf(error))
  })
  sent.on('response', stream => {
    answer = stream
    // An unread body may end badly long after its reader lost interest.
    stream.on('error', () => {})
    const bytes = () => readAll(stream, what, reasonOf)
    const text = async () => (await bytes()).toString('utf8')
    resolve({ status: stream.statusCode ?? 0, headers: stream.headers, stream, bytes, text })
  })
  if (body instanceof Readable) pipeline(body, sent, error => error && sent.destroy(error))
  else sent.end(body)
  return promise
}

async function readAll(stream: Readable, what: string, reasonOf: (error: unknown) => unknown): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of stream) {
      size += chunk.length
      if (size > BODY_MAX_BYTES) {
        const message = `${what}: the answer has more than ${BODY_MAX_BYTES} bytes`
        throw new Fault({ kind: 'transient', code: 'http_too_large', message })
      }
      chunks.push(chunk)
    }
  } catch (error) {
    throw reasonOf(error)
  }
  return Buffer.concat(chunks, size)
}

function timedOut(what: string, timeoutMs: number): Fault {
  const message = `${what}: no answer for ${Math.round(timeoutMs / 1000)} s`
  return new Fault({ kind: 'transient', code: 'http_timed_out', message })
}

function isReset(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ECONNRESET' || code === 'EPIPE'
}

const words: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name could not be looked up',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no network',
  ETIMEDOUT: 'no answer',
}
const neverArrived = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

function networkFault(what: string, error: unknown): Fault {
  if (error instanceof Fault) return error
  // A host with several addresses fails with one error for each; the first one tells enough.
  const first = error instanceof AggregateError ? error.errors[0] : error
  const code = String((first as NodeJS.ErrnoException).code ?? '')
  const message = `${what}: ${words[code] ?? (first as Error).message}`
  const kind = neverArrived.has(code) ? 'http_unreachable' : 'http_broken'
  return new Fault({ kind: 'transient', code: kind, message }, { cause: error })
}

let agentName: string | null = null

/** `autopod/<version>`: RunPod's edge refuses requests that name no client (seen 2026). */
export function userAgent(): string {
  agentName ??= `autopod/${version()}`
  return agentName
}
