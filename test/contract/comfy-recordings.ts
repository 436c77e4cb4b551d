// Plays a recorded prompt of a real ComfyUI back to the executor: its answers, its messages, its end, under the executor's ids.
// What a recording lacks is answered as that version would: no such route, an empty queue. Its output files exist as small texts.
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Graph } from '../../src/domain/job.ts'
import { outputFiles } from '../../src/wire/comfy.ts'

const root = new URL('../../../shared/recordings/comfyui/', import.meta.url)
export const versions = existsSync(root) ? readdirSync(root).filter(name => name.startsWith('v')) : []

type Recorded = {
  kind: string
  method?: string
  path?: string
  status?: number
  /** A submission, its answer (a text where the server is in trouble), or a history or job by prompt id. */
  body?: string | { prompt?: Graph; prompt_id?: string; [promptId: string]: unknown }
  message?: unknown
  text?: string
  base64?: string
}
export type Episode = {
  promptId: string
  graph: Graph
  answer: { status: number; body: unknown }
  /** Frames after the submission, as sent. */
  frames: (string | Buffer)[]
  /** Bodies as text, of GET /history/{id} and GET /api/jobs/{id} once it had ended. */
  history: string | null
  job: string | null
}

export const hasScenario = (version: string, scenario: string) =>
  existsSync(new URL(`${version}/${scenario}.json`, root))

/** Every prompt that a scenario submits, in order. */
export function episodes(version: string, scenario: string): Episode[] {
  const { events } = JSON.parse(readFileSync(new URL(`${version}/${scenario}.json`, root), 'utf8'))
  const all: Episode[] = []
  for (const event of events as Recorded[]) {
    const now = all.at(-1)
    const of = (path: string) => all.find(episode => event.path === path + episode.promptId)
    if (event.kind === 'http_request' && event.method === 'POST' && event.path === '/prompt') {
      const { prompt = {}, prompt_id = '' } = bodyOf(event)
      all.push({
        promptId: prompt_id,
        graph: prompt,
        answer: { status: 0, body: null },
        frames: [],
        history: null,
        job: null,
      })
    } else if (event.kind === 'http_response' && event.method === 'POST' && event.path === '/prompt' && now) {
      now.answer = { status: event.status!, body: event.body }
      now.promptId ||= bodyOf(event).prompt_id ?? 'none'
    } else if (event.kind === 'ws_recv') now?.frames.push(JSON.stringify(event.message))
    else if (event.kind === 'ws_recv_raw') now?.frames.push(event.text!)
    else if (event.kind === 'ws_recv_binary' && event.base64) now?.frames.push(Buffer.from(event.base64, 'base64'))
    else if (event.kind === 'http_raw') of('/history/')!.history = event.text!
    else if (event.kind === 'http_response' && event.status === 200) {
      const ofHistory = of('/history/')
      if (ofHistory && bodyOf(event)[ofHistory.promptId]) ofHistory.history = readable(bodyOf(event))
      const ofJob = of('/api/jobs/')
      if (ofJob && event.method === 'GET') ofJob.job = JSON.stringify(event.body)
    }
  }
  return all
}

const bodyOf = ({ body }: Recorded) => (typeof body === 'object' ? body : {})

/** Some recordings shorten a history's status to its word. */
function readable(history: object): string {
  const entries = Object.entries(history as Record<string, { status: unknown }>).map(([id, entry]) => {
    const status = typeof entry.status === 'string' ? { status_str: entry.status, messages: [] } : entry.status
    return [id, { ...entry, status }]
  })
  return JSON.stringify(Object.fromEntries(entries))
}

export type Replay = {
  url: string
  /** Every request that changes something, `METHOD /path`, with the recorded prompt's own id written as `ID`. */
  calls: string[]
}
export type ReplayOptions = {
  /** Folder that stands for `/workspace/ComfyUI`. */
  base: string
  /** Output files that the recording names are not on the disk. */
  isCleaned?: boolean
  /** The socket stays silent: nothing but HTTP tells. */
  isMute?: boolean
  /** The submission is taken, but its answer is a 500, or the connection is cut instead. */
  isUnclear?: 'trouble' | 'cut'
  /** So many looks after the end still find nothing. */
  emptyLooks?: number
}

