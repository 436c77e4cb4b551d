// The sandbox's provider API against the published RunPod specification: every answer is checked against it when it is there.
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { request as rawRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assembleSandbox, type Parts, type Sandbox, type SandboxOptions } from '../../src/sandbox/assembly.ts'
import { type Client, clientOf, type Json, status, validate } from './runpod-answers.ts'

const hollow: Parts = {
  startPod: async ({ pod, log }) => {
    log.add('system', `create container ${pod.image}`)
    log.add('container', 'hello')
    return {
      publicPorts: pod.publicPorts,
      gauge: () => ({ util: 12, memoryUtil: 34 }),
      promptCounts: () => new Map([[`prompt-of-${pod.name}`, 1]]),
      stop: async () => {},
    }
  },
  startBucket: async () => ({ port: 1, url: 'http://127.0.0.1:1', stop: async () => {}, requests: () => 0 }),
}

const opened: { sandbox: Sandbox; stateDir: string }[] = []
async function open(options: Partial<SandboxOptions> = {}, parts = hollow) {
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'sandbox-provider-')))
  const sandbox = await assembleSandbox({ bootMs: 20, ...options, stateDir }, parts)
  opened.push({ sandbox, stateDir })
  return { sandbox, stateDir, call: clientOf(sandbox) }
}
afterAll(async () => {
  for (const { sandbox, stateDir } of opened) {
    await sandbox.stop()
    await rm(stateDir, { recursive: true, force: true })
  }
})

const order = (changes: object = {}) => ({
  name: 'autopod-test-0001',
  image: 'runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404',
  gpu: { id: 'NVIDIA A40', count: 1 },
  disk: 20,
  ports: ['22/tcp', '8188/http'],
  env: { PUBLIC_KEY: 'ssh-ed25519 AAAA test' },
  ...changes,
})
/** Asks again until the pod shows what is waited for; the test's own time limit ends it. */
async function until(call: Client, id: string, ready: (pod: Json) => boolean) {
  for (;;) {
    const { body } = await call('GET', `/pods/${id}`)
    if (ready(body)) return body
  }
}

it.skipIf(validate !== null)('skips the check against the specification, which is not at ../shared/contracts', () => {
  console.warn('skipped: ../shared/contracts/runpod-v2.openapi.json is missing; answers are not checked against it')
  expect(validate).toBeNull()
})

it.skipIf(validate === null)('would notice an answer that the specification does not allow', () => {
  expect(() => validate?.('GET', '/v2/pods', 200, 'application/json', { pods: null })).toThrow('must be array')
  expect(() => validate?.('POST', '/v2/pods', 202, 'application/json', {})).toThrow('resolve reference')
  expect(() => validate?.('GET', '/v2/pods/x', 404, 'application/problem+json', { status: '404' })).toThrow('title')
})

