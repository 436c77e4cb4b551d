// The simulated pod's SSH server, against ssh2's client and the OpenSSH programs.
import { execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ssh2, { type Client, type ClientChannel, type SFTPWrapper } from 'ssh2'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type PodSsh, type PodSshOptions, startPodSsh } from '../../src/sandbox/ssh/server.ts'
import { writeTools } from '../../src/sandbox/ssh/tools.ts'

const run = promisify(execFile)
const key = ssh2.utils.generateKeyPairSync('ed25519')
const otherKey = ssh2.utils.generateKeyPairSync('ed25519')
let folder: string
let root: string
let pods: PodSsh[]
let clients: Client[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'autopod-ssh-'))
  root = join(folder, 'pod')
  pods = []
  clients = []
})
afterEach(async () => {
  for (const client of clients) client.destroy()
  for (const pod of pods) await pod.stop()
  await rm(folder, { recursive: true, force: true })
})

async function start(more: Partial<PodSshOptions> = {}): Promise<PodSsh> {
  const pod = await startPodSsh({
    root,
    authorizedKeys: [`${key.public} someone@home`],
    hostKeyPath: join(folder, 'host.key'),
    env: { RUNPOD_POD_ID: 'pod1' },
    binDir: join(folder, 'bin'),
    reach: () => null,
    ...more,
  })
  pods.push(pod)
  return pod
}

async function login(pod: PodSsh, privateKey = key.private): Promise<Client> {
  const client = new ssh2.Client()
  clients.push(client)
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve)
    client.on('error', reject)
    client.once('close', () => reject(new Error('closed')))
    client.connect({ host: '127.0.0.1', port: pod.port, username: 'root', privateKey })
  })
  return client
}

function exec(client: Client, command: string, options: ssh2.ExecOptions = {}): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, options, (error, channel) => (error ? reject(error) : resolve(channel)))
  })
}

type Outcome = { code: number | null | undefined; signal: string | undefined; out: Buffer; err: Buffer }
async function outcome(channel: ClientChannel): Promise<Outcome> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  channel.on('data', (data: Buffer) => out.push(data))
  channel.stderr.on('data', (data: Buffer) => err.push(data))
  const [code, signal] = (await once(channel, 'close')) as [number | null | undefined, string | undefined]
  return { code, signal, out: Buffer.concat(out), err: Buffer.concat(err) }
}
const done = async (client: Client, command: string) => outcome(await exec(client, command))

function sftpOf(client: Client): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp))))
}

/** Calls a method of ssh2's SFTP client that ends in a callback. */
function ask<T = void>(call: (back: (error: Error | null | undefined, value?: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value as T))))
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Follows a process until it is gone: by /proc, which tells a zombie apart; there is no event for another's child. */
async function dead(pid: number): Promise<void> {
  for (;;) {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
    if (status === null ? !alive(pid) : /\) [ZX]/.test(status)) return
    await new Promise(resolve => setImmediate(resolve))
  }
}

const sha = (data: Buffer) => createHash('sha256').update(data).digest('hex')

