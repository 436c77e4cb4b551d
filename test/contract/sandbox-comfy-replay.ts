// Replays a recording of a real ComfyUI against the sandbox's and says where the two differ.
// Order of a client's acts is kept, not its timing: before each act the messages that came before it are waited for.
// Left out of the comparison: progress ticks and previews (the sandbox reports more of them) and every value that is chance.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect } from 'vitest'
import { WebSocket } from 'ws'

export const recordings = new URL('../../../shared/recordings/comfyui/v0.33.0/', import.meta.url)

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type Message = { type: string; data: Record<string, Json> }
type FormField = { name: string; value: string; filename?: string }
export type RecordedEvent = {
  kind: string
  ws?: string
  path?: string
  method?: string
  status?: number
  headers?: Record<string, string>
  body?: Json
  form?: FormField[]
  message?: Message
  event_type?: number
  text?: string
}
type Node = { class_type: string; inputs: Record<string, unknown> }
type Prompt = Record<string, Node>

export function recordedEvents(scenario: string): RecordedEvent[] {
  return JSON.parse(readFileSync(new URL(`${scenario}.json`, recordings), 'utf8')).events
}

export type Answer = { status: number; headers: IncomingHttpHeaders; bytes: Buffer; body: Json }

/** One HTTP call; Node's own client, because fetch refuses Host and Origin. */
export async function call(
  url: string,
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Record<string, string>; body?: Buffer | string } = {},
): Promise<Answer> {
  const outgoing = request(new URL(url), { method, path: encodeURI(decodeURI(path)), headers })
  outgoing.end(body)
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const bytes = Buffer.concat((await incoming.toArray()) as Buffer[])
  const isJson = incoming.headers['content-type']?.startsWith('application/json')
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    bytes,
    body: isJson && bytes.length > 0 ? JSON.parse(bytes.toString()) : bytes.toString('latin1'),
  }
}

/** A PNG of exactly this many bytes; garbage when it is too small for one. */
async function pngOf(bytes: number): Promise<Buffer> {
  const pixel = { r: 9, g: 99, b: 199, alpha: 0.5 }
  const still = sharp({ create: { width: 1, height: 1, channels: 4, background: pixel } })
  const base = await still.png({ compressionLevel: 9 }).toBuffer()
  // What follows the end mark is ignored by who reads a PNG.
  return bytes < base.length ? Buffer.alloc(bytes, 'x') : Buffer.concat([base, Buffer.alloc(bytes - base.length)])
}

async function formBody(fields: FormField[]): Promise<{ headers: Record<string, string>; body: Buffer }> {
  const boundary = `form-${randomBytes(8).toString('hex')}`
  const parts: Buffer[] = []
  for (const { name, value, filename } of fields) {
    const size = /^<(\d+) bytes>$/.exec(value)?.[1]
    const data = filename !== undefined && size ? await pngOf(Number(size)) : Buffer.from(value)
    // The recording client percent-encodes slashes in file names.
    const file = filename === undefined ? '' : `; filename="${filename.replaceAll('/', '%2F')}"`
    parts.push(Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`))
    parts.push(data, Buffer.from('\r\n'))
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`))
  return { headers: { 'Content-Type': `multipart/form-data; boundary=${boundary}` }, body: Buffer.concat(parts) }
}

/** Nodes that only the recorded server has, played by ones that behave alike; null: nothing here is like it. */
export function recast(prompt: Prompt): { prompt: Prompt; isRecast: boolean } | null {
  const cast: Prompt = {}
  let isRecast = false
  for (const [id, node] of Object.entries(prompt)) {
    if (typeof node !== 'object' || Array.isArray(node)) return { prompt, isRecast: false }
    const played = recastNode(prompt, node)
    if (played === null) return null
    cast[id] = played
    isRecast ||= played !== node
  }
  if (Object.values(prompt).some(node => node.class_type === 'CheckpointLoaderSimple')) {
    cast['90'] = { class_type: 'EmptyImage', inputs: { width: 8, height: 8, batch_size: 1, color: 1 } }
  }
  return { prompt: cast, isRecast }
}

