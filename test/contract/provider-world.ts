// The RunPod client on the embedded cloud, with a proxy between them that checks both sides against the published
// specification and lets a test put its own answer in place of any.
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault, type FaultData } from '../../src/domain/fault.ts'
import { systemClock } from '../../src/edge/clock.ts'
import { createRunpod } from '../../src/edge/providers/runpod.ts'
import type { RunpodTiming } from '../../src/edge/providers/runpod-timing.ts'
import type { Boot, Provider } from '../../src/ports.ts'
import { assembleSandbox, type Parts, type Sandbox, type SandboxOptions } from '../../src/sandbox/assembly.ts'
import type { PodPlan } from '../../src/sandbox/machines.ts'
import { secretOf } from '../../src/wire/secret.ts'
import { offerOf } from '../unit/fleet-story.ts'
import { type Asked, complaintOf } from './published-requests.ts'
import { clientOf, status, validate } from './runpod-answers.ts'

/** Longer than the 800 ms that the cloud's lists may lag. */
export const SETTLE_MS = 900
export const TIMING: RunpodTiming = { settleMs: SETTLE_MS, pollMs: 15, lookupMs: 60, createMaxMs: 600, billLagMs: 0 }

export type Call = Asked & { path: string; headers: IncomingMessage['headers'] }
/** `cut` closes the connection without an answer; `torn` in the middle of the body. */
export type Scripted =
  | { status?: number; body?: unknown; type?: string; headers?: Record<string, string>; torn?: boolean }
  | 'cut'
/** Gives the answer itself, or null to pass the request on; `pass` asks the cloud and keeps its answer from the client. */
export type Meddle = (call: Call, pass: () => Promise<unknown>) => Promise<Scripted | null> | Scripted | null

export type World = {
  provider: Provider
  sandbox: Sandbox
  /** The cloud without the proxy. */
  direct: ReturnType<typeof clientOf>
  calls: Call[]
  /** How often a method and path were asked. */
  count(what: string): number
  /** What the specification has against requests and answers so far. */
  complaints: string[]
  meddle(how: Meddle | null): void
  status(): ReturnType<typeof status>
  /** Lines of a pod's log, as its container would write them. */
  say(ref: string, line: string, source?: 'container' | 'system'): void
  close(): Promise<void>
}

export async function openWorld(
  options: Partial<SandboxOptions> & { timing?: Partial<RunpodTiming>; apiKey?: string; aheadMs?: number } = {},
): Promise<World> {
  const stateDir = await mkdtemp(join(tmpdir(), 'provider-'))
  const logs = new Map<string, PodPlan['log']>()
  const parts: Parts = {
    startPod: async ({ pod, log }) => {
      logs.set(pod.id, log)
      log.add('system', `create container ${pod.image}`)
      return { publicPorts: pod.publicPorts, gauge, promptCounts: () => new Map(), stop: async () => {} }
    },
    startBucket: async () => ({ port: 1, url: 'http://127.0.0.1:1', stop: async () => {}, requests: () => 0 }),
  }
  const { timing, apiKey, aheadMs = 0, ...how } = options
  const sandbox = await assembleSandbox({ bootMs: 20, seed: 1, ...how, stateDir }, parts)
  const { runpod_url, graphql_url, api_key } = sandbox.description
  const proxy = await openProxy(new URL(runpod_url))
  const at = (url: string) => proxy.url + new URL(url).pathname
  const provider = createRunpod('runpod', {
    url: at(runpod_url),
    graphqlUrl: at(graphql_url),
    apiKey: secretOf(apiKey ?? api_key),
    clock: { ...systemClock, now: () => systemClock.now() + aheadMs },
    timing: { ...TIMING, ...timing },
  })
  return {
    ...proxy,
    provider,
    sandbox,
    direct: clientOf(sandbox),
    status: () => status(sandbox),
    say: (ref, line, source = 'container') => logs.get(ref)?.add(source, line),
    async close() {
      await proxy.close()
      await sandbox.stop()
      await rm(stateDir, { recursive: true, force: true })
    },
  }
}
const gauge = () => ({ util: 1, memoryUtil: 2 })

