// The simulated pod's SSH server, against ssh2's client: logging in, commands, terminals, forwarded ports.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import ssh2, { type Client, type ClientChannel } from 'ssh2'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { beforeItEnds } from './child.ts'
import {
  alive,
  ask,
  dead,
  done,
  eachInItsFolder,
  exec,
  folder,
  key,
  login,
  otherKey,
  outcome,
  root,
  sha,
  start,
} from './sandbox-ssh-world.ts'

eachInItsFolder()

describe('logging in', () => {
  it('lets in the holder of an authorized key and shows its fingerprint, the same after a restart', async () => {
    const pod = await start()
    const client = new ssh2.Client()
    const seen = await new Promise<Buffer>((resolve, reject) => {
      client.on('error', reject)
      client.connect({
        host: '127.0.0.1',
        port: pod.port,
        username: 'root',
        privateKey: key.private,
        hostVerifier: (host: Buffer) => {
          resolve(host)
          return true
        },
      })
    })
    client.destroy()
    expect(`SHA256:${createHash('sha256').update(seen).digest('base64').replace(/=+$/, '')}`).toBe(pod.fingerprint)
    expect((await start()).fingerprint).toBe(pod.fingerprint)
    expect((await stat(join(folder, 'host.key'))).mode & 0o777).toBe(0o600)
  })

  it.each([
    ['another key', [otherKey.public]],
    ['the word null', ['null']],
    ['no key at all', []],
    ['a broken key', ['ssh-ed25519 AAAA']],
  ])('refuses everyone else when the pod holds %s', async (_title, authorizedKeys) => {
    const pod = await start({ authorizedKeys })
    await expect(login(pod)).rejects.toThrow(/authentication methods failed/)
  })

  it('refuses passwords', async () => {
    const pod = await start()
    const client = new ssh2.Client()
    const error = new Promise<Error>(resolve => client.on('error', resolve))
    client.connect({ host: '127.0.0.1', port: pod.port, username: 'root', password: '' })
    expect((await error).message).toMatch(/authentication methods failed/)
  })

  it('reads several keys from one entry, options in front of them included', async () => {
    const pod = await start({
      authorizedKeys: [`# mine\n${otherKey.public}\nfrom="10.0.0.1",no-pty ${key.public} a b\n`],
    })
    await login(pod)
    expect(pod.connections()).toBe(1)
  })
})