function recastNode(prompt: Prompt, node: Node): Node | null {
  switch (node.class_type) {
    case 'FleetSlow':
      return { class_type: 'ImageBlur', inputs: { image: node.inputs.image, blur_radius: 1, sigma: 1 } }
    case 'CheckpointLoaderSimple': {
      const inputs = { image: ['90', 0], upscale_method: node.inputs.ckpt_name, width: 8, height: 8, crop: 'disabled' }
      return { class_type: 'ImageScale', inputs }
    }
    case 'VAEDecode':
      return { class_type: 'ImageInvert', inputs: { image: [(node.inputs.vae as [string])[0], 0] } }
    case 'EmptyLatentImage':
      return { class_type: 'LoadImage', inputs: { image: 'never-read.png' } }
    case 'SaveImage': {
      const link = node.inputs.images as [string, number] | undefined
      if (!link || prompt[link[0]]?.class_type !== 'EmptyLatentImage') return node
      return { ...node, inputs: { ...node.inputs, images: [link[0], 1] } }
    }
    default:
      return node.class_type?.startsWith('Fleet') ? null : node
  }
}

/** What of a message must be equal: its type, its keys, and who it is about; null: a tick that need not match. */
function essence({ type, data }: Message): unknown {
  if (type === 'progress' || type === 'logs') return null
  if (type !== 'progress_state') {
    const { node, node_id, prompt_id, nodes } = data
    return { type, keys: Object.keys(data).sort(), node, node_id, prompt_id, nodes }
  }
  const nodes = Object.entries(data.nodes as Record<string, { value: number; state: string }>)
  if (nodes.some(([, node]) => node.state === 'running' && node.value > 0)) return null
  const keys = nodes.map(([, node]) => Object.keys(node).sort().join(' '))
  return { type, prompt_id: data.prompt_id, nodes: nodes.map(([id, { state }]) => `${id} ${state}`).sort(), keys }
}

type Ear = {
  socket: WebSocket
  heard: unknown[]
  expected: unknown[]
  binary: Set<number>
  expectedBinary: Set<number>
}

export type Replay = { problems: string[]; skipped: string[]; requests: number; messages: number }

// Values that must be the same, not only of the same type.
const exactKeys = new Set(['type', 'status_str', 'completed', 'message', 'details', 'error', 'exception_type', 'state'])

/** Differences in keys and types, and in the values of `exactKeys`; null fits anything. */
export function differences(expected: Json, actual: Json | undefined, at: string, isReduced: boolean): string[] {
  if (expected === null || actual === null) return []
  const kind = (value: Json | undefined) => (Array.isArray(value) ? 'list' : typeof value)
  const shortened = isReduced && at.endsWith('.status') && typeof expected === 'string'
  if (shortened && JSON.stringify(actual).includes(`"status_str":"${expected}"`)) return []
  if (kind(expected) !== kind(actual)) return [`${at}: ${kind(expected)} there, ${kind(actual)} here`]
  if (Array.isArray(expected) && Array.isArray(actual)) {
    if (at.endsWith('input_config')) return []
    const empty = expected.length > 0 && actual.length === 0 ? [`${at}: empty here`] : []
    const shared = expected.slice(0, actual.length)
    return [...empty, ...shared.flatMap((item, i) => differences(item, actual[i], `${at}[${i}]`, isReduced))]
  }
  if (typeof expected !== 'object' || typeof actual !== 'object') {
    const key = at.split('.').at(-1) ?? ''
    return exactKeys.has(key) && expected !== actual ? [`${at}: ${expected} there, ${actual} here`] : []
  }
  const ours = actual as { [key: string]: Json }
  const theirs = expected as { [key: string]: Json }
  const missing = Object.keys(theirs).filter(key => !(key in ours))
  const added = isReduced ? [] : Object.keys(ours).filter(key => !(key in theirs))
  return [
    ...missing.map(key => `${at}.${key}: missing here`),
    ...added.map(key => `${at}.${key}: only here`),
    ...Object.keys(theirs)
      .filter(key => key in ours)
      .flatMap(key => differences(theirs[key] ?? null, ours[key], `${at}.${key}`, isReduced)),
  ]
}

/**
 * @param isReduced the recording's bodies were shortened, so keys only here are no difference
 * @param statusMayDrift several prompts were in flight, so where a status falls among the other messages is chance
 * @param without ids of nodes to take out of prompts and messages
 */