async function openProxy(target: URL) {
  const calls: Call[] = []
  const complaints: string[] = []
  let meddle: Meddle | null = null
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', chunk => chunks.push(chunk))
    incoming.on('end', async () => {
      const { method = 'GET', url = '/', headers } = incoming
      const body = Buffer.concat(chunks)
      const path = url.split('?')[0]?.replace(/^\/v2/, '') ?? ''
      const call: Call = { method, url, path, headers, body: body.toString() }
      calls.push(call)
      if (path !== '/graphql') {
        const wrong = complaintOf?.(call)
        if (wrong) complaints.push(wrong)
        if (!/^autopod\/\d/.test(headers['user-agent'] ?? '')) complaints.push(`${method} ${url} names no client`)
      }
      const forward = () =>
        new Promise<IncomingMessage>((resolve, reject) => {
          const sent = request({ hostname: target.hostname, port: target.port, method, path: url, headers }, resolve)
          sent.on('error', reject)
          outgoing.on('close', () => sent.destroy())
          sent.end(body)
        })
      const pass = async () => {
        const text = await textOf(await forward())
        return text === '' ? null : JSON.parse(text)
      }
      try {
        const scripted = (await meddle?.(call, pass)) ?? null
        if (scripted === 'cut') return outgoing.destroy()
        if (scripted) {
          const { status = 200, body: said, type = 'application/json', headers: more = {}, torn } = scripted
          outgoing.writeHead(status, { ...(said === undefined ? {} : { 'content-type': type }), ...more })
          if (torn) return outgoing.write(String(said), () => outgoing.destroy())
          return outgoing.end(said === undefined || typeof said === 'string' ? said : JSON.stringify(said))
        }
        const answer = await forward()
        const type = answer.headers['content-type'] ?? ''
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
        if (type === 'text/event-stream') return void answer.pipe(outgoing)
        const text = await textOf(answer)
        // Pages of markup are a proxy's, not the provider's.
        if (path !== '/graphql' && (type.includes('json') || answer.statusCode === 204)) {
          try {
            const pathname = url.split('?')[0] ?? ''
            validate?.(method, pathname, answer.statusCode ?? 0, type, text === '' ? '' : JSON.parse(text))
          } catch (error) {
            complaints.push(String(error))
          }
        }
        outgoing.end(text)
      } catch {
        outgoing.destroy()
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    complaints,
    count: (what: string) => calls.filter(call => `${call.method} ${call.path}` === what).length,
    meddle: (how: Meddle | null) => {
      meddle = how
    },
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

export const BOOT: Boot = {
  image: 'runpod/comfyui:latest',
  diskGb: 20,
  env: { PUBLIC_KEY: 'ssh-ed25519 AAAA test' },
  args: null,
  volume: null,
}

export const A40 = offerOf({ provider: 'runpod', perHour: 490_000 })

export const problem = (code: number, detail: string, headers: Record<string, string> = {}): Scripted => ({
  status: code,
  type: 'application/problem+json',
  body: { title: 'Refused', status: code, detail },
  headers,
})
export const page = (code: number, title: string): Scripted => ({
  status: code,
  type: 'text/html; charset=UTF-8',
  body: `<!DOCTYPE html>\n<html><head><style>p { color: red }</style><title>${title}</title></head><body><p>${title}</p></body></html>`,
})

/** The fault that `work` throws; anything else it does fails the test. */
export async function faultOf(work: Promise<unknown>): Promise<FaultData> {
  const [error] = await Promise.allSettled([work])
  if (error.status === 'fulfilled') throw new Error(`no fault, but ${JSON.stringify(error.value)}`)
  if (!(error.reason instanceof Fault)) throw error.reason
  return error.reason.data
}
