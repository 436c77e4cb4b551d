// The WebSocket edge: comes back under another id, gives up on silence, never ends the process.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { watchPrompt } from '../../src/edge/executors/comfy-watch.ts'
import { openSocket, type SocketOptions } from '../../src/edge/socket.ts'
import { fastClock } from './executor-worlds.ts'

async function server(options: { autoPong?: boolean } = {}) {
  const ids: string[] = []
  const first: string[] = []
  const ws = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options })
  await once(ws, 'listening')
  ws.on('connection', (socket, incoming) => {
    ids.push(new URL(incoming.url!, 'http://x').searchParams.get('clientId')!)
    socket.once('message', data => first.push(data.toString()))
  })
  onTestFinished(() => {
    for (const client of ws.clients) client.terminate()
    ws.close()
  })
  const next = async () => (await once(ws, 'connection'))[0] as WebSocket
  return { ids, first, next, url: `ws://127.0.0.1:${(ws.address() as AddressInfo).port}/ws` }
}

function open(url: string, on: Partial<SocketOptions['on']> = {}, factor = 100) {
  const socket = openSocket({
    url: id => `${url}?clientId=${id}`,
    clock: fastClock(factor),
    on: { text: () => {}, bytes: () => {}, ...on },
  })
  onTestFinished(socket.close)
  return socket
}

test('a picture that is too large for a preview is no preview', async () => {
  const { next, url } = await server()
  const coming = next()
  const sizes: number[] = []
  const ignored = () => {}
  const progress = { read: () => 'ignored' as const, reading: () => ({}) as never }
  const on = { preview: (image: Uint8Array) => void sizes.push(image.length), log: ignored, heard: ignored }
  const base = url.replace('ws:', 'http:').replace(/\/ws$/, '')
  const watch = watchPrompt({
    base,
    promptId: 'p',
    progress,
    clock: fastClock(100),
    on,
    nudge: ignored,
    moved: ignored,
  })
  onTestFinished(watch.close)
  const socket = await coming
  const preview = (bytes: number) => Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 1]), Buffer.alloc(bytes)])
  for (const bytes of [5_000_000, 1000]) socket.send(preview(bytes))
  await expect.poll(() => sizes).toEqual([1000])
})

test('a lost connection comes back under a fresh id, and its first frame is sent again', async () => {
  const { ids, first, next, url } = await server()
  const coming = next()
  const socket = open(url, { open: send => send('hello') })
  const before = await coming
  await socket.opened
  await expect.poll(() => first).toEqual(['hello'])
  const back = next()
  before.terminate()
  await back
  await expect.poll(() => first).toEqual(['hello', 'hello'])
  expect(new Set(ids).size).toBe(2)
  await expect.poll(() => socket.clientId()).toBe(ids[1])
})

test('frames come as text or bytes, in their order', async () => {
  const { next, url } = await server()
  const coming = next()
  const heard: unknown[] = []
  open(url, { text: text => heard.push(text), bytes: bytes => heard.push([...bytes]) })
  const peer = await coming
  peer.send('{"type":"status"}')
  peer.send(Buffer.from([0, 1, 2]))
  await expect.poll(() => heard).toEqual(['{"type":"status"}', [0, 1, 2]])
})

test('a peer that no longer answers pings is given up, and tried again', async () => {
  const { next, url } = await server({ autoPong: false })
  const lost: string[] = []
  const coming = next()
  open(url, { lost: why => lost.push(why) })
  await coming
  await next()
  expect(lost).toEqual(['no sign of life for 20 s'])
})

test('a peer that answers pings is kept, however little it says', async () => {
  const { ids, next, url } = await server()
  const coming = next()
  // A pong may take half a second of this busy machine's time before it counts as silence.
  open(url, {}, 20)
  const peer = await coming
  for (let pings = 0; pings < 3; pings++) await once(peer, 'ping')
  expect(ids).toHaveLength(1)
})

test('an address without a server is a loss each time, not an error', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  let losses = 0
  const socket = open('ws://127.0.0.1:1/ws', {
    lost(why) {
      if (++losses === 3) resolve(why)
    },
  })
  expect(await promise).toContain('ECONNREFUSED')
  expect(socket.clientId()).toBeNull()
})

test('closing in the middle of a handshake is quiet and final', async () => {
  const { url } = await server()
  const lost: string[] = []
  const socket = open(url, { lost: why => lost.push(why) })
  socket.close()
  const other = open(url)
  await other.opened
  expect(lost).toEqual([])
  expect(socket.clientId()).toBeNull()
})
