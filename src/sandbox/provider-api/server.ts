// The provider's front: one HTTP server on loopback for REST v2, GraphQL and /sandbox/status. It does what stands before a route:
//
//   User-Agent (as Cloudflare does) ─▶ size ─▶ key ─▶ rate limit ─▶ hiccup of the service ─▶ path, method ─▶ body ─▶ route
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { billed, billedSeconds } from '../bills.ts'
import { hiccup } from '../cloud.ts'
import type { Keeper } from '../keeper.ts'
import type { Machines } from '../machines.ts'
import { type Answer, json, notFound, problem } from './answer.ts'
import { type Caller, graphql } from './graphql.ts'
import { type Limits, newLimiter } from './limits.ts'
import { podKeyMay, routes } from './routes.ts'

const bodyMaxBytes = 102_400 // the live service's limit, as reported
const frontTimeoutMs = 100_000 // Cloudflare answers 524 after 100 s

export type ProviderApi = {
  port: number
  requests(): number
  stop(): Promise<void>
}

/** Listens on 127.0.0.1. Rejects when the port is taken; port 0 takes any. */
export async function startProviderApi(
  keeper: Keeper,
  machines: Machines,
  how: { port: number; limits: Limits },
): Promise<ProviderApi> {
  const limiter = newLimiter(how.limits)
  const cleanups = new Set<() => void>()
  let requests = 0

  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    requests++
    const { headers, answer } = await handle(request, keeper, machines, limiter)
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    write(response, answer, cleanups)
  }
  const server = createServer((request, response) => {
    respond(request, response).catch((error: Error) => {
      // A fault of the simulator itself: say so, instead of passing for one of the provider's.
      if (!response.headersSent) response.writeHead(500, { 'Content-Type': 'text/plain' })
      response.end(`sandbox bug: ${error.stack ?? error.message}`)
    })
  })
  // A create that waits out a silent answer must not be cut by Node's own timers.
  server.requestTimeout = 0
  // Longer than any client keeps an idle connection, so that none is closed under a request just sent on it.
  server.keepAliveTimeout = 120_000
  await new Promise<void>((resolve, reject) => {
    // For good: a connection that cannot be taken (no descriptor left) is an error of the listener, too.
    server.on('error', reject)
    server.listen(how.port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    requests: () => requests,
    stop: () =>
      new Promise(resolve => {
        for (const cleanup of cleanups) cleanup()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

type Handled = { headers: Record<string, string>; answer: Answer }

async function handle(
  request: IncomingMessage,
  keeper: Keeper,
  machines: Machines,
  limiter: ReturnType<typeof newLimiter>,
): Promise<Handled> {
  const agent = request.headers['user-agent'] ?? ''
  if (agent === '' || agent.startsWith('Python-urllib'))
    return { headers: {}, answer: { kind: 'text', status: 403, type: 'text/plain', body: 'error code: 1010' } }
  const text = await bodyOf(request)
  const only = (answer: Answer): Handled => ({ headers: {}, answer })
  if (text === null) return only(problem(413, 'request body too large'))
  const parsed = parseBody(text)
  const url = new URL(request.url ?? '/', 'http://127.0.0.1')
  const method = request.method ?? 'GET'
  const caller = callerOf(request.headers.authorization, keeper)

  if (url.pathname === '/graphql') return only(graphql(keeper, caller, parsed.body))
  if (caller.kind === 'nobody') return only(problem(401, 'missing bearer token'))
  if (caller.kind === 'unknown') return only(problem(401, 'invalid bearer token'))
  if (url.pathname === '/sandbox/status')
    return only(caller.kind === 'account' ? json(statusOf(keeper, machines)) : problem(403, 'access denied'))

  const quota = limiter(Date.now())
  const counted = (answer: Answer, more: Record<string, string> = {}): Handled => ({
    headers: { ...quota.headers, ...more },
    answer,
  })
  const tooMany = (window: string, retryAfterS: number) =>
    counted(problem(429, `rate limit exceeded for the ${window} window`), { 'Retry-After': String(retryAfterS) })
  if (quota.exceeded) return tooMany(quota.exceeded.window, quota.exceeded.retryAfterS)
  const trouble = keeper.move(cloud => hiccup(cloud))
  if (trouble === 429) return tooMany('minute', 1)
  if (trouble === 502) return counted({ kind: 'text', status: 502, type: 'text/html', body: badGateway })

  const path = url.pathname.startsWith('/v2/') ? url.pathname.slice(3) : null
  const found = path === null ? undefined : routes.find(route => route.path.test(path))
  if (path === null || !found) return counted(notFound)
  const route = found.methods[method]
  if (!route)
    return counted(problem(405, 'The requested method is not allowed for this path.'), {
      Allow: Object.keys(found.methods).join(', '),
    })
  if (caller.kind === 'pod' && !podKeyMay(caller.id, method, path, parsed.body))
    return counted(problem(403, 'access denied'))
  if (!parsed.ok) return counted(problem(400, 'request body is not valid JSON'))
  const params = (found.path.exec(path) ?? []).slice(1).map(decodePart)
  const lastEventId = request.headers['last-event-id']
  return counted(
    await route({
      params,
      query: url.searchParams,
      lastEventId: typeof lastEventId === 'string' ? lastEventId : null,
      body: parsed.body,
      keeper,
      machines,
    }),
  )
}

const badGateway = '<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>'

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The body's text, or null when it is too large; then the rest is read and thrown away, so that the answer can be sent. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes <= bodyMaxBytes) chunks.push(chunk as Buffer)
  }
  return bytes > bodyMaxBytes ? null : Buffer.concat(chunks).toString('utf8')
}
function parseBody(text: string): { ok: boolean; body: unknown } {
  if (text === '') return { ok: true, body: undefined }
  try {
    return { ok: true, body: JSON.parse(text) }
  } catch {
    return { ok: false, body: undefined }
  }
}

function callerOf(authorization: string | undefined, keeper: Keeper): Caller {
  const key = /^Bearer (.+)$/.exec(authorization ?? '')?.[1]
  if (key === undefined) return { kind: 'nobody' }
  if (key === keeper.papers().apiKey) return { kind: 'account' }
  const pod = Object.values(keeper.cloud().pods).find(one => one.key === key)
  return pod ? { kind: 'pod', id: pod.id } : { kind: 'unknown' }
}

/** For tests: what there really is, whatever the faults make the published routes say. */
function statusOf(keeper: Keeper, machines: Machines) {
  const nowMs = Date.now()
  const cloud = keeper.cloud()
  const alive = Object.values(cloud.pods).filter(pod => pod.status !== 'TERMINATED')
  const prompts = { ...cloud.prompts }
  for (const pod of alive)
    for (const [id, count] of machines.running(pod.id)?.promptCounts() ?? []) prompts[id] = (prompts[id] ?? 0) + count
  return {
    pods: alive.map(pod => ({ id: pod.id, name: pod.name, status: pod.status })),
    bills: Object.values(cloud.bills).map(bill => ({
      podId: bill.id,
      name: bill.name,
      micro: billed(bill, nowMs).total,
      seconds: billedSeconds(bill, nowMs),
    })),
    prompts,
  }
}

function write(response: ServerResponse, answer: Answer, cleanups: Set<() => void>): void {
  switch (answer.kind) {
    case 'json':
      response.writeHead(answer.status, { 'Content-Type': answer.type ?? 'application/json' })
      response.end(JSON.stringify(answer.body))
      return
    case 'text':
      response.writeHead(answer.status, { 'Content-Type': answer.type })
      response.end(answer.body)
      return
    case 'empty':
      response.writeHead(204).end()
      return
    case 'silence': {
      const timer = setTimeout(() => response.writeHead(524, { 'Content-Type': 'text/html' }).end(), frontTimeoutMs)
      const cleanup = () => {
        clearTimeout(timer)
        cleanups.delete(cleanup)
      }
      cleanups.add(cleanup)
      response.once('close', cleanup)
      return
    }
    case 'stream': {
      response.setHeader('Content-Type', 'text/event-stream')
      response.setHeader('Cache-Control', 'no-cache')
      response.setHeader('X-Accel-Buffering', 'no')
      // The head goes out with the first line, as on the live service: no line, no head.
      const send = (line: (typeof answer.first)[number]) => {
        const { ts, source, line: text } = line
        response.write(`id: ${line.id}\ndata: ${JSON.stringify({ ts, source, line: text })}\n\n`)
      }
      for (const line of answer.first) send(line)
      response.once('close', answer.follow(send))
      return
    }
  }
}
