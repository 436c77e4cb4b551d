// A ComfyUI server of version 0.33.0 without a GPU: real HTTP and WebSocket, real files, real pixels, no models.
// It may die (the 'crash' fault) and come back on the same port with nothing in memory; `stop` is a SIGTERM.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { runPrompt } from './execute.ts'
import type { FaultKind } from './faults.ts'
import { type Folders, openFolders } from './folders.ts'
import { addressOf, answer, isForeign } from './http.ts'
import { createLogs } from './logs.ts'
import type { NodeResult } from './nodes.ts'
import { createQueue, type QueueItem } from './queue.ts'
import { createRoutes, features } from './routes.ts'
import { createHub } from './sockets.ts'

export type ComfyOptions = {
  /** Folder of this ComfyUI: gets input/ output/ temp/ models/. */
  root: string
  /** What a real server prints to stderr, a line a call. */
  log: (line: string) => void
  gpu: { name: string; vramBytes: number }
  /** Wall time of one progress step; 100 looks alive, 0–5 is for tests. */
  stepMs: number
  /** Told while a prompt runs (util 80–100, %) and once when it is over (util 0). */
  load?: (gauge: { util: number; vramUsedBytes: number }) => void
  /** On 127.0.0.1; 0 or absent: any free port. */
  port?: number
  /**
   * Asked when a prompt starts; it strikes half-way through the first node that reports steps, or before the first output.
   * `tag` is JSON of extra_data and the filename_prefix of each node, to look for sentinels in.
   */
  faults?: (prompt: { id: string; tag: string }) => FaultKind | null
  /** How long a crashed server stays away, default 2000. */
  downMs?: number
}

export type Comfy = {
  port: number
  url: string
  /** How often each prompt_id was queued, over all restarts. */
  promptCounts(): Map<string, number>
  /** The prompt_id that runs. */
  executing(): string | null
  /** Like SIGKILL: it stays away until `restart`. */
  die(): Promise<void>
  /** Ended if it lives, and started again; nothing is in memory then. Not after `stop`. */
  restart(): Promise<void>
  /** Like SIGTERM: sockets end with 1006, queue and history are lost, temp is wiped at the next start. */
  stop(): Promise<void>
}

/** What an idle server holds of the GPU's memory: the CUDA context. */
const idleVramBytes = 480 * 2 ** 20
/** The history entry comes this much later than `execution_success`, as it may on a real server (recording 21). */
const historyDelayMs = 5

/** Resolves when it answers. Rejects when the port is taken. */
export async function startComfy(options: ComfyOptions): Promise<Comfy> {
  const counts = new Map<string, number>()
  const over = new AbortController()
  let port = options.port ?? 0
  let current: Process | null = null
  let restarting: Promise<void> = Promise.resolve()
  const start = async () => {
    const folders = await openFolders(options.root)
    const crash = () => {
      restarting = restart(options.downMs ?? 2000).catch(error => options.log(`could not start again: ${error}`))
    }
    current = await startProcess(options, folders, port, counts, crash)
    port = current.port
  }
  const die = async () => {
    const dying = current
    current = null
    await dying?.kill()
  }
  const restart = async (afterMs: number) => {
    await die()
    await sleep(afterMs, undefined, { signal: over.signal }).catch(() => {})
    if (!over.signal.aborted) await start()
  }
  await start()
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    promptCounts: () => new Map(counts),
    executing: () => current?.executing() ?? null,
    die,
    async restart() {
      await restarting
      restarting = restart(0)
      await restarting
    },
    async stop() {
      over.abort()
      await restarting
      await die()
    },
  }
}

type Process = { port: number; executing(): string | null; kill(): Promise<void> }