describe('pods', () => {
  let call: Client
  let sandbox: Sandbox
  let stateDir: string
  beforeAll(async () => {
    ;({ call, sandbox, stateDir } = await open())
  })

  it('goes through the whole life of a pod', async () => {
    const created = await call('POST', '/pods', order())
    expect(created.status).toBe(201)
    expect(created.body).toMatchObject({ status: 'RUNNING', runtime: null, cost: 0.49, ssh: { direct: null } })
    const { id } = created.body
    const placed = await until(call, id, pod => pod.runtime !== null)
    const { port } = placed.ssh.direct
    expect(placed.ssh.direct).toMatchObject({ host: '127.0.0.1', username: 'root' })
    expect(placed.runtime.gpus).toEqual([{ util: 12, memoryUtil: 34 }])
    expect(placed.runtime.ports).toContainEqual({ ip: '127.0.0.1', private: 22, public: port, type: 'tcp' })
    const http = placed.runtime.ports.filter((row: { type: string }) => row.type === 'http')
    expect(http.length).toBeGreaterThan(0)
    for (const row of http) expect(row.ip).toMatch(/^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./)

    const stopped = await call('POST', `/pods/${id}/action`, { action: 'stop' })
    expect(stopped.body).toMatchObject({ status: 'EXITED', runtime: null, cost: 0.49, actions: ['start', 'terminate'] })
    const started = await call('POST', `/pods/${id}/action`, { action: 'start' })
    expect(started.body).toMatchObject({ status: 'RUNNING', runtime: null })
    expect((await call('POST', `/pods/${id}/action`, { action: 'start' })).status).toBe(409)
    expect((await call('PATCH', `/pods/${id}`, { name: 'renamed' })).body.name).toBe('renamed')
    expect((await call('GET', '/pods')).body.pods).toHaveLength(1)
    expect((await stat(join(stateDir, 'pods', id))).isDirectory()).toBe(true)

    expect((await call('DELETE', `/pods/${id}`)).status).toBe(204)
    expect((await call('GET', `/pods/${id}`)).status).toBe(404)
    expect((await call('DELETE', `/pods/${id}`)).status).toBe(404)
    expect((await call('GET', '/pods')).body.pods).toEqual([])
    await expect(stat(join(stateDir, 'pods', id))).rejects.toThrow('ENOENT')
    expect((await status(sandbox)).prompts['prompt-of-autopod-test-0001']).toBe(2)
  })

  it('pages a list, newest first', async () => {
    const ids: string[] = []
    for (const name of ['a', 'b', 'c']) ids.push((await call('POST', '/pods', order({ name }))).body.id)
    const first = await call('GET', '/pods?limit=2')
    expect(first.body.pods).toHaveLength(2)
    const second = await call('GET', `/pods?limit=2&cursor=${first.body.pagination.nextCursor}`)
    expect(second.body.pagination).toEqual({ nextCursor: null, hasNextPage: false })
    const listed = [...first.body.pods, ...second.body.pods].map(pod => pod.id)
    expect(listed.sort()).toEqual(ids.sort())
    expect((await call('GET', '/pods?cursor=nonsense')).status).toBe(422)
    for (const id of ids) expect((await call('POST', `/pods/${id}/action`, { action: 'terminate' })).status).toBe(204)
  })

  it('refuses what breaks the published schema, in the words of the live service', async () => {
    const errors = async (body: unknown) => {
      const answer = await call('POST', '/pods', body)
      expect([answer.status, answer.body.detail]).toEqual([422, 'Request validation failed.'])
      return answer.body.errors
    }
    expect(await errors(order({ bogus: 1 }))).toEqual(["$: additional properties 'bogus' not allowed"])
    expect(await errors(order({ name: undefined }))).toEqual(["$: missing property 'name'"])
    expect(await errors(order({ image: undefined }))).toEqual(["$: missing property 'image'"])
    expect(await errors(order({ disk: 'big' }))).toEqual(['$.disk: got string, want integer'])
    expect(await errors(order({ disk: 0 }))).toEqual(['$.disk: minimum: got 0, want 1'])
    expect(await errors(order({ cloud: 'ALL' }))).toEqual(["$.cloud: value must be one of 'SECURE', 'COMMUNITY'"])
    const action = await call('POST', '/pods/none/action', { action: 'reset' })
    expect(action.body.errors).toEqual(["$.action: value must be one of 'start', 'stop', 'restart', 'terminate'"])
  })

  it('refuses what breaks a rule, and keeps capacity a 400 with its text', async () => {
    const detail = async (changes: object) => {
      const answer = await call('POST', '/pods', order(changes))
      return [answer.status, answer.body.detail]
    }
    const needs = [400, 'You must either provide a template id or pod configuration parameters']
    const capacity =
      'There are no longer any instances available with the requested specifications. Please refresh and try again.'
    expect(await detail({ disk: undefined })).toEqual(needs)
    expect(await detail({ gpu: undefined })).toEqual(needs)
    expect(await detail({ gpu: { id: 'NVIDIA A40' } })).toEqual([400, capacity])
    expect(await detail({ templateId: 'nope' })).toEqual([404, 'template not found'])
    expect(await detail({ ports: ['53/udp'] })).toEqual([400, 'invalid port "53/udp"'])
    expect((await detail({ gpu: { id: 'NVIDIA B200', count: 4 } }))[0]).toBe(402)
    expect((await call('GET', '/pods')).body.pods).toEqual([])
  })

  it('rents CPU pods too', async () => {
    const created = await call('POST', '/pods', order({ gpu: undefined, cpu: { id: 'cpu3c', vcpuCount: 2 } }))
    expect(created.body).toMatchObject({ cpu: { id: 'cpu3c', vcpuCount: 2, memory: 4 }, cost: 0.06 })
    expect((await call('DELETE', `/pods/${created.body.id}`)).status).toBe(204)
  })

  it('streams the log of a pod, of either source, from a cursor on', async () => {
    const { id } = (await call('POST', '/pods', order())).body
    const { runpod_url, api_key } = sandbox.description
    const lines = async (query: string, headers: Record<string, string> = {}) => {
      const abort = new AbortController()
      const response = await fetch(`${runpod_url}/pods/${id}/logs${query}`, {
        headers: { Authorization: `Bearer ${api_key}`, ...headers },
        signal: abort.signal,
      })
      expect(response.headers.get('content-type')).toBe('text/event-stream')
      let text = ''
      for await (const chunk of response.body ?? []) {
        text += Buffer.from(chunk).toString()
        if (text.includes('hello')) break
      }
      abort.abort()
      return text
    }
    const all = await lines('')
    expect(all).toMatch(/^id: \S+\/\d{12}\ndata: \{"ts":"\S+","source":"system","line":"create container/)
    expect(await lines('?source=container')).not.toContain('system')
    const cursor = /id: (\S+)/.exec(all)?.[1] ?? ''
    expect(await lines('', { 'Last-Event-ID': cursor })).not.toContain('create container')
    await call('DELETE', `/pods/${id}`)
    expect((await call('GET', `/pods/${id}/logs`)).status).toBe(404)
  })

  it('lets the key inside a pod end that pod and nothing else', async () => {
    const mine = (await call('POST', '/pods', order())).body.id
    const other = (await call('POST', '/pods', order())).body.id
    const state = JSON.parse(await readFile(join(stateDir, 'state.json'), 'utf8'))
    const { key } = state.cloud.pods[mine]
    expect((await call('GET', '/pods', undefined, key)).status).toBe(403)
    expect((await call('DELETE', `/pods/${other}`, undefined, key)).status).toBe(403)
    expect((await call('PATCH', `/pods/${mine}`, { name: 'x' }, key)).status).toBe(403)
    expect((await call('POST', `/pods/${mine}/action`, { action: 'stop' }, key)).status).toBe(200)
    expect((await call('POST', `/pods/${mine}/action`, { action: 'terminate' }, key)).status).toBe(204)
    expect((await call('DELETE', `/pods/${other}`)).status).toBe(204)
  })
})

describe('the rest of the account', () => {
  let call: Client
  let sandbox: Sandbox
  beforeAll(async () => {
    ;({ call, sandbox } = await open({ faults: ['sentinels'] }))
  })

  it('lists GPU types with prices, and availability only for a product', async () => {
    const plain = await call('GET', '/catalog/gpus')
    const a40 = plain.body.gpus.find((gpu: { id: string }) => gpu.id === 'NVIDIA A40')
    expect(a40).toMatchObject({ name: 'A40', memory: 48, secure: true, community: false, price: { secure: 0.49 } })
    expect(a40.availability).toBeUndefined()
    expect((await call('GET', '/catalog/gpus?include=AVAILABILITY')).status).toBe(400)
    expect((await call('GET', '/catalog/gpus?product=POD')).status).toBe(400)
    const full = await call('GET', '/catalog/gpus?include=AVAILABILITY&product=POD&count=1&cloud=SECURE')
    const level = (id: string) => full.body.gpus.find((gpu: { id: string }) => gpu.id === id)?.availability
    expect([level('NVIDIA A40'), level('sold-out'), level('NVIDIA GeForce RTX 3080')]).toEqual(['HIGH', 'NONE', 'NONE'])
    expect((await call('GET', '/catalog/gpus/NVIDIA%20A40')).body.id).toBe('NVIDIA A40')
    expect((await call('GET', '/catalog/gpus/none')).status).toBe(404)
  })

  it('lists data centers, CPUs, and the lists that are empty here', async () => {
    const centers = await call('GET', '/catalog/datacenters?include=GPU_AVAILABILITY&regions=EUROPE')
    expect(centers.body.dataCenters.every((center: { region: string }) => center.region === 'EUROPE')).toBe(true)
    expect(centers.body.dataCenters[0].gpuAvailability.length).toBeGreaterThan(5)
    expect((await call('GET', '/catalog/datacenters/EU-RO-1')).status).toBe(200)
    expect((await call('GET', '/catalog/cpus')).body.cpus.length).toBeGreaterThan(0)
    expect((await call('GET', '/templates')).body).toEqual({ templates: [] })
    expect((await call('GET', '/registries')).body).toEqual({ registries: [] })
    expect((await call('GET', '/catalog/templates')).body).toEqual({ templates: [] })
  })

  it('keeps SSH keys and network volumes', async () => {
    expect((await call('PUT', '/account/ssh-keys', { keys: ['no key'] })).status).toBe(422)
    expect((await call('PUT', '/account/ssh-keys', { keys: ['ssh-ed25519 AAAA me'] })).status).toBe(200)
    expect((await call('GET', '/account/ssh-keys')).body).toEqual({ keys: ['ssh-ed25519 AAAA me'] })
    const made = await call('POST', '/network-volumes', { name: 'models', size: 50, dataCenter: 'EU-RO-1' })
    expect(made.status).toBe(201)
    const { id } = made.body
    expect((await call('PATCH', `/network-volumes/${id}`, { size: 60 })).body.size).toBe(60)
    expect((await call('PATCH', `/network-volumes/${id}`, {})).status).toBe(422)
    const mounts = { network: [{ volumeId: id, path: '/workspace' }] }
    const pod = await call('POST', '/pods', order({ mounts }))
    expect(pod.body).toMatchObject({ mounts, dataCenterId: 'EU-RO-1' })
    expect((await call('DELETE', `/network-volumes/${id}`)).status).toBe(400)
    await call('DELETE', `/pods/${pod.body.id}`)
    expect((await call('DELETE', `/network-volumes/${id}`)).status).toBe(204)
    expect((await call('GET', '/network-volumes')).body).toEqual({ networkVolumes: [] })
  })

  it('bills a pod to the micro-dollar, the same in every place', async () => {
    const before = await status(sandbox)
    const { id } = (await call('POST', '/pods', order({ gpu: { id: 'NVIDIA A40', count: 8 } }))).body
    await until(call, id, pod => pod.runtime !== null)
    await call('DELETE', `/pods/${id}`)
    const bill = (await status(sandbox)).bills.find(one => one.podId === id)
    if (!bill) throw new Error('no bill')
    expect(before.bills.some(one => one.podId === id)).toBe(false)
    expect(bill.micro).toBe(Math.ceil((8 * 490_000 * Math.round(bill.seconds * 1000)) / 3_600_000))
    const billing = await call('GET', `/billing/pods?podId=${id}&bucketSize=hour`)
    expect(Math.round(billing.body.metadata.totals.totalAmount * 1e6)).toBe(bill.micro)
    expect(billing.body.metadata.uniquePodCount).toBe(1)
    expect((await call('GET', '/billing?lastN=2')).body.metadata.totals.totalAmount).toBeGreaterThan(0)
    expect((await call('GET', '/billing/pods?lastN=2&startTime=2026-01-01T00:00:00Z')).status).toBe(400)
  })

  it('tells the balance through GraphQL, to the account only', async () => {
    const { graphql_url, api_key } = sandbox.description
    const ask = async (query: string, key: string | null = api_key) => {
      const response = await fetch(graphql_url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...(key === null ? {} : { Authorization: `Bearer ${key}` }) },
        body: JSON.stringify({ query }),
      })
      return { status: response.status, body: (await response.json()) as Json }
    }
    const bills = (await status(sandbox)).bills.reduce((sum, bill) => sum + bill.micro, 0)
    const { body } = await ask('query { myself { id clientBalance currentSpendPerHr spendLimit } }')
    expect(body.data.myself).toMatchObject({ currentSpendPerHr: 0, spendLimit: 80 })
    expect(body.data.myself.clientBalance).toBeLessThanOrEqual(25 - bills / 1e6)
    expect(body.data.myself.clientBalance).toBeGreaterThan(24.9)
    expect((await ask('query { myself { pods { id } } }')).status).toBe(400)
    expect((await ask('{ myself { nonsense } }')).body.errors[0].message).toContain('Cannot query field "nonsense"')
    expect((await ask('{ myself { id } }', null)).body).toEqual({ data: { myself: null } })
    expect((await ask('{ myself { id } }', 'wrong')).status).toBe(401)
  })
})

