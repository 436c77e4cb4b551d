// What the tests of the simulated pod's SSH server share: a pod, clients of it, and waiting for processes to be gone.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2, { type Client, type ClientChannel, type SFTPWrapper } from 'ssh2'
import { afterEach, beforeEach, vi } from 'vitest'
import { type PodSsh, type PodSshOptions, startPodSsh } from '../../src/sandbox/ssh/server.ts'
import { newKeyPair } from './key-pairs.ts'

// Megabytes and real processes, on machines that have other work as well.
vi.setConfig({ testTimeout: 60_000 })

export const key = newKeyPair()
export const otherKey = newKeyPair()
export let folder: string
export let root: string
let pods: PodSsh[]
let clients: Client[]

/** Call once in a test file: a fresh folder for every test, everything ended and removed after it. */
export function eachInItsFolder(): void {
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
}

export async function start(more: Partial<PodSshOptions> = {}): Promise<PodSsh> {
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

export async function login(pod: PodSsh, privateKey = key.private): Promise<Client> {
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

export function exec(client: Client, command: string, options: ssh2.ExecOptions = {}): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, options, (error, channel) => (error ? reject(error) : resolve(channel)))
  })
}

type Outcome = { code: number | null | undefined; signal: string | undefined; out: Buffer; err: Buffer }
export async function outcome(channel: ClientChannel): Promise<Outcome> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  channel.on('data', (data: Buffer) => out.push(data))
  channel.stderr.on('data', (data: Buffer) => err.push(data))
  const [code, signal] = (await once(channel, 'close')) as [number | null | undefined, string | undefined]
  return { code, signal, out: Buffer.concat(out), err: Buffer.concat(err) }
}
export const done = async (client: Client, command: string) => outcome(await exec(client, command))

export function sftpOf(client: Client): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp))))
}

/** Calls a method of ssh2's SFTP client that ends in a callback. */
export function ask<T = void>(
  call: (back: (error: Error | null | undefined, value?: T) => void) => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value as T))))
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Follows a process until it is gone: by /proc, which tells a zombie apart; there is no event for another's child. */
export async function dead(pid: number): Promise<void> {
  for (;;) {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
    if (status === null ? !alive(pid) : /\) [ZX]/.test(status)) return
    await new Promise(resolve => setImmediate(resolve))
  }
}

export const sha = (data: Buffer) => createHash('sha256').update(data).digest('hex')