export async function replay(
  { url, root }: { url: string; root: string },
  events: RecordedEvent[],
  {
    isReduced = false,
    statusMayDrift = false,
    skip = (_: RecordedEvent): string | null => null,
    without = [] as string[],
  } = {},
): Promise<Replay> {
  const result: Replay = { problems: [], skipped: [], requests: 0, messages: 0 }
  const ears = new Map<string, Ear>()
  const etags = new Map<string, string>()
  const caughtUp = async () => {
    for (const ear of ears.values()) {
      const wait = { timeout: 8000, interval: 2 }
      await expect.poll(() => ear.heard.length, wait).toBeGreaterThanOrEqual(ear.expected.length)
    }
  }
  const trimmed = (message: Message): Message | null => {
    if (without.includes(String(message.data.node))) return null
    if (message.type !== 'progress_state') return message
    const nodes = Object.entries(message.data.nodes as Record<string, Json>).filter(([id]) => !without.includes(id))
    return nodes.length === 0 ? null : { ...message, data: { ...message.data, nodes: Object.fromEntries(nodes) } }
  }
  const listen = async (name: string, path: string) => {
    const socket = new WebSocket(url.replace('http', 'ws') + path)
    const ear: Ear = { socket, heard: [], expected: [], binary: new Set(), expectedBinary: new Set() }
    ears.set(name, ear)
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) ear.binary.add(data.readUInt32BE())
      else {
        const told = essence(JSON.parse(String(data)))
        if (told) ear.heard.push(told)
      }
    })
    await once(socket, 'open')
  }
  try {
    for (const [at, event] of events.entries()) {
      const ear = ears.get(event.ws ?? '')
      if (event.kind === 'ws_recv' && ear && event.message) {
        const kept = trimmed(event.message)
        const told = kept && essence(kept)
        if (told) ear.expected.push(told)
        continue
      }
      if (event.kind === 'ws_recv_binary') {
        if (event.event_type !== 3) ear?.expectedBinary.add(event.event_type ?? 0)
        continue
      }
      if (event.kind === 'http_response') continue
      if (event.kind === 'note') {
        const deleted = /^deleted \/workspace\/ComfyUI\/(\S+)/.exec(event.text ?? '')?.[1]
        await caughtUp()
        if (deleted) rmSync(join(root, deleted))
        continue
      }
      await caughtUp()
      if (event.kind === 'ws_open') {
        const welcome = events.slice(at).find(({ kind, ws }) => kind === 'ws_recv' && ws === event.ws)
        if (JSON.stringify(welcome?.message ?? '').includes('"queue_remaining":0')) await isIdle(url)
        await listen(event.ws ?? '', event.path ?? '')
      } else if (event.kind === 'ws_send') {
        // The recorder left out this socket's first message, which its note speaks of.
        if (event.ws === 'late') ear?.socket.send(JSON.stringify({ type: 'hello' }))
        ear?.socket.send(JSON.stringify(event.message))
      } else if (event.kind === 'ws_drop_by_client' || event.kind === 'ws_close_by_client') {
        if (event.kind === 'ws_drop_by_client') ear?.socket.terminate()
        else ear?.socket.close()
        if (ear) await once(ear.socket, 'close')
      } else if (event.kind === 'http_request') {
        const reason = skip(event)
        if (reason) {
          result.skipped.push(`${event.method} ${event.path}: ${reason}`)
          continue
        }
        const later = events.slice(at + 1)
        const there = later.find(({ kind, path }) => kind === 'http_response' && path === event.path)
        const isPlayable = await compare(url, event, there, { result, etags, isReduced, without })
        if (!isPlayable) break
      }
    }
    await caughtUp()
    for (const [name, { heard, expected, binary, expectedBinary }] of ears) {
      const inOrder = (list: unknown[]) => (statusMayDrift ? list.toSorted(statusLast) : list)
      expect(inOrder(heard), `messages on socket ${name}`).toEqual(inOrder(expected))
      expect([...binary].sort(), `binary events on socket ${name}`).toEqual(expect.arrayContaining([...expectedBinary]))
      result.messages += heard.length
    }
    return result
  } finally {
    for (const { socket } of ears.values()) socket.terminate()
  }
}

