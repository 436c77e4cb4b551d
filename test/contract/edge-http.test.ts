// The HTTP edge against small servers that answer, stall, cut and close: what each becomes.
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcp, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { request } from '../../src/edge/http.ts'

async function server(listener: RequestListener): Promise<string> {
  const http = createServer(listener).listen(0, '127.0.0.1')
  await once(http, 'listening')
  onTestFinished(() => {
    http.closeAllConnections()
    http.close()
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`
}

/** Hands each connection and its number to `onSocket`. */
async function tcp(onSocket: (socket: Socket, number: number) => void): Promise<string> {
  let count = 0
  const sockets = new Set<Socket>()
  const listening = createTcp(socket => {
    sockets.add(socket.on('error', () => {}))
    onSocket(socket, ++count)
  }).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    listening.close()
  })
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`
}

const fault = (code: string) => ({ data: { kind: 'transient', code } })

test('an answer is taken as it is, whatever its status and type', async () => {
  const url = await server((_, outgoing) => outgoing.writeHead(503, { 'x-why': 'busy' }).end('<html>'))
  const answer = await request({ url })
  expect([answer.status, answer.headers['x-why'], await answer.text()]).toEqual([503, 'busy', '<html>'])
})

test('the program names itself, and a body has its length', async () => {
  const seen: unknown[] = []
  const url = await server((incoming, outgoing) => {
    seen.push(incoming.headers['user-agent'], incoming.headers['content-length'], incoming.method)
    outgoing.end()
  })
  await request({ method: 'POST', url, body: 'größe' })
  expect(seen).toEqual([expect.stringMatching(/^autopod\/\d/), '7', 'POST'])
})

test('a stream is sent and read as it comes', async () => {
  const url = await server((incoming, outgoing) => incoming.pipe(outgoing))
  const answer = await request({ method: 'PUT', url, body: Readable.from([Buffer.from('ab'), Buffer.from('cd')]) })
  expect(await text(answer.stream)).toBe('abcd')
})

test('a refused connection is transient, and its message holds no query', async () => {
  const url = await server(() => {})
  const gone = createTcp().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as AddressInfo
  gone.close()
  await once(gone, 'close')
  expect(url).not.toContain(String(port))
  const asking = request({ url: `http://127.0.0.1:${port}/graphql?api_key=secret` })
  await expect(asking).rejects.toMatchObject(fault('http_unreachable'))
  await expect(asking).rejects.toThrow(`GET http://127.0.0.1:${port}/graphql: connection refused`)
})

test('silence before the answer and in the middle of it both time out', async () => {
  const url = await server((incoming, outgoing) => {
    if (incoming.url === '/half') outgoing.writeHead(200, { 'content-length': '10' }).write('12345')
  })
  await expect(request({ url, timeoutMs: 50 })).rejects.toMatchObject(fault('http_timed_out'))
  const half = await request({ url: `${url}/half`, timeoutMs: 50 })
  await expect(half.text()).rejects.toMatchObject(fault('http_timed_out'))
})

test('an answer cut short is broken, never a shorter answer', async () => {
  const url = await tcp(socket =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123')),
  )
  const answer = await request({ url })
  await expect(answer.text()).rejects.toMatchObject(fault('http_broken'))
})

test('aborting throws the reason, before and during the answer', async () => {
  const url = await server((_, outgoing) => outgoing.writeHead(200, { 'content-length': '10' }).write('12345'))
  const stop = new AbortController()
  const answer = await request({ url, signal: stop.signal })
  const reading = answer.text()
  stop.abort(new Error('enough'))
  await expect(reading).rejects.toThrow('enough')
  await expect(request({ url, signal: stop.signal })).rejects.toThrow('enough')
})

/** Answers one request a connection, keeps it open, and cuts it when the next one comes. */
const once1 = (seen: string[]) => (socket: Socket, number: number) => {
  let requests = 0
  socket.on('data', data => {
    seen.push(`${number} ${data.toString().split(' ')[0]}`)
    if (++requests === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    else socket.resetAndDestroy()
  })
}

test('a GET on a kept connection that was cut meanwhile is sent again', async () => {
  const seen: string[] = []
  const url = await tcp(once1(seen))
  await (await request({ url })).text()
  expect(await (await request({ url })).text()).toBe('ok')
  expect(seen).toEqual(['1 GET', '1 GET', '2 GET'])
})

test('a POST is never sent again: it may have arrived', async () => {
  const seen: string[] = []
  const url = await tcp(once1(seen))
  await (await request({ url })).text()
  await expect(request({ url, method: 'POST', body: '{}' })).rejects.toMatchObject(fault('http_broken'))
  expect(seen).toEqual(['1 GET', '1 POST'])
})