export async function replay(version: string, episode: Episode, options: ReplayOptions): Promise<Replay> {
  const calls: string[] = []
  const sockets = new Map<string, WebSocket>()
  const stats = readFileSync(new URL(`${version}/system_stats.json`, root), 'utf8')
  const classes = JSON.parse(readFileSync(new URL(`${version}/object_info.json`, root), 'utf8'))
  let ours: { id: string; clientId: string } | null = null
  let isQueued = false
  let hasEnded = false
  let emptyLooks = options.emptyLooks ?? 0

  const renamed = (body: string) => body.replaceAll(episode.promptId, ours?.id ?? episode.promptId)
  const play = async () => {
    const history = JSON.parse((episode.history ?? '{}').replace(/\bNaN\b|\bInfinity\b/g, 'null'))
    for (const file of outputFiles(history[episode.promptId]?.outputs ?? {})) {
      const path = join(options.base, file.type, file.subfolder, file.filename)
      await mkdir(dirname(path), { recursive: true })
      if (!options.isCleaned) await writeFile(path, file.filename)
    }
    const socket = sockets.get(ours!.clientId)
    if (socket && !options.isMute) {
      for (const frame of episode.frames) socket.send(typeof frame === 'string' ? renamed(frame) : frame)
      // The pong comes after the client has read all of it: what the socket tells then never depends on who was faster.
      socket.ping()
      await once(socket, 'pong')
    }
    hasEnded = true
  }

  const answer = async (incoming: IncomingMessage, send: (status: number, body: string) => void) => {
    const path = incoming.url ?? ''
    const body = await text(incoming)
    if (incoming.method === 'POST') {
      calls.push(`POST ${ours ? path.replace(ours.id, 'ID') : path}`)
      if (path !== '/prompt') {
        // POST /api/jobs/{id}/cancel is younger than the older version.
        return path.startsWith('/api/jobs/')
          ? version === 'v0.3.64'
            ? send(405, '')
            : send(200, '{"cancelled":true}')
          : send(200, '')
      }
      const { prompt_id, client_id } = JSON.parse(body)
      ours = { id: prompt_id, clientId: client_id }
      if (options.isUnclear) {
        isQueued = true
        if (options.isUnclear === 'cut') incoming.socket.resetAndDestroy()
        else send(500, '500 Internal Server Error')
        await play()
        return
      }
      const { status } = episode.answer
      send(status, status === 500 ? String(episode.answer.body) : renamed(JSON.stringify(episode.answer.body)))
      isQueued = status === 200
      if (isQueued) await play()
      return
    }
    const isEmpty = hasEnded && emptyLooks > 0
    if (path === '/system_stats') return send(200, stats.replaceAll('/workspace/ComfyUI', options.base))
    if (path === '/queue')
      return send(
        200,
        JSON.stringify({
          queue_running: ours && isQueued && !hasEnded ? [[0, ours.id, {}, {}, []]] : [],
          queue_pending: [],
        }),
      )
    if (path.startsWith('/object_info/')) {
      const name = decodeURIComponent(path.slice('/object_info/'.length))
      return send(200, JSON.stringify(name === 'NoSuchNode' ? {} : { [name]: classes[name] ?? { output_node: true } }))
    }
    if (path.startsWith('/history/')) {
      if (isEmpty) emptyLooks--
      return send(200, hasEnded && !isEmpty ? renamed(episode.history ?? '{}') : '{}')
    }
    if (path.startsWith('/api/jobs/') && episode.job !== null && version !== 'v0.3.64') {
      return hasEnded ? send(200, renamed(episode.job)) : send(404, '{"error": "Job not found"}')
    }
    send(404, '')
  }

  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    const send = (status: number, body: string) => outgoing.writeHead(status).end(body)
    answer(incoming, send).catch(error => outgoing.destroy(error))
  })
  const upgrader = new WebSocketServer({ server, path: '/ws' })
  upgrader.on('connection', (socket, incoming) => {
    const clientId = new URL(incoming.url!, 'http://localhost').searchParams.get('clientId')!
    sockets.set(clientId, socket)
    const exec_info = { queue_remaining: 0 }
    socket.send(JSON.stringify({ type: 'status', data: { status: { exec_info }, sid: clientId } }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets.values()) socket.terminate()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls }
}