async function isIdle(url: string): Promise<void> {
  const remaining = async () => JSON.stringify((await call(url, 'GET', '/prompt')).body)
  await expect.poll(remaining, { timeout: 8000, interval: 5 }).toBe('{"exec_info":{"queue_remaining":0}}')
}

const isStatus = (told: unknown) => Number((told as Message).type === 'status')
const statusLast = (a: unknown, b: unknown) => isStatus(a) - isStatus(b)

type Comparison = { result: Replay; etags: Map<string, string>; isReduced: boolean; without: string[] }

/** Makes one call and notes how the answer differs; false: it needs a node that nothing here can play. */
async function compare(
  url: string,
  event: RecordedEvent,
  there: RecordedEvent | undefined,
  { result, etags, isReduced, without }: Comparison,
): Promise<boolean> {
  const { method = 'GET', path = '/' } = event
  const headers = { ...event.headers }
  for (const name of ['If-None-Match', 'If-Range']) {
    const value = headers[name]
    if (value) headers[name] = etags.get(value) ?? value
  }
  if (headers.Origin?.startsWith('http://127.0.0.1')) headers.Origin = url
  let body: Buffer | string | undefined
  let isRecast = false
  if (event.form) {
    const form = await formBody(event.form)
    Object.assign(headers, form.headers)
    body = form.body
  } else if (typeof event.body === 'string') body = event.body
  else if (event.body !== undefined) {
    const sent = { ...(event.body as Record<string, unknown>) }
    if (typeof sent.prompt === 'object' && sent.prompt !== null && !Array.isArray(sent.prompt)) {
      const kept = Object.entries(sent.prompt as Prompt).filter(([id]) => !without.includes(id))
      const cast = recast(Object.fromEntries(kept))
      if (!cast) {
        result.skipped.push(`${method} ${path} and what follows: a test node that nothing here behaves like`)
        return false
      }
      sent.prompt = cast.prompt
      isRecast = cast.isRecast
    }
    body = JSON.stringify(sent)
  }
  result.requests += 1
  const attempt = async () => {
    const here = await call(url, method, path, { headers, ...(body === undefined ? {} : { body }) })
    const etag = there?.headers?.Etag
    if (etag && here.headers.etag) etags.set(etag, here.headers.etag)
    return there ? judged(there, here, isReduced, isRecast).map(text => `${method} ${path} ${text}`) : []
  }
  let problems = await attempt()
  // What a finished prompt leaves behind may come a moment later; nothing else may.
  const mayCome = method === 'GET' && /^(\/api)?\/(history|api\/jobs|queue)/.test(path)
  const giveUpAt = Date.now() + 2000
  while (mayCome && problems.length > 0 && Date.now() < giveUpAt) problems = await attempt()
  result.problems.push(...problems)
  return true
}

const comparedHeaders = [
  'Content-Type',
  'Content-Range',
  'Accept-Ranges',
  'X-Content-Type-Options',
  'Content-Disposition',
]

function judged(there: RecordedEvent, here: Answer, isReduced: boolean, isRecast: boolean): string[] {
  const problems: string[] = []
  if (there.status !== here.status) problems.push(`status: ${there.status} there, ${here.status} here`)
  for (const name of comparedHeaders) {
    const [theirs, ours] = [there.headers?.[name], here.headers[name.toLowerCase()]]
    if (theirs !== undefined && theirs !== ours) problems.push(`${name}: ${theirs} there, ${ours} here`)
  }
  const isBytes = typeof there.body === 'string' && there.body.startsWith('<')
  if (isBytes || there.body === undefined) return problems
  if (Array.isArray(there.body) && there.path?.startsWith('/history')) {
    const ids = Object.keys(here.body as object)
    // Older entries were there from the scenarios before.
    const theirs = there.body.slice(there.body.length - ids.length)
    return ids.length > 0 && ids.join() === theirs.join() ? problems : [...problems, `ids: ${ids} here`]
  }
  // The prompt itself comes back as it was sent, and a recast one has other names in its texts.
  const echoed = /\.(prompt|queue_running\[\d+\]|queue_pending\[\d+\])\[2\]|\.workflow\.prompt/
  const renamed = /\.(details|class_type|message|input_config):/
  const found = differences(there.body, here.body, 'body', isReduced)
  return [...problems, ...found.filter(text => !echoed.test(text) && !(isRecast && renamed.test(text)))]
}
