// The WebSocket side: who listens under which clientId, and what is sent to whom (contract of ComfyUI 0.33.0, section 5).
// Kept on purpose: one entry a clientId, so the death of an older socket unregisters the newer one (upstream issue 16010).
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { addressOf } from './http.ts'
import type { LogEntry } from './logs.ts'

export type Hub = ReturnType<typeof createHub>

export type HubHooks = {
  /** What `status` tells. */
  remaining(): number
  /** Client and node of the prompt that runs; a client that comes back is told its node at once. */
  current(): { clientId: string | null; node: string | null }
  features: Record<string, unknown>
}

const binary = (event: number, second: number, ...rest: Uint8Array[]) => {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(event)
  head.writeUInt32BE(second, 4)
  return Buffer.concat([head, ...rest])
}

export function createHub(hooks: HubHooks) {
  const acceptor = new WebSocketServer({ noServer: true, perMessageDeflate: true })
  const sockets = new Map<string, WebSocket>()
  const flags = new Map<string, Record<string, unknown>>()
  const subscribers = new Map<string, { toldSize: boolean }>()
  const open = new Set<WebSocket>()

  const status = () => ({ status: { exec_info: { queue_remaining: hooks.remaining() } } })
  const receivers = (sid: string | null) => (sid === null ? [...sockets] : [...sockets].filter(([id]) => id === sid))

  /** To one client, or to all when `sid` is null; an unknown client loses it. */
  const send = (type: string, data: unknown, sid: string | null) => {
    const text = JSON.stringify({ type, data })
    for (const [, socket] of receivers(sid)) socket.send(text)
  }

  const welcome = (socket: WebSocket, sid: string) => {
    open.add(socket)
    sockets.set(sid, socket)
    flags.set(sid, {})
    let isFirst = true
    socket.on('error', () => {})
    socket.on('close', () => {
      open.delete(socket)
      sockets.delete(sid)
      flags.delete(sid)
    })
    socket.on('message', (data, isBinary) => {
      if (isBinary) return
      const message = parsed(String(data))
      if (isFirst && message?.type === 'feature_flags') {
        flags.set(sid, message.data ?? {})
        send('feature_flags', hooks.features, sid)
      }
      isFirst = false
    })
    send('status', { ...status(), sid }, sid)
    const { clientId, node } = hooks.current()
    if (clientId === sid && node !== null) send('executing', { node }, sid)
  }

  return {
    send,
    status: () => send('status', status(), null),
    hears: (sid: string | null) => receivers(sid).length > 0,
    /** Event 4 to who negotiated it, else event 1; the real server sends 4 before `progress` and 1 after it. */
    wantsMetadata: (sid: string | null) => sid !== null && flags.get(sid)?.supports_preview_metadata === true,
    preview(jpeg: Buffer, metadata: Record<string, unknown> | null, sid: string | null) {
      const json = Buffer.from(JSON.stringify({ ...metadata, image_type: 'image/jpeg' }))
      const frame = metadata ? binary(4, json.length, json, jpeg) : binary(1, 1, jpeg)
      for (const [, socket] of receivers(sid)) socket.send(frame)
    },
    log(entry: LogEntry) {
      for (const [sid, subscriber] of subscribers) {
        const size = subscriber.toldSize ? null : { cols: 80, rows: 24 }
        subscriber.toldSize = true
        send('logs', { entries: [entry], size }, sid)
      }
    },
    subscribe(sid: string, enabled: boolean) {
      if (enabled) subscribers.set(sid, { toldSize: false })
      else subscribers.delete(sid)
    },
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
      const sid = addressOf(request).searchParams.get('clientId') || randomUUID().replaceAll('-', '')
      acceptor.handleUpgrade(request, socket, head, ws => welcome(ws, sid))
    },
    /** As a killed process does it: no close frame, the client sees 1006. */
    drop() {
      for (const socket of open) socket.terminate()
    },
  }
}

function parsed(text: string): { type?: string; data?: Record<string, unknown> } | null {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
