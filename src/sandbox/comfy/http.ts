// The HTTP frame under the routes: bodies, replies, who is let in; every oddity as aiohttp and ComfyUI 0.33.0 have it.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'

export type Request = {
  method: string
  /** Decoded segments matched by `{name}` in the route. */
  params: Record<string, string>
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: Buffer
}
export type Reply = { status: number; headers?: Record<string, string>; body?: string | Buffer | Readable }
export type Handler = (request: Request) => Reply | Promise<Reply>
/** Path with `{name}` segments. Each route exists under /api too, but /internal; /api/jobs has no twin without. */
export type Routes = Record<string, Partial<Record<'GET' | 'POST' | 'PATCH', Handler>>>

/** `--max-upload-size` of 100 MB, the default. */
export const bodyMaxBytes = 104_857_600

export const json = (body: unknown, status = 200): Reply => ({
  status,
  headers: { 'Content-Type': 'application/json; charset=utf-8' },
  body: JSON.stringify(body),
})
export const text = (status: number, body: string): Reply => ({
  status,
  headers: { 'Content-Type': 'text/plain; charset=utf-8' },
  body,
})
export const empty = (status = 200): Reply => ({ status })
export const internalError = text(500, '500 Internal Server Error\n\nServer got itself in trouble')
const tooLarge = text(413, `Maximum request body size ${bodyMaxBytes} exceeded.`)

/** The body as JSON whatever its Content-Type says; throws when it is none, which becomes a 500. */
export function jsonBody(request: Request): Record<string, unknown> {
  return JSON.parse(request.body.toString())
}

const isLoopback = (host: string) => host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host)

/** Browsers of other sites are kept out: by Sec-Fetch-Site, and by Origin when Host is loopback (recording 17). */
export function isForeign(headers: IncomingMessage['headers']): boolean {
  if (headers['sec-fetch-site'] === 'cross-site') return true
  const { host, origin } = headers
  if (!host || !origin || !URL.canParse(origin) || !URL.canParse(`http://${host}`)) return false
  const here = new URL(`http://${host}`)
  const there = new URL(origin)
  if (!isLoopback(here.hostname)) return false
  return here.port === '' || there.port === '' ? here.hostname !== there.hostname : here.host !== there.host
}

/** Path and query of a request; an address that is none is the root's. */
export function addressOf(incoming: IncomingMessage): URL {
  const base = 'http://localhost'
  return URL.canParse(incoming.url ?? '', base) ? new URL(incoming.url ?? '', base) : new URL(base)
}

/** The body, or null when it is larger than allowed; it is read to its end either way, as the real server does. */
async function readBody(incoming: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of incoming) {
    size += (part as Buffer).length
    if (size <= bodyMaxBytes) parts.push(part as Buffer)
    else parts.length = 0
  }
  return size > bodyMaxBytes ? null : Buffer.concat(parts)
}

function match(pattern: string, path: string): Record<string, string> | null {
  const [wanted, given] = [pattern.split('/'), path.split('/')]
  if (wanted.length !== given.length) return null
  const params: Record<string, string> = {}
  for (const [at, name] of wanted.entries()) {
    const part = given[at] ?? ''
    if (name.startsWith('{')) params[name.slice(1, -1)] = decodeURIComponent(part)
    else if (name !== part) return null
  }
  return params
}

/** Answers one request; @param failed is told of what a handler threw, which the client sees as a 500. */
export async function answer(
  routes: Routes,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  failed: (error: unknown) => void,
): Promise<void> {
  const reply = await replyTo(routes, incoming).catch(error => {
    failed(error)
    return internalError
  })
  const { status, headers = {}, body = '' } = reply
  outgoing.statusCode = status
  for (const [name, value] of Object.entries(headers)) outgoing.setHeader(name, value)
  const isStream = typeof body === 'object' && 'pipe' in body
  if (!isStream && !('Content-Length' in headers) && status !== 304) {
    outgoing.setHeader('Content-Length', Buffer.byteLength(body))
  }
  if (incoming.method === 'HEAD' || !isStream) {
    if (isStream) body.destroy()
    outgoing.end(incoming.method === 'HEAD' || isStream ? undefined : body)
    return
  }
  body.on('error', () => outgoing.destroy())
  outgoing.on('close', () => body.destroy())
  body.pipe(outgoing)
}

async function replyTo(routes: Routes, incoming: IncomingMessage): Promise<Reply> {
  const body = await readBody(incoming)
  const url = addressOf(incoming)
  if (isForeign(incoming.headers)) return empty(403)
  const twin = url.pathname.startsWith('/api/') ? url.pathname.slice(4) : null
  for (const [pattern, methods] of Object.entries(routes)) {
    const hasTwin = twin !== null && !pattern.startsWith('/internal/')
    const params = match(pattern, url.pathname) ?? (hasTwin ? match(pattern, twin) : null)
    if (!params) continue
    const method = incoming.method ?? 'GET'
    const handler = methods[(method === 'HEAD' ? 'GET' : method) as 'GET']
    if (!handler) return text(405, '405: Method Not Allowed')
    if (!body) return tooLarge
    return await handler({ method, params, query: url.searchParams, headers: incoming.headers, body })
  }
  return { status: 404, headers: { 'Content-Type': 'application/octet-stream' } }
}
