// The contract of Tunnel, for every SSH server: HTTP and long connections through it, and the port's life across reconnects.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, createServer, get, type IncomingMessage, request, type Server } from 'node:http'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDialer } from '../../src/edge/ssh/dialer.ts'
import { loadOrMakeKey } from '../../src/edge/ssh/keys.ts'
import type { Machine, Tunnel } from '../../src/ports.ts'
import { freePort, IMPLEMENTATIONS, type SshWorld } from './ssh-worlds.ts'

const bulk = randomBytes(40 * 1024 * 1024)
/** What `/flood` sends again and again, and how much it got rid of since it was last asked. */
const wave = bulk.subarray(0, 1024 * 1024)
let flooded = 0
/** More than all kernels' buffers on the way hold (three sockets of up to 36 MiB each on Linux by default). */
const FLOOD_MAX = 256 * 1024 * 1024

/** What ComfyUI is to a pod: pages, big files, uploads, and a connection that is upgraded and stays. */
function startService(): Server {
  const server = createServer({ noDelay: true }, async (incoming, answer) => {
    if (incoming.url === '/bulk') answer.end(bulk)
    else if (incoming.url === '/flood') {
      flooded = 0
      const send = () => {
        if (flooded >= FLOOD_MAX) return void answer.end()
        answer.write(wave, error => {
          if (error) return
          flooded += wave.length
          send()
        })
      }
      send()
    } else if (incoming.url === '/count') answer.end(String((await buffer(incoming)).length))
    else if (incoming.url === '/endless') answer.write('begun')
    else answer.end(`you asked for ${incoming.url}`)
  })
  server.on('upgrade', (_incoming, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n')
    socket.pipe(socket)
  })
  return server.listen(0, '127.0.0.1')
}

const portOf = (server: { address(): unknown }) => (server.address() as { port: number }).port

async function fetchText(url: string, agent?: Agent): Promise<string> {
  const [answer] = (await once(get(url, { agent: agent ?? false }), 'response')) as [IncomingMessage]
  return text(answer)
}

for (const { name, missing, start } of IMPLEMENTATIONS)
  describe.skipIf(missing !== null)(`a tunnel on ${name}${missing ? ` (${missing})` : ''}`, () => {
    let world: SshWorld
    let service: Server
    let dialer: ReturnType<typeof createDialer>
    let tunnel: Tunnel
    let machine: Machine
    let url = ''

    beforeAll(async () => {
      world = await start()
      service = startService()
      await once(service, 'listening')
      dialer = createDialer({ privateKey: world.privateKey })
      tunnel = await dialer.hold(0, portOf(service))
      machine = await dialer.connect(world.address, { pinned: null, tunnel })
      url = machine.reach(portOf(service))
    })
    afterAll(async () => {
      await dialer?.close()
      service?.closeAllConnections()
      service?.close()
      await world?.stop()
    })

    it('leads to the port of the pod', async () => {
      expect(url).toBe(`http://127.0.0.1:${tunnel.localPort}`)
      expect(await fetchText(`${url}/a`)).toBe('you asked for /a')
      expect(() => machine.reach(1)).toThrow('bug: no tunnel leads to port 1')
    })

    it('carries 40 MiB down and 20 MiB up unchanged', { timeout: 30_000 }, async () => {
      const [answer] = (await once(get(`${url}/bulk`), 'response')) as [IncomingMessage]
      expect((await buffer(answer)).equals(bulk)).toBe(true)
      const sent = request(`${url}/count`, { method: 'POST' })
      sent.end(bulk.subarray(0, 20 * 1024 * 1024))
      const [counted] = (await once(sent, 'response')) as [IncomingMessage]
      expect(await text(counted)).toBe(String(20 * 1024 * 1024))
    })

    it('leaves a download that nobody reads on the pod, and keeps the other requests going', {
      timeout: 20_000,
    }, async () => {
      const asked = get(`${url}/flood`)
      const [slow] = (await once(asked, 'response')) as [IncomingMessage]
      slow.pause()
      // It stands still once the buffers on the way are full; one that read on by itself would never come to that.
      for (let quiet = 0; quiet < 20; ) {
        const before = flooded
        expect(await fetchText(`${url}/${quiet}`)).toBe(`you asked for /${quiet}`)
        quiet = flooded === before && flooded > 0 ? quiet + 1 : 0
        expect(flooded).toBeLessThan(FLOOD_MAX)
      }
      let got = 0
      const held = flooded
      for await (const chunk of slow as AsyncIterable<Buffer>) {
        for (let at = 0; at < chunk.length; ) {
          const from = (got + at) % wave.length
          const length = Math.min(chunk.length - at, wave.length - from)
          if (!chunk.subarray(at, at + length).equals(wave.subarray(from, from + length)))
            expect.fail(`differs at ${got}`)
          at += length
        }
        got += chunk.length
        if (got > held) break
      }
      expect(got).toBeGreaterThan(held)
      asked.destroy()
    })

    it('keeps an upgraded connection open, both ways', async () => {
      const asked = request(url, { headers: { Connection: 'Upgrade', Upgrade: 'echo' } }).end()
      const [, socket] = (await once(asked, 'upgrade')) as [IncomingMessage, Socket]
      for (let n = 0; n < 50; n += 1) {
        socket.write(`frame ${n}`)
        expect(String((await once(socket, 'data'))[0])).toBe(`frame ${n}`)
      }
      socket.end()
      await once(socket, 'close')
    })

    it('passes the end of one direction on and goes on with the other', async () => {
      const echo = createTcpServer({ allowHalfOpen: true }, socket => {
        let said = ''
        socket.setEncoding('utf8').on('data', part => {
          said += part
        })
        socket.on('end', () => socket.end(`heard ${said}`))
      }).listen(0, '127.0.0.1')
      await once(echo, 'listening')
      const own = await dialer.hold(0, portOf(echo))
      const other = await dialer.connect(world.address, { pinned: null, tunnel: own })
      const socket = connect(own.localPort, '127.0.0.1').end('everything')
      expect(await text(socket)).toBe('heard everything')
      other.close()
      await own.close()
      echo.close()
    })

    it('leaves nothing open after a thousand connections', { timeout: 30_000 }, async () => {
      const countOf = () => new Promise<number>(resolve => service.getConnections((_error, count) => resolve(count)))
      const before = await countOf()
      for (let round = 0; round < 50; round += 1)
        await Promise.all(Array.from({ length: 20 }, (_, n) => fetchText(`${url}/${n}`)))
      while ((await countOf()) > before) await new Promise(setImmediate)
      expect(await countOf()).toBeLessThanOrEqual(before)
    })

    it('tells a browser to come again while nothing listens on the pod, and cuts anything else', async () => {
      const own = await dialer.hold(0, await freePort())
      const other = await dialer.connect(world.address, { pinned: null, tunnel: own })
      const asked = request(`http://127.0.0.1:${own.localPort}/upload`, { method: 'POST' })
      asked.end(Buffer.alloc(100_000))
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '1'])
      expect(await text(answer)).toContain('does not answer yet')
      const socket = connect(own.localPort, '127.0.0.1')
      socket.write('\x16\x03\x01')
      expect(await text(socket)).toBe('')
      other.close()
      await own.close()
    })

    it('cuts what is under way when the connection ends, keeps the port, and goes on with the next', {
      timeout: 20_000,
    }, async () => {
      const agent = new Agent({ keepAlive: true })
      const [endless] = (await once(
        get(`${url}/endless`, { agent }).on('error', () => {}),
        'response',
      )) as [IncomingMessage]
      const cut = text(endless).then(
        () => 'a whole answer',
        (error: NodeJS.ErrnoException) => error.code,
      )
      world.cut()
      expect(await machine.closed).toMatchObject({ data: { kind: 'pod', code: 'connection_lost' } })
      expect(await cut).toBe('ECONNRESET')
      const queued = [1, 2, 3].map(n => fetchText(`${url}/queued-${n}`))
      const accepted = connect(tunnel.localPort, '127.0.0.1')
      await once(accepted, 'connect')
      accepted.destroy()
      machine = await dialer.connect(world.address, { pinned: machine.hostKey, tunnel })
      expect(machine.reach(portOf(service))).toBe(url)
      expect(await Promise.all(queued)).toEqual([1, 2, 3].map(n => `you asked for /queued-${n}`))
      agent.destroy()
    })
  })

