// A pod to try the agent on: a folder with real processes, sshd, a ComfyUI, a bucket that signs, and a provider that only notes.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, vi } from 'vitest'
import { createDisk } from '../../src/edge/buckets/disk.ts'
import { createR2 } from '../../src/edge/buckets/r2.ts'
import { systemClock } from '../../src/edge/clock.ts'
import { createGuard, type GuardOptions } from '../../src/edge/guard/guard.ts'
import { createDialer } from '../../src/edge/ssh/dialer.ts'
import type { Bucket } from '../../src/ports.ts'
import { startBucketServer } from '../../src/sandbox/bucket/server.ts'
import { startComfy } from '../../src/sandbox/comfy/server.ts'
import { openProcesses } from '../../src/sandbox/pod-process.ts'
import { startPodSsh } from '../../src/sandbox/ssh/server.ts'
import { secretOf } from '../../src/wire/secret.ts'
import { newKeyPair } from '../contract/key-pairs.ts'

export const NAME = 'autopod-aaaaaaaa-bbbbbbbb-0001'
export const KEY = `rpa_${randomBytes(20).toString('hex').toUpperCase()}`

const pathOf = (program: string) =>
  ['/bin', '/usr/bin', ...(process.env.PATH ?? '').split(':')]
    .map(folder => join(folder, program))
    .find(path => existsSync(path)) ?? null
/** Shells that images have as sh; those that this machine lacks are left out. */
export const SHELLS = ['dash', 'busybox', 'bash'].map(name => ({ name, path: pathOf(name) }))

export type ApiCall = { method: string; path: string; key: string; agent: string; body: string; ps: string }
export type Answer = { status: number; body?: string }

/** Answers 503 until told otherwise, and writes down what was asked and what `ps` showed meanwhile. */
async function openApi(tls: { key: Buffer; cert: Buffer } | null) {
  const calls: ApiCall[] = []
  const api = { url: '', calls, answer: (_call: ApiCall, _index: number): Answer => ({ status: 503 }), close }
  const listener: RequestListener = (incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', chunk => chunks.push(chunk))
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming
      const call: ApiCall = {
        method,
        path: url,
        key: headers.authorization ?? '',
        agent: headers['user-agent'] ?? '',
        body: Buffer.concat(chunks).toString(),
        ps: calls.length < 8 ? execFileSync('ps', ['-eww', '-o', 'args='], { encoding: 'utf8' }) : '',
      }
      const { status, body = '' } = api.answer(call, calls.push(call) - 1)
      outgoing.writeHead(status).end(body)
    })
  }
  const server = tls ? createSecureServer(tls, listener) : createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  api.url = tls ? `https://localhost:${port}/v2` : `http://127.0.0.1:${port}/v2`
  function close() {
    return new Promise<void>(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }
  return api
}

export type PodOptions = {
  shell?: string
  guard?: Partial<GuardOptions>
  /** ms of a step; a picture of `slow` takes eight. null: no ComfyUI runs. */
  stepMs?: number | null
  disk?: boolean
  tls?: { key: Buffer; cert: Buffer }
}

