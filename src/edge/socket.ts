// A WebSocket that comes back: one connection at a time, each under a fresh client id, declared dead after 20 s of silence.
//
// connecting → open → (closed | silent) → pause → connecting …; `close` ends it from anywhere.
// A fresh id each time, because ComfyUI keeps one entry an id and the death of an older connection silences the newer one
// (upstream issue 16010, seen on 0.33.0). Nothing is replayed: whoever needs the truth asks over HTTP.
import { type RawData, WebSocket } from 'ws'
import type { Clock } from '../ports.ts'
import { userAgent } from './http.ts'

const HANDSHAKE_MS = 5_000
/** Two pings go unanswered before a connection is given up; ComfyUI itself never pings. */
const PING_MS = 10_000
const SILENCE_MS = 20_000
/** Preview pictures and `executed` messages of big graphs are the largest frames; a frame beyond this is no hint any more. */
const PAYLOAD_MAX = 64 * 1024 * 1024
const PAUSE_MIN_MS = 500
const PAUSE_MAX_MS = 10_000

export type SocketOptions = {
  /** Address for a client id, `ws://…`. */
  url(clientId: string): string
  clock: Clock
  on: {
    /** A connection stands; frames given to `send` are its first ones. */
    open?(send: (text: string) => void): void
    text(text: string): void
    bytes(bytes: Uint8Array): void
    /** A connection ended, or could not be made; another try follows unless `close` was called. */
    lost?(why: string): void
  }
}

export type Socket = {
  /** Id of the connection that stands now, null while there is none. */
  clientId(): string | null
  /** Resolves when a connection first stands (never rejects; pending for ever if none ever does). */
  opened: Promise<void>
  close(): void
}

/** Connects at once and reconnects until `close`. Throws nothing, ever: an unreachable server is a `lost` each time. */
export function openSocket(options: SocketOptions): Socket {
  const { clock, on } = options
  const ended = new AbortController()
  const opened = Promise.withResolvers<void>()
  let current: { id: string; ws: WebSocket } | null = null

  const keepConnecting = async () => {
    let pauseMs = PAUSE_MIN_MS
    while (!ended.signal.aborted) {
      const stood = await connectOnce()
      if (ended.signal.aborted) return
      pauseMs = stood ? PAUSE_MIN_MS : Math.min(pauseMs * 2, PAUSE_MAX_MS)
      await clock.sleep(pauseMs, ended.signal)
    }
  }

  /** One connection from start to end; true if it ever stood. */
  const connectOnce = (): Promise<boolean> => {
    const id = clock.uuid()
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const over = new AbortController()
    let heardAt = clock.now()
    let stood = false
    let why = ''
    const ws = new WebSocket(options.url(id), {
      handshakeTimeout: HANDSHAKE_MS,
      perMessageDeflate: false,
      maxPayload: PAYLOAD_MAX,
      headers: { 'user-agent': userAgent() },
    })
    current = null
    const heard = () => {
      heardAt = clock.now()
    }
    const watch = async () => {
      while (!over.signal.aborted) {
        await clock.sleep(PING_MS, over.signal)
        if (over.signal.aborted) return
        if (clock.now() - heardAt >= SILENCE_MS) {
          why = `no sign of life for ${SILENCE_MS / 1000} s`
          ws.terminate()
          return
        }
        ws.ping()
      }
    }
    // Stays for good: an error after `terminate` would otherwise end the process.
    ws.on('error', error => {
      why ||= error.message
    })
    ws.on('open', () => {
      stood = true
      current = { id, ws }
      heard()
      on.open?.(text => ws.send(text))
      opened.resolve()
      void watch()
    })
    ws.on('pong', heard)
    ws.on('ping', heard)
    ws.on('message', (data: RawData, isBinary: boolean) => {
      heard()
      if (ended.signal.aborted) return
      if (isBinary) on.bytes(asBytes(data))
      else on.text(asBytes(data).toString('utf8'))
    })
    ws.on('close', code => {
      over.abort()
      ended.signal.removeEventListener('abort', end)
      if (current?.ws === ws) current = null
      if (!ended.signal.aborted) on.lost?.(why || `closed with code ${code}`)
      resolve(stood)
    })
    // No parting handshake: a peer that no longer reads must not keep this side waiting.
    const end = () => ws.terminate()
    ended.signal.addEventListener('abort', end)
    return promise
  }

  void keepConnecting()
  return { clientId: () => current?.id ?? null, opened: opened.promise, close: () => ended.abort() }
}

function asBytes(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