async function startProcess(
  options: ComfyOptions,
  folders: Folders,
  port: number,
  counts: Map<string, number>,
  crash: () => void,
): Promise<Process> {
  const end = new AbortController()
  const cache = new Map<string, NodeResult>()
  const now = {
    node: null as string | null,
    isInterrupted: false,
    freeMemory: false,
    vramUsedBytes: idleVramBytes,
    ticks: 0,
  }

  const queue = createQueue(() => {
    hub.status()
    work()
  })
  const current = () => {
    const clientId = queue.running()?.[3].client_id
    return { clientId: typeof clientId === 'string' ? clientId : null, node: now.node }
  }
  const hub = createHub({ remaining: () => queue.remaining(), current, features })
  const logs = createLogs(options.log, entry => hub.log(entry))
  const gauge = (util: number, vramUsedBytes: number) => {
    now.vramUsedBytes = vramUsedBytes
    options.load?.({ util, vramUsedBytes })
  }

  let isWorking = false
  let working: Promise<void> = Promise.resolve()
  const work = () => {
    if (isWorking) return
    isWorking = true
    working = workThrough()
  }
  const workThrough = async () => {
    try {
      for (let item = queue.take(); item && !end.signal.aborted; item = queue.take()) await run(item)
    } catch (error) {
      if (!end.signal.aborted) throw error
    } finally {
      isWorking = false
    }
  }

  const run = async (item: QueueItem) => {
    const [, promptId, prompt, extraData] = item
    now.isInterrupted = false
    const startedAt = Date.now()
    const prefixes = Object.values(prompt).map(node => node.inputs?.filename_prefix)
    const tag = JSON.stringify([extraData, prefixes.filter(prefix => prefix !== undefined)])
    const finished = await runPrompt(item, {
      folders,
      hub,
      logs,
      cache,
      vramBytes: options.gpu.vramBytes,
      stepMs: options.stepMs,
      fault: options.faults?.({ id: promptId, tag }) ?? null,
      isInterrupted: () => now.isInterrupted,
      at: node => {
        now.node = node
      },
      load: share => {
        const room = options.gpu.vramBytes * 0.9 - idleVramBytes
        gauge(80 + ((now.ticks++ * 7) % 21), Math.round(idleVramBytes + Math.max(0, room) * (0.3 + 0.7 * share)))
      },
      rest: () => gauge(0, now.vramUsedBytes),
      crash,
      ended: end.signal,
    })
    logs.add('INFO', `Prompt executed in ${((Date.now() - startedAt) / 1000).toFixed(2)} seconds`)
    await sleep(historyDelayMs, undefined, { signal: end.signal })
    gauge(0, idleVramBytes)
    if (now.freeMemory) cache.clear()
    now.freeMemory = false
    queue.finish(finished)
    const { client_id } = extraData
    if (typeof client_id === 'string') hub.send('executing', { node: null, prompt_id: promptId }, client_id)
  }

  const routes = createRoutes({
    folders,
    hub,
    logs,
    queue,
    gpu: options.gpu,
    vramUsedBytes: () => now.vramUsedBytes,
    port: () => (server.address() as AddressInfo).port,
    interrupt(promptId) {
      const running = queue.running()?.[1]
      if (promptId !== null && running !== promptId) return false
      if (running !== undefined) logs.add('INFO', `Interrupting prompt ${running}`)
      now.isInterrupted = true
      return running !== undefined
    },
    free({ free_memory }) {
      if (free_memory && !queue.running()) cache.clear()
      else if (free_memory) now.freeMemory = true
    },
    queued: promptId => counts.set(promptId, (counts.get(promptId) ?? 0) + 1),
  })

  const server = createServer((incoming, outgoing) => {
    const failed = (error: unknown) =>
      logs.add('ERROR', `Error handling request from 127.0.0.1\n${error instanceof Error ? error.message : error}`)
    answer(routes, incoming, outgoing, failed).catch(() => outgoing.destroy())
  })
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {})
    const path = addressOf(request).pathname
    if (isForeign(request.headers) || (path !== '/ws' && path !== '/api/ws')) {
      socket.end(
        `HTTP/1.1 ${isForeign(request.headers) ? '403 Forbidden' : '404 Not Found'}\r\nContent-Length: 0\r\n\r\n`,
      )
    } else hub.upgrade(request, socket, head)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const taken = (server.address() as AddressInfo).port
  const megabytes = Math.round(options.gpu.vramBytes / 2 ** 20)
  logs.add('INFO', `Total VRAM ${megabytes} MB`)
  logs.add('INFO', `Device: cuda:0 ${options.gpu.name} : cudaMallocAsync`)
  logs.add('INFO', 'ComfyUI version: 0.33.0')
  logs.add('INFO', 'Starting server')
  logs.add('INFO', `To see the GUI go to: http://127.0.0.1:${taken}`)
  gauge(0, idleVramBytes)

  return {
    port: taken,
    executing: () => queue.running()?.[1] ?? null,
    async kill() {
      end.abort()
      hub.drop()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      gauge(0, 0)
      await Promise.all([closed, working])
    },
  }
}