describe('commands', () => {
  it('run in the pod folder with its variables and tools, and tell their exit status', async () => {
    await mkdir(join(folder, 'bin'))
    await writeFile(join(folder, 'bin', 'tool'), '#!/bin/sh\necho tool ran\n', { mode: 0o755 })
    const client = await login(await start())
    const result = await done(client, 'pwd; echo $HOME; echo $RUNPOD_POD_ID; tool; echo bad >&2; exit 7')
    expect(result.out.toString().split('\n')).toEqual([root, root, 'pod1', 'tool ran', ''])
    expect(result.err.toString()).toBe('bad\n')
    expect(result.code).toBe(7)
  })

  it('see variables that the client sends, and nothing of the host', async () => {
    const client = await login(await start())
    const names = (await outcome(await exec(client, 'env', { env: { MINE: 'yes' } }))).out.toString()
    expect(names).toContain('MINE=yes\n')
    expect(names).not.toContain('VITEST')
  })

  it('report death by a signal', async () => {
    const client = await login(await start())
    const result = await done(client, 'kill -TERM $$')
    expect([result.code, result.signal]).toEqual([null, 'SIGTERM'])
  })

  it('get a signal that the client sends', async () => {
    const client = await login(await start())
    const channel = await exec(client, 'trap "echo caught; exit 3" INT; echo ready; while :; do sleep 0.05; done')
    await beforeItEnds(channel, once(channel, 'data'))
    channel.signal('INT')
    const result = await outcome(channel)
    expect(result.out.toString()).toBe('caught\n')
    expect(result.code).toBe(3)
  })

  it('read their input to its end and give back 20 MB unchanged, through a slow reader too', async () => {
    const client = await login(await start())
    const data = randomBytes(20_000_000)
    const channel = await exec(client, 'cat')
    channel.pause()
    channel.end(data)
    await beforeItEnds(channel, once(channel, 'readable'))
    const result = await outcome(channel.resume())
    expect(sha(result.out)).toBe(sha(data))
    expect(result.code).toBe(0)
  })

  it('keep stdout and stderr whole when first the one and then the other waits for the client', async () => {
    const client = await login(await start())
    const channel = await exec(
      client,
      'head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2; printf x; printf y >&2',
    )
    // ssh2 keeps the window on the channel; at nothing left the server has to wait.
    const { incoming } = channel as unknown as { incoming: { window: number } }
    const full = async () => {
      while (incoming.window > 0) await new Promise(resolve => setImmediate(resolve))
    }
    let sizes = [0, 0]
    await full()
    channel.on('data', (data: Buffer) => {
      sizes = [sizes[0]! + data.length, sizes[1]!]
    })
    while (sizes[0]! < 5_000_000) await new Promise(resolve => setImmediate(resolve))
    await full()
    channel.stderr.on('data', (data: Buffer) => {
      sizes = [sizes[0]!, sizes[1]! + data.length]
    })
    const [code] = await once(channel, 'close')
    expect([...sizes, code]).toEqual([5_000_001, 5_000_001, 0])
  })

  it('end normally although nobody reads the input they are sent', async () => {
    const client = await login(await start())
    const channel = await exec(client, 'exit 4')
    channel.on('error', () => {})
    channel.write(Buffer.alloc(4_000_000))
    expect((await outcome(channel)).code).toBe(4)
  })

  it('are killed with all their children when the channel closes', async () => {
    const client = await login(await start())
    const channel = await exec(client, 'sleep 300 & echo $! $$; wait')
    const [data] = (await beforeItEnds(channel, once(channel, 'data'))) as [Buffer]
    const pids = data.toString().trim().split(' ').map(Number)
    channel.close()
    for (const pid of pids) await dead(pid)
    expect((await done(client, 'echo still here')).out.toString()).toBe('still here\n')
  })

  it('are killed when the connection is cut while their input is stuck', async () => {
    const pod = await start()
    const client = await login(pod)
    const channel = await exec(client, 'echo $$; sleep 300')
    channel.on('error', () => {})
    const [data] = (await beforeItEnds(channel, once(channel, 'data'))) as [Buffer]
    channel.write(Buffer.alloc(8_000_000))
    const closed = new Promise<void>(resolve => client.once('close', () => resolve()))
    pod.cut()
    await closed
    await dead(Number(data.toString()))
    expect(pod.connections()).toBe(0)
    expect((await done(await login(pod), 'echo back')).out.toString()).toBe('back\n')
  })

  it('may leave a process in the background, which ends when the pod stops', async () => {
    const pod = await start()
    const client = await login(pod)
    const pid = Number((await done(client, 'nohup sleep 300 > log 2>&1 < /dev/null & echo $!')).out.toString())
    client.end()
    await once(client, 'close')
    expect(alive(pid)).toBe(true)
    await pod.stop()
    await dead(pid)
  })

  it('are refused from the eleventh session of a connection on, until one closes', async () => {
    const client = await login(await start())
    const ten = await Promise.all(Array.from({ length: 10 }, () => exec(client, 'cat')))
    const refusal = await exec(client, 'true').catch((error: Error & { reason?: number }) => error)
    expect(refusal).toMatchObject({ message: '(SSH) Channel open failure: open failed', reason: 2 })
    const first = ten[0]!
    first.end()
    await outcome(first)
    expect((await done(client, 'echo free again')).out.toString()).toBe('free again\n')
  })

  it('have a terminal when the client wants one', async () => {
    const client = await login(await start({ motd: 'Welcome to the pod\n' }))
    const channel = await new Promise<ClientChannel>((resolve, reject) =>
      client.shell({ term: 'xterm', rows: 33, cols: 101 }, (error, shell) => (error ? reject(error) : resolve(shell))),
    )
    channel.write('tty >/dev/null && stty size; exit 5\n')
    const result = await outcome(channel)
    expect(result.out.toString()).toContain('Welcome to the pod\r\n')
    if (existsSync('/usr/bin/script')) expect(result.out.toString()).toContain('33 101')
    expect(result.code).toBe(5)
  })
})