describe('what stands before a route', () => {
  it('wants a key, a User-Agent, a known path and method, and a body that is not too large', async () => {
    const { call, sandbox } = await open()
    expect((await call('GET', '/pods', undefined, null)).body.detail).toBe('missing bearer token')
    expect((await call('GET', '/pods', undefined, 'wrong')).status).toBe(401)
    const wrongMethod = await call('PUT', '/pods', {})
    expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'GET, POST'])
    expect((await call('POST', '/pods', order({ args: 'x'.repeat(102_400) }))).status).toBe(413)
    expect((await call('POST', '/pods', 'not json')).status).toBe(400)
    const { status: code, text } = await new Promise<{ status?: number; text: string }>((resolve, reject) => {
      const url = `${sandbox.description.runpod_url}/pods`
      const request = rawRequest(
        url,
        { headers: { Authorization: `Bearer ${sandbox.description.api_key}` } },
        response => {
          let text = ''
          response.on('data', chunk => {
            text += String(chunk)
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        },
      )
      request.on('error', reject)
      request.end()
    })
    expect([code, text]).toEqual([403, 'error code: 1010'])
  })

  it('limits the rate and says so in headers', async () => {
    const { call } = await open({ limits: { hour: 3 } })
    const first = await call('GET', '/pods')
    expect(first.headers.get('ratelimit')).toMatch(/^"minute";r=\d+;t=\d+, "hour";r=2;t=\d+, "day";r=\d+;t=\d+$/)
    expect(first.headers.get('ratelimit-policy')).toContain('"hour";q=3;w=3600')
    await call('GET', '/pods')
    await call('GET', '/pods')
    const over = await call('GET', '/pods')
    expect([over.status, over.body.detail]).toEqual([429, 'rate limit exceeded for the hour window'])
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

describe('faults', () => {
  it('answers 500 to a create and bills the pod all the same', async () => {
    const { call, sandbox } = await open({ faults: ['create-500=1'] })
    expect((await call('POST', '/pods', order({ name: 'lost' }))).status).toBe(500)
    const { pods } = (await call('GET', '/pods')).body
    expect(pods.map((pod: { name: string }) => pod.name)).toEqual(['lost'])
    expect((await status(sandbox)).bills).toHaveLength(1)
  })

  it('never answers a create, and stops all the same', async () => {
    const { sandbox } = await open({ faults: ['create-timeout=1'] })
    const { runpod_url, api_key } = sandbox.description
    const abort = new AbortController()
    const create = fetch(`${runpod_url}/pods`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${api_key}` },
      body: JSON.stringify(order()),
      signal: abort.signal,
    })
    const failed = expect(create).rejects.toThrow()
    while ((await status(sandbox)).pods.length === 0);
    await sandbox.stop()
    await failed
  })

  it('breaks listings and whole requests', async () => {
    const { sandbox: malformed } = await open({ faults: ['list-malformed=1'] })
    const { sandbox: broken } = await open({ faults: ['5xx=1'] })
    const { sandbox: throttled } = await open({ faults: ['429=1'] })
    const list = ({ description: { runpod_url, api_key } }: Sandbox) =>
      fetch(`${runpod_url}/pods`, { headers: { Authorization: `Bearer ${api_key}` } })
    expect(await (await list(malformed)).json()).toMatchObject({ pods: null })
    expect((await list(broken)).status).toBe(502)
    expect((await list(throttled)).headers.get('retry-after')).toBe('1')
  })

  it('ends a pod that dies early', async () => {
    const { call } = await open({ faults: ['sentinels'] })
    const { id } = (await call('POST', '/pods', order({ gpu: { id: 'dies-early', count: 1 } }))).body
    expect(await until(call, id, pod => pod.status === 'EXITED')).toMatchObject({ runtime: null })
  })
})

describe('the state', () => {
  it('knows pods, bills and keys after a restart, and goes on billing', async () => {
    const first = await open()
    const { id } = (await first.call('POST', '/pods', order({ name: 'stays' }))).body
    await first.sandbox.stop()
    expect((await stat(join(first.stateDir, 'state.json'))).mode & 0o777).toBe(0o600)
    const second = await open({ stateDir: first.stateDir })
    expect(second.sandbox.description.api_key).toBe(first.sandbox.description.api_key)
    expect((await second.call('GET', `/pods/${id}`)).body).toMatchObject({ name: 'stays', status: 'RUNNING' })
    const bill = (await status(second.sandbox)).bills.find(one => one.podId === id)
    expect(bill?.micro).toBeGreaterThan(0)
    await second.call('DELETE', `/pods/${id}`)
  })

  it('stops by itself when it is idle, but not while a pod is there', async () => {
    const { sandbox, call, stateDir } = await open({ idleExitMs: 30, bootMs: 300, faults: ['sentinels'] })
    const { id } = (await call('POST', '/pods', order({ gpu: { id: 'dies-early', count: 1 } }))).body
    // No request meanwhile, for ten times as long as an idle sandbox lives: the state file tells when the pod has died.
    const onDisk = async () => JSON.parse(await readFile(join(stateDir, 'state.json'), 'utf8')).cloud.pods[id]
    while ((await onDisk()).status !== 'EXITED');
    expect((await call('DELETE', `/pods/${id}`)).status).toBe(204)
    await sandbox.stopped
    await expect(fetch(sandbox.description.runpod_url)).rejects.toThrow('fetch failed')
  })
})