describe('a held port', () => {
  let dialer: ReturnType<typeof createDialer>
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tunnel-'))
    const { privateKey } = await loadOrMakeKey(join(folder, 'key'))
    await rm(folder, { recursive: true })
    dialer = createDialer({ privateKey })
  })
  afterAll(() => dialer.close())

  it('is the preferred one, or the next that is free, each held once', async () => {
    const preferred = await freePort()
    const held = await Promise.all([1, 2, 3].map(() => dialer.hold(preferred, 8188)))
    const ports = held.map(tunnel => tunnel.localPort).sort((a, b) => a - b)
    expect(ports[0]).toBe(preferred)
    expect(new Set(ports).size).toBe(3)
    expect(ports[2]! - preferred).toBeLessThanOrEqual(400)
    await Promise.all(held.map(tunnel => tunnel.close()))
    const again = await dialer.hold(preferred, 8188)
    expect(again.localPort).toBe(preferred)
    await again.close()
  })

  it('answers only this machine', async () => {
    const tunnel = await dialer.hold(0, 8188)
    const socket = connect(tunnel.localPort, '127.0.0.2')
    const [error] = await once(socket, 'error')
    expect(error.code).toBe('ECONNREFUSED')
    await tunnel.close()
  })

  it('lets a waiting client go when it is closed, and is free then', async () => {
    const tunnel = await dialer.hold(0, 8188)
    const socket = connect(tunnel.localPort, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    const closed = once(socket, 'close')
    await tunnel.close()
    await closed
    const server = createTcpServer().listen(tunnel.localPort, '127.0.0.1')
    await once(server, 'listening')
    server.close()
  })

  it('tells a browser after ten seconds without a pod', { timeout: 20_000 }, async () => {
    const tunnel = await dialer.hold(0, 8188)
    const from = performance.now()
    const [answer] = (await once(get(`http://127.0.0.1:${tunnel.localPort}/`), 'response')) as [IncomingMessage]
    expect(answer.statusCode).toBe(503)
    answer.resume()
    expect(Math.round((performance.now() - from) / 1000)).toBe(10)
    await tunnel.close()
  })
})