describe('logging in', () => {
  it('lets in the holder of an authorized key and shows its fingerprint, the same after a restart', async () => {
    const pod = await start()
    const client = new ssh2.Client()
    clients.push(client)
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
    await once(channel, 'data')
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
    await new Promise(resolve => channel.once('readable', () => resolve(undefined)))
    const result = await outcome(channel.resume())
    expect(sha(result.out)).toBe(sha(data))
    expect(result.code).toBe(0)
  })

  it('keep stdout and stderr whole when both wait for the client', async () => {
    const client = await login(await start())
    const channel = await exec(
      client,
      'head -c 9000000 /dev/zero; head -c 9000000 /dev/zero >&2; printf x; printf y >&2',
    )
    const result = await outcome(channel)
    expect([result.out.length, result.err.length, result.code]).toEqual([9_000_001, 9_000_001, 0])
    const both = await exec(client, '(head -c 5000000 /dev/zero >&2) & head -c 5000000 /dev/zero; wait')
    const mixed = await outcome(both)
    expect([mixed.out.length, mixed.err.length, mixed.code]).toEqual([5_000_000, 5_000_000, 0])
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
    const [data] = (await once(channel, 'data')) as [Buffer]
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
    const [data] = (await once(channel, 'data')) as [Buffer]
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
    await shown('ready')
    channel.setWindow(44, 122, 0, 0)
    await shown('told')
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

describe('SFTP', () => {
  it('puts and gets files in parallel pieces, unchanged', async () => {
    const client = await login(await start())
    const sftp = await sftpOf(client)
    const data = randomBytes(5_000_001)
    await writeFile(join(folder, 'up'), data)
    await ask(back => sftp.fastPut(join(folder, 'up'), '/workspace.bin', back))
    expect(sha(await readFile(join(root, 'workspace.bin')))).toBe(sha(data))
    await ask(back =>
      sftp.fastGet('workspace.bin', join(folder, 'down'), { concurrency: 16, chunkSize: 256 * 1024 }, back),
    )
    expect(sha(await readFile(join(folder, 'down')))).toBe(sha(data))
    await writeFile(join(folder, 'empty'), '')
    await ask(back => sftp.fastPut(join(folder, 'empty'), 'empty', back))
    expect((await stat(join(root, 'empty'))).size).toBe(0)
  })

  it('streams both ways', async () => {
    const sftp = await sftpOf(await login(await start()))
    const data = randomBytes(1_000_000)
    const up = sftp.createWriteStream('streamed')
    up.end(data)
    await once(up, 'close')
    const parts: Buffer[] = []
    const down = sftp.createReadStream('streamed', { start: 10, end: 999_989 })
    down.on('data', (part: Buffer) => parts.push(part))
    await once(down, 'close')
    expect(Buffer.concat(parts).equals(data.subarray(10, 999_990))).toBe(true)
  })

  it('makes, lists, renames, changes and removes', async () => {
    const sftp = await sftpOf(await login(await start()))
    await ask(back => sftp.mkdir('a', back))
    await ask(back => sftp.mkdir('a/b', back))
    for (let n = 0; n < 250; n++) await writeFile(join(root, 'a', `f${n}`), 'x')
    const names = await ask<{ filename: string; longname: string }[]>(back => sftp.readdir('/a', back))
    expect(names.map(entry => entry.filename).filter(name => !name.startsWith('.')).length).toBe(251)
    expect(names.find(entry => entry.filename === 'b')?.longname).toMatch(/^drwx.* b$/)
    await expect(ask(back => sftp.rename('a/f1', 'a/f2', back))).rejects.toMatchObject({ code: 4 })
    await ask(back => sftp.rename('a/f1', 'a/g1', back))
    await writeFile(join(root, 'a', 'f2'), 'other')
    await ask(back => sftp.ext_openssh_rename('a/f2', 'a/g1', back))
    expect(await readFile(join(root, 'a/g1'), 'utf8')).toBe('other')
    await ask(back =>
      sftp.setstat('a/g1', { mode: 0o640, atime: 1_000_000_000, mtime: 1_100_000_000, size: 2 } as never, back),
    )
    const stats = await ask<ssh2.Stats>(back => sftp.stat('a/g1', back as never))
    expect(stats).toMatchObject({ mtime: 1_100_000_000, size: 2 })
    expect(stats.mode & 0o777).toBe(0o640)
    await ask(back => sftp.unlink('a/g1', back))
    await expect(ask(back => sftp.stat('a/g1', back as never))).rejects.toMatchObject({ code: 2 })
    await expect(ask(back => sftp.rmdir('a', back))).rejects.toMatchObject({ code: 4 })
    await ask(back => sftp.rmdir('a/b', back))
    expect(await ask(back => sftp.realpath('.', back as never))).toBe(root)
    await expect(ask(back => sftp.symlink('a', 'link', back))).rejects.toMatchObject({ code: 8 })
  })

  it('never leaves the pod folder', async () => {
    const sftp = await sftpOf(await login(await start()))
    await writeFile(join(folder, 'secret'), 'outside')
    await symlink('..', join(root, 'up'))
    await symlink(join(folder, 'made'), join(root, 'dangling'))
    const read = (path: string) => ask(back => sftp.readFile(path, back as never))
    await expect(read('../secret')).rejects.toMatchObject({ code: 2 })
    await expect(read(join(folder, 'secret'))).rejects.toMatchObject({ code: 2 })
    await expect(read(`${root}/../secret`)).rejects.toMatchObject({ code: 2 })
    await expect(read('up/secret')).rejects.toMatchObject({ code: 3 })
    await expect(ask(back => sftp.writeFile('up/new', 'x', back as never))).rejects.toMatchObject({ code: 3 })
    await expect(ask(back => sftp.writeFile('dangling', 'x', back as never))).rejects.toMatchObject({ code: 2 })
    await expect(ask(back => sftp.readdir('up', back as never))).rejects.toMatchObject({ code: 3 })
    await expect(ask(back => sftp.unlink('up/secret', back))).rejects.toMatchObject({ code: 3 })
    expect(existsSync(join(folder, 'made')) || existsSync(join(folder, 'new'))).toBe(false)
    expect(await readFile(join(folder, 'secret'), 'utf8')).toBe('outside')
  })

  it('closes the channel on bytes that are not SFTP, and the connection lives on', async () => {
    const client = await login(await start())
    const channel = await ask<ClientChannel>(back => client.subsys('sftp', back))
    channel.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]))
    channel.resume()
    await once(channel, 'close')
    expect((await done(client, 'echo ok')).out.toString()).toBe('ok\n')
  })
})

describe('nvidia-smi', () => {
  const QUERY = 'nvidia-smi --query-gpu=utilization.gpu,utilization.memory,memory.used,memory.total --format=csv'
  const setUp = async (count: number) => {
    const gauge = join(folder, 'gauge')
    await writeTools(join(folder, 'bin'), { name: 'NVIDIA A40', memoryMiB: 46068, count }, gauge)
    return { gauge, client: await login(await start()) }
  }

  it('answers in the format of the real one', async () => {
    const { gauge, client } = await setUp(2)
    expect((await done(client, `${QUERY},noheader`)).out.toString()).toBe('0 %, 0 %, 0 MiB, 46068 MiB\n'.repeat(2))
    await writeFile(gauge, '98 41 38912\n')
    const header = 'utilization.gpu [%], utilization.memory [%], memory.used [MiB], memory.total [MiB]\n'
    const row = '98 %, 41 %, 38912 MiB, 46068 MiB\n'
    expect((await done(client, QUERY)).out.toString()).toBe(header + row + row)
    expect((await done(client, `${QUERY},noheader,nounits -i 1`)).out.toString()).toBe('98, 41, 38912, 46068\n')
    const other = await done(
      client,
      'nvidia-smi --query-gpu=index,name,uuid,memory.free,temperature.gpu,power.draw,driver_version,pstate --format=csv,noheader',
    )
    expect(other.out.toString()).toMatch(
      /^(\d, NVIDIA A40, GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}, 7156 MiB, \d+, \d+\.\d\d W, [\d.]+, P0\n){2}$/,
    )
    expect((await done(client, 'nvidia-smi -L')).out.toString()).toMatch(/^GPU 0: NVIDIA A40 \(UUID: GPU-.*\)\nGPU 1: /)
    expect((await done(client, 'nvidia-smi')).out.toString()).toContain('38912 / 46068 MiB')
    for (const format of ['csv', 'csv,noheader']) {
      const wrong = await done(client, `nvidia-smi --query-gpu=name,fan --format=${format}`)
      expect(wrong.out.toString()).toBe('Field "fan" is not a valid field to query.\n\n')
      expect(wrong.code).toBe(2)
    }
  })

  it('says so when the pod came without a GPU', async () => {
    const { client } = await setUp(0)
    const result = await done(client, 'nvidia-smi -L')
    expect([result.out.toString(), result.code]).toEqual(['No devices were found\n', 6])
  })

  it.each(['-l 0.02', '--loop=0.02', '-lms 20'])(
    'goes on with %s, reads the gauge anew, and dies with its channel',
    async how => {
      const { gauge, client } = await setUp(1)
      const channel = await exec(client, `echo $$; exec ${QUERY},noheader,nounits ${how}`)
      const seen: string[] = []
      let text = ''
      await new Promise<void>(resolve =>
        channel.on('data', (data: Buffer) => {
          text += data
          seen.splice(0, seen.length, ...text.split('\n').slice(0, -1))
          if (seen.length === 4) writeFile(gauge, '55 20 1000\n').catch(() => {})
          if (seen.at(-1) === '55, 20, 1000, 46068') resolve()
        }),
      )
      expect(seen[1]).toBe('0, 0, 0, 46068')
      channel.close()
      await dead(Number(seen[0]))
    },
  )
})

