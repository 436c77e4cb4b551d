// The lease on pods of the embedded cloud: ordered, left alone or renewed, through the same provider as everywhere. Scaled 1 : 200.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createR2 } from '../../src/edge/buckets/r2.ts'
import { systemClock } from '../../src/edge/clock.ts'
import { createGuard } from '../../src/edge/guard/guard.ts'
import { createRunpod } from '../../src/edge/providers/runpod.ts'
import { createDialer } from '../../src/edge/ssh/dialer.ts'
import type { Bucket, Guard, Provider } from '../../src/ports.ts'
import { type Sandbox, startSandbox } from '../../src/sandbox/sandbox.ts'
import { secretOf } from '../../src/wire/secret.ts'
import { newKeyPair } from '../contract/key-pairs.ts'
import { A40, BOOT, TIMING } from '../contract/provider-world.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const LEASE_MS = 3000
const patient = { timeout: 30_000, interval: 50 }
const ssh = newKeyPair()
const dialer = createDialer({ privateKey: ssh.private })

let stateDir: string
let sandbox: Sandbox
let provider: Provider
let bucket: Bucket
let guard: Guard

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'guard-sandbox-'))
  sandbox = await startSandbox({ stateDir, seed: 1, bootMs: 500, stepMs: 500, faults: ['sentinels'] })
  const { runpod_url: url, graphql_url: graphqlUrl, api_key: apiKey } = sandbox.description
  provider = createRunpod('runpod', { url, graphqlUrl, apiKey: secretOf(apiKey), clock: systemClock, timing: TIMING })
  const {
    s3_endpoint: endpoint,
    s3_access_key_id: accessKeyId,
    s3_secret_access_key: secretAccessKey,
  } = sandbox.description
  bucket = await createR2({
    endpoint,
    bucket: sandbox.description.bucket,
    accessKeyId,
    secretAccessKey: secretOf(secretAccessKey),
  })
  guard = createGuard({
    bucket,
    clock: systemClock,
    leaseMs: LEASE_MS,
    deadlineMs: 60_000,
    graceMs: 20_000,
    tickMs: 200,
  })
})
afterAll(async () => {
  await dialer.close()
  await sandbox.stop()
  await rm(stateDir, { recursive: true, force: true })
})

async function order(name: string, how: { startCommand?: string; gpuType?: string } = {}) {
  const { env, args } = await guard.boot(name, how.startCommand ?? '/start.sh')
  const boot = { ...BOOT, env: { PUBLIC_KEY: ssh.public, ...env }, args }
  return (await provider.create(name, { ...A40, gpuType: how.gpuType ?? A40.gpuType }, boot, false)).ref
}
const names = async () => {
  const listing = await provider.list()
  return listing.known ? listing.pods.map(pod => pod.name) : null
}
const gone = (name: string) => vi.waitUntil(async () => (await names())?.includes(name) === false, patient)
async function connect(ref: string, podPort: number) {
  const address = await vi.waitUntil(async () => (await provider.look(ref))?.address, patient)
  const tunnel = await dialer.hold(28_288, podPort)
  for (;;) {
    const machine = await dialer.connect(address, { pinned: null, tunnel }).catch(() => null)
    if (machine) return { machine, url: `http://127.0.0.1:${tunnel.localPort}`, close: () => tunnel.close() }
  }
}
/** Processes of a pod that are still there. grep's own verdict is not asked for: files of /proc vanish under it. */
const left = (ref: string) =>
  execFileSync('sh', ['-c', `grep -alF RUNPOD_POD_ID=${ref} /proc/[0-9]*/environ 2>/dev/null; true`], {
    encoding: 'utf8',
  })

/** A pod leaves the list a moment before its last process. */
const ended = (ref: string) => vi.waitUntil(() => left(ref) === '', patient)

describe.concurrent('a pod that was ordered with a lease', () => {
  test('ends itself when nobody renews, with a farewell in the bucket and no process left', async () => {
    const ref = await order('autopod-alone-0001')
    await gone('autopod-alone-0001')
    expect(await provider.look(ref)).toBeNull()
    const farewell = await guard.farewell('autopod-alone-0001')
    expect(farewell).toMatchObject({
      pod: 'autopod-alone-0001',
      podId: ref,
      reason: 'lease',
      prompt: 'none',
      files: [],
    })
    // Two minutes after the lease are 0.6 s here; what the processes of a busy machine take is not scaled.
    expect(farewell?.silentMs).toBeLessThan(LEASE_MS + 4000)
    await ended(ref)
  })

  test('lives while it is renewed, whether over SSH or through the bucket', async () => {
    const bySsh = await order('autopod-ssh-0002')
    const byBucket = await order('autopod-bucket-0003')
    const { machine, close } = await connect(bySsh, 8188)
    await guard.attach(machine, 'autopod-ssh-0002')
    const until = Date.now() + 3 * LEASE_MS
    const renewed = async () => {
      await guard.renew(machine, 'autopod-ssh-0002')
      await guard.renewByBucket('autopod-bucket-0003')
      return Date.now()
    }
    await vi.waitUntil(async () => (await renewed()) > until, { ...patient, interval: 250 })
    expect(await names()).toEqual(expect.arrayContaining(['autopod-ssh-0002', 'autopod-bucket-0003']))
    expect(left(byBucket)).not.toBe('')
    await Promise.all([provider.destroy(bySsh), provider.destroy(byBucket)])
    await Promise.all([ended(bySsh), ended(byBucket)])
    await close()
  })

  test('finishes its picture and leaves it in the bucket when its owner is gone for good', async () => {
    const ref = await order('autopod-drawing-0004')
    const { machine, url, close } = await connect(ref, 8188)
    await guard.attach(machine, 'autopod-drawing-0004')
    await vi.waitUntil(
      () =>
        fetch(`${url}/queue`).then(
          answer => answer.ok,
          () => false,
        ),
      patient,
    )
    const prompt = {
      '1': { class_type: 'EmptyImage', inputs: { width: 32, height: 32, batch_size: 1, color: 7 } },
      '2': {
        class_type: 'ImageScale',
        inputs: { image: ['1', 0], upscale_method: 'lanczos', width: 64, height: 48, crop: 'disabled' },
      },
      '9': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'run-job-1/x' } },
    }
    expect((await fetch(`${url}/prompt`, { method: 'POST', body: JSON.stringify({ prompt }) })).status).toBe(200)
    machine.close()
    await close()
    await gone('autopod-drawing-0004')
    const farewell = await guard.farewell('autopod-drawing-0004')
    expect(farewell?.files.map(file => file.path)).toEqual(['run-job-1/x_00001_.png'])
    const tar = join(stateDir, 'drawing.tar')
    expect(await bucket.get('farewell/autopod-drawing-0004.tar', tar)).toEqual(farewell?.tar)
    expect(execFileSync('tar', ['-tf', tar], { encoding: 'utf8' })).toContain('run-job-1/x_00001_.png')
  })

  test('ends itself, too, where nobody can ever log in', async () => {
    const ref = await order('autopod-mute-0005', { gpuType: 'no-sshd' })
    await gone('autopod-mute-0005')
    await ended(ref)
  })

  test('is brought the agent where the image ignores the arguments', async () => {
    const ref = await order('autopod-own-0006', { startCommand: '' })
    const { machine, close } = await connect(ref, 8188)
    await guard.attach(machine, 'autopod-own-0006')
    machine.close()
    await close()
    expect(left(ref)).not.toBe('')
    await gone('autopod-own-0006')
    await ended(ref)
  })
})