async function openPod(options: PodOptions = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'guard-'))
  const home = join(dir, 'pod')
  const binDir = join(dir, 'bin')
  for (const folder of [home, binDir]) await mkdir(folder)
  if (options.shell) await symlink(options.shell, join(binDir, 'sh'))
  const podId = randomBytes(7).toString('hex')
  const api = await openApi(options.tls ?? null)
  const keys = { accessKeyId: 'test-key', secretAccessKey: 'test-secret' }
  const objects = await startBucketServer({ dir: join(dir, 'objects'), ...keys, buckets: ['files'] })
  const bucket: Bucket = options.disk
    ? createDisk(join(dir, 'disk'))
    : await createR2({
        endpoint: objects.url,
        bucket: 'files',
        ...keys,
        secretAccessKey: secretOf(keys.secretAccessKey),
      })
  const { stepMs = 0 } = options
  const comfy =
    stepMs === null
      ? null
      : await startComfy({
          root: join(home, 'ComfyUI'),
          log: () => {},
          gpu: { name: 'A40', vramBytes: 2 ** 35 },
          stepMs,
        })
  const env: Record<string, string> = {
    RUNPOD_POD_ID: podId,
    RUNPOD_API_KEY: KEY,
    RUNPOD_API_URL: api.url,
    AUTOPOD_COMFY_URL: comfy?.url ?? 'http://127.0.0.1:9',
  }
  const ssh = newKeyPair()
  const sshd = await startPodSsh({
    root: home,
    authorizedKeys: [ssh.public],
    hostKeyPath: join(dir, 'host.key'),
    env,
    binDir,
    reach: () => null,
  })
  const dialer = createDialer({ privateKey: ssh.private })
  const tunnel = await dialer.hold(28_188, 8188)
  const machine = await dialer.connect({ host: '127.0.0.1', port: sshd.port, user: 'root' }, { pinned: null, tunnel })
  const processes = await openProcesses(podId, { dir: home, binDir, log: () => {} })
  const timing = { leaseMs: 2000, deadlineMs: 60_000, graceMs: 10_000, tickMs: 200 }
  const guard = createGuard({ bucket, clock: systemClock, ...timing, ...options.guard })
  const state = join(home, '.autopod', NAME)
  const read = (file: string) => readFile(join(state, file), 'utf8').catch(() => null)
  return {
    dir,
    home,
    state,
    podId,
    api,
    bucket,
    comfy,
    machine,
    guard,
    read,
    output: join(home, 'ComfyUI', 'output'),
    /** As the provider starts a container that was ordered with the agent. */
    async start() {
      const { env: more, args } = await guard.boot(NAME, '/start.sh')
      await processes.start(args ?? '', { ...env, ...more })
    },
    async draw(count: number) {
      const numbers = Array.from({ length: count }, (_, index) => index + 1)
      for (const color of numbers) {
        const prompt = {
          '1': { class_type: 'EmptyImage', inputs: { width: 32, height: 32, batch_size: 1, color } },
          '2': {
            class_type: 'ImageScale',
            inputs: { image: ['1', 0], upscale_method: 'lanczos', width: 64, height: 48, crop: 'disabled' },
          },
          '9': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: `run-job${color}-1/x` } },
        }
        await fetch(`${comfy?.url}/prompt`, { method: 'POST', body: JSON.stringify({ prompt }) })
      }
    },
    async close() {
      await processes.stop()
      machine.close()
      await tunnel.close()
      await dialer.close()
      await Promise.all([sshd.stop(), comfy?.stop(), objects.stop(), api.close()])
      await rm(dir, { recursive: true, force: true })
    },
  }
}
export type TestPod = Awaited<ReturnType<typeof openPod>>

export const patient = { timeout: 30_000, interval: 50 }
const open: TestPod[] = []

/** Call once in a test file: pods end with their test. */
export function eachWithItsPods(): void {
  vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })
  afterEach(async () => {
    for (const made of open.splice(0)) await made.close()
  })
}

export async function pod(options: PodOptions = {}): Promise<TestPod> {
  const made = await openPod(options)
  open.push(made)
  return made
}

/** The agent runs. */
export const watched = (made: TestPod) => expect.poll(() => made.read('guard.log'), patient).toContain('watching over')
/** The provider was asked to end the pod, so often at least. */
export const asked = (made: TestPod, count = 1) =>
  expect.poll(() => made.api.calls.length, patient).toBeGreaterThanOrEqual(count)

/** Renews for as long, which must not end the pod. */
export async function renewing(made: TestPod, forMs: number, renew: () => Promise<void>): Promise<void> {
  const until = Date.now() + forMs
  const renewed = () => renew().then(Date.now)
  await expect.poll(renewed, { timeout: forMs + 30_000, interval: 250 }).toBeGreaterThan(until)
  expect(made.api.calls).toHaveLength(0)
}