const missing = ['ssh', 'sftp', 'scp'].filter(name => !existsSync(`/usr/bin/${name}`))
if (missing.length > 0) console.log(`OpenSSH's programs are not tried: ${missing.join(', ')} not in /usr/bin`)

describe.skipIf(missing.length > 0)('with the OpenSSH programs', () => {
  let flags: string[]
  let pod: PodSsh
  beforeEach(async () => {
    pod = await start()
    await writeFile(join(folder, 'key'), key.private, { mode: 0o600 })
    const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', `UserKnownHostsFile=${join(folder, 'known')}`]
    flags = ['-F', 'none', '-i', join(folder, 'key'), ...options.flatMap(option => ['-o', option])]
  })

  it('runs a command with ssh, input and exit status included', async () => {
    const child = spawn('ssh', [...flags, '-p', String(pod.port), 'root@127.0.0.1', 'cat; echo $RUNPOD_POD_ID; exit 9'])
    child.stdin.end('from here\n')
    let out = ''
    child.stdout.on('data', data => {
      out += data
    })
    const [code] = await once(child, 'close')
    expect([out, code]).toEqual(['from here\npod1\n', 9])
  })

  it('stays connected through keepalives', async () => {
    const args = [...flags, '-o', 'ServerAliveInterval=1', '-o', 'ServerAliveCountMax=1', '-p', String(pod.port)]
    const { stdout } = await run('ssh', [...args, 'root@127.0.0.1', 'sleep 2.5; echo alive'])
    expect(stdout).toBe('alive\n')
  })

  it('copies with scp, by SFTP and by the old protocol, and with sftp', async () => {
    const data = randomBytes(3_000_000)
    await writeFile(join(folder, 'file'), data)
    const remote = (path: string) => `root@127.0.0.1:${path}`
    await run('scp', [...flags, '-P', String(pod.port), '-p', join(folder, 'file'), remote('/by-sftp')])
    await run('scp', [...flags, '-O', '-P', String(pod.port), join(folder, 'file'), remote('by-scp')])
    await run('scp', [...flags, '-P', String(pod.port), remote('/by-sftp'), join(folder, 'back')])
    for (const path of [join(root, 'by-sftp'), join(root, 'by-scp'), join(folder, 'back')]) {
      expect(sha(await readFile(path))).toBe(sha(data))
    }
    const script = [
      'mkdir dir',
      'cd dir',
      `put ${join(folder, 'file')} x`,
      'rename x y',
      'ls -l',
      'chmod 600 y',
      'rm y',
      'pwd',
    ]
    await writeFile(join(folder, 'batch'), script.join('\n'))
    const { stdout } = await run('sftp', [
      ...flags,
      '-P',
      String(pod.port),
      '-b',
      join(folder, 'batch'),
      'root@127.0.0.1',
    ])
    expect(stdout).toMatch(/-rw.* root +root +3000000 .* y\n/)
    expect(stdout).toContain(`Remote working directory: ${root}/dir`)
  })
})
