// The embedded cloud as a whole: a pod is rented by HTTP, used over SSH, ended, and billed.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import { afterEach, expect, it } from 'vitest'
import { type Sandbox, type SandboxOptions, startSandbox } from '../../src/sandbox/sandbox.ts'
import { newKeyPair } from '../contract/key-pairs.ts'
import { type Client, clientOf, type Json, status } from '../contract/runpod-answers.ts'

const keys = newKeyPair()
const opened: { sandbox: Sandbox; stateDir: string }[] = []
async function open(options: Partial<SandboxOptions> = {}) {
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'sandbox-')))
  const sandbox = await startSandbox({ bootMs: 250, stepMs: 0, ...options, stateDir })
  opened.push({ sandbox, stateDir })
  return { sandbox, stateDir, call: clientOf(sandbox) }
}
afterEach(async () => {
  for (const { sandbox, stateDir } of opened.splice(0)) {
    await sandbox.stop()
    await rm(stateDir, { recursive: true, force: true })
  }
})

const order = (changes: object = {}) => ({
  name: 'autopod-e2e-0001',
  image: 'runpod/comfyui:latest',
  gpu: { id: 'NVIDIA A40', count: 1 },
  disk: 20,
  ports: ['22/tcp'],
  env: { PUBLIC_KEY: keys.public, GREETING: 'hello' },
  ...changes,
})

/** Tries again until it works; the test's own time limit ends it. */
async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch {
      // not there yet
    }
  }
}
const address = (call: Client, id: string) =>
  eventually(async () => {
    const { body } = await call('GET', `/pods/${id}`)
    if (!body.ssh.direct) throw new Error('no address yet')
    return body.ssh.direct as { host: string; port: number }
  })
const connect = (to: { host: string; port: number }) =>
  new Promise<ssh2.Client>((resolve, reject) => {
    const client = new ssh2.Client()
    client.on('error', reject).on('ready', () => resolve(client))
    client.connect({ ...to, username: 'root', privateKey: keys.private })
  })
const run = (client: ssh2.Client, command: string) =>
  new Promise<string>((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) return reject(error)
      let text = ''
      channel.on('data', (data: Buffer) => {
        text += data.toString()
      })
      channel.on('close', () => resolve(text))
    })
  })
const fetchThrough = (client: ssh2.Client, path: string, body?: object) =>
  new Promise<Json>((resolve, reject) => {
    client.forwardOut('127.0.0.1', 0, '127.0.0.1', 8188, (error, stream) => {
      if (error) return reject(error)
      const answered = async (response: IncomingMessage) => {
        let text = ''
        for await (const chunk of response) text += String(chunk)
        return JSON.parse(text)
      }
      const method = body ? 'POST' : 'GET'
      const headers = { 'Content-Type': 'application/json' }
      const options = { path, host: '127.0.0.1', method, headers, createConnection: () => stream as never }
      const asked = request(options, response => void answered(response).then(resolve, reject))
      asked.on('error', reject)
      asked.end(body && JSON.stringify(body))
    })
  })

it('rents a pod, reaches its ComfyUI through SSH, ends it, and bills it to the micro-dollar', async () => {
  const { call, sandbox } = await open()
  const { id } = (await call('POST', '/pods', order())).body
  const to = await address(call, id)
  const client = await eventually(() => connect(to))
  const stats = await eventually(() => fetchThrough(client, '/system_stats'))
  expect(stats.devices[0].name).toContain('NVIDIA A40')
  expect(await run(client, 'echo "$RUNPOD_POD_ID $GREETING $RUNPOD_TCP_PORT_22"')).toBe(`${id} hello ${to.port}\n`)
  expect(await run(client, 'nvidia-smi --query-gpu=name,memory.total --format=csv,noheader')).toContain('NVIDIA A40')
  expect(await run(client, 'cat etc/rp_environment')).toContain('export GREETING="hello"\n')
  const closed = new Promise<void>(resolve => client.on('close', () => resolve()))
  client.on('error', () => {})

  expect((await call('DELETE', `/pods/${id}`)).status).toBe(204)
  await closed
  expect((await call('GET', '/pods')).body.pods).toEqual([])
  const [bill] = (await status(sandbox)).bills
  if (!bill) throw new Error('no bill')
  expect(bill).toMatchObject({ podId: id, name: 'autopod-e2e-0001' })
  expect(bill.seconds).toBeGreaterThan(0.25)
  expect(bill.micro).toBe(Math.ceil((490_000 * Math.round(bill.seconds * 1000)) / 3_600_000))
  await expect(connect(to)).rejects.toThrow('ECONNREFUSED')
})

it('brings a running pod back after a restart, in the same folder, and keeps files on a volume beyond the pod', async () => {
  const first = await open()
  const volume = await first.call('POST', '/network-volumes', { name: 'models', size: 10, dataCenter: 'EU-RO-1' })
  const mounts = { network: [{ volumeId: volume.body.id, path: '/workspace' }] }
  const { id } = (await first.call('POST', '/pods', order({ mounts }))).body
  const before = await eventually(async () => connect(await address(first.call, id)))
  await run(before, 'echo here > note; echo there > workspace/note')
  before.on('error', () => {})
  await first.sandbox.stop()

  const second = await open({ stateDir: first.stateDir })
  const after = await eventually(async () => connect(await address(second.call, id)))
  expect(await run(after, 'cat note workspace/note')).toBe('here\nthere\n')
  after.on('error', () => {})
  await second.call('DELETE', `/pods/${id}`)
  const kept = join(second.stateDir, 'volumes', volume.body.id, 'note')
  expect(await readFile(kept, 'utf8')).toBe('there\n')
})

it('never listens on a pod without sshd, and lets nobody in without a key', async () => {
  const { call } = await open({ faults: ['sentinels'], bootMs: 50 })
  const dead = (await call('POST', '/pods', order({ gpu: { id: 'no-sshd', count: 1 } }))).body
  await expect(connect(await address(call, dead.id))).rejects.toThrow('ECONNREFUSED')
  const keyless = (await call('POST', '/pods', order({ env: {}, startSsh: true }))).body
  const to = await address(call, keyless.id)
  const refusal = eventually(async () => {
    const outcome = await connect(to).then(
      () => 'let in',
      (error: Error) => error.message,
    )
    if (outcome.includes('ECONNREFUSED')) throw new Error(outcome)
    return outcome
  })
  expect(await refusal).toContain('authentication methods failed')
})

it('fails the first prompt of a job named oom-1, on whichever pod, and counts what was executed', async () => {
  const { call, sandbox } = await open({ bootMs: 50 })
  const { id } = (await call('POST', '/pods', order())).body
  const client = await eventually(async () => connect(await address(call, id)))
  const prompt = {
    1: { class_type: 'EmptyImage', inputs: { width: 16, height: 16, batch_size: 1, color: 255 } },
    2: { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'run-oom-1-1/frame' } },
  }
  const execute = async () => {
    const { prompt_id } = await eventually(() => fetchThrough(client, '/prompt', { prompt }))
    const entry = await eventually(async () => {
      const found = (await fetchThrough(client, `/history/${prompt_id}`))[prompt_id]
      if (!found?.status) throw new Error('not done yet')
      return found
    })
    return { promptId: prompt_id as string, outcome: entry.status.status_str as string }
  }
  const first = await execute()
  const second = await execute()
  expect([first.outcome, second.outcome]).toEqual(['error', 'success'])
  client.on('error', () => {})
  await call('DELETE', `/pods/${id}`)
  expect((await status(sandbox)).prompts).toEqual({ [first.promptId]: 1, [second.promptId]: 1 })
})