describe.skipIf(!existsSync('/usr/bin/script'))('a terminal', () => {
  it('follows the size of the client, and passes on its interrupt key', async () => {
    const client = await login(await start())
    const pty = { term: 'xterm', rows: 20, cols: 70 }
    const resized = 'trap "stty size; echo told" WINCH; trap "echo interrupted; exit 6" INT; echo ready'
    const channel = await exec(client, `${resized}; while :; do sleep 0.02; done`, { pty })
    let out = ''
    const shown = (text: string) =>
      new Promise<void>(resolve => {
        const look = () => {
          if (!out.includes(text)) return
          channel.off('data', look)
          resolve()
        }
        channel.on('data', look)
        look()
      })
    channel.on('data', (data: Buffer) => {
      out += data
    })
    await beforeItEnds(channel, shown('ready'))
    channel.setWindow(44, 122, 0, 0)
    await beforeItEnds(channel, shown('told'))
    expect(out).toContain('44 122')
    channel.write('\x03')
    const [code] = await once(channel, 'close')
    expect([code, out.includes('interrupted')]).toEqual([6, true])
  })
})

describe('forwarded ports', () => {
  let echo: Server
  beforeEach(async () => {
    echo = createServer({ allowHalfOpen: true }, socket => {
      socket.on('error', () => {})
      socket.pipe(socket)
    })
    echo.listen(0, '127.0.0.1')
    await once(echo, 'listening')
  })
  afterEach(async () => {
    await new Promise(resolve => echo.close(resolve))
  })
  const forward = (client: Client, port: number, host = '127.0.0.1') =>
    ask<ClientChannel>(back => client.forwardOut('127.0.0.1', 0, host, port, back))
  const echoPort = () => (echo.address() as { port: number }).port

  it('lead to what the pod serves there, and pass on the end of each direction', async () => {
    const client = await login(await start({ reach: port => (port === 8188 ? echoPort() : null) }))
    const data = randomBytes(8_000_000)
    const channel = await forward(client, 8188, 'localhost')
    channel.end(data)
    const back: Buffer[] = []
    channel.on('data', (part: Buffer) => back.push(part))
    await once(channel, 'close')
    expect(sha(Buffer.concat(back))).toBe(sha(data))
  })

  it('are refused as by sshd when nothing listens', async () => {
    const dead = createServer().listen(0, '127.0.0.1')
    await once(dead, 'listening')
    const { port: closedPort } = dead.address() as { port: number }
    await new Promise(resolve => dead.close(resolve))
    const client = await login(await start({ reach: port => (port === 8188 ? closedPort : null) }))
    for (const [port, host] of [
      [8188, '127.0.0.1'],
      [9999, '127.0.0.1'],
      [8188, '10.1.2.3'],
    ] as const) {
      const error = await forward(client, port, host).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ message: '(SSH) Channel open failure: Connection refused', reason: 2 })
    }
  })

  it('do not count as sessions, and die with the connection', async () => {
    const pod = await start({ reach: echoPort })
    const client = await login(pod)
    await Promise.all(Array.from({ length: 30 }, () => forward(client, 8188)))
    expect((await done(client, 'echo ok')).out.toString()).toBe('ok\n')
    const closed = new Promise<void>(resolve => client.once('close', () => resolve()))
    pod.cut()
    await closed
    // afterEach: the echo server closes only when no connection is left.
  })
})
