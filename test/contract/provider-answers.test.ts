// What the RunPod client makes of answers that the embedded cloud never gives: proxies' pages, odd pages of lists, torn bodies.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Want } from '../../src/ports.ts'
import { A40, BOOT, faultOf, openWorld, page, problem, type Scripted, type World } from './provider-world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
beforeEach(() => {
  world.calls.length = 0
})
afterAll(() => world.close())
const say = (...answers: Scripted[]) => {
  let last: Scripted = 'cut'
  world.meddle(() => {
    last = answers.shift() ?? last
    return last
  })
}
const ANY: Want = { gpuTypes: [], gpuCount: 1, regions: [], cloud: null, vramGbMin: 0 }
const pod = (id: string, more: object = {}) => ({
  id,
  name: `autopod-${id}`,
  status: 'RUNNING',
  gpu: { id: 'NVIDIA A40', count: 1 },
  cost: 0.49,
  ssh: { direct: null, proxy: null },
  runtime: null,
  createdAt: '2026-11-22T06:00:00Z',
  ...more,
})
const create = () => world.provider.create('autopod-new', A40, BOOT, false)

describe('a list of pods', () => {
  const cursor = (nextCursor: string | null, hasNextPage = nextCursor !== null) => ({ nextCursor, hasNextPage })

  it('is complete when its last page says so, however many there are', async () => {
    const pages: Scripted[] = ['a', 'b', 'c'].map((id, index) => ({
      body: { pods: [pod(id)], pagination: cursor(index < 2 ? `after ${id}&` : null) },
    }))
    say(...pages)
    const listing = await world.provider.list()
    expect(listing).toMatchObject({ known: true, pods: [{ ref: 'a' }, { ref: 'b' }, { ref: 'c' }] })
    expect(world.calls.map(call => call.url)).toEqual([
      '/v2/pods',
      '/v2/pods?cursor=after%20a%26',
      '/v2/pods?cursor=after%20b%26',
    ])
    say({ body: { pods: [] } })
    expect(await world.provider.list()).toEqual({ known: true, pods: [] })
  })

  it.each([
    ['an empty body', { body: '' }],
    ['an object without pods', { body: {} }],
    ['no object at all', { body: 'null' }],
    ['half a body', { body: '{"pods":[{"id":"a"' }],
    ['a pod without an id', { body: { pods: [pod('')] } }],
    ['one unreadable pod among others', { body: { pods: [pod('a'), { id: 'b' }] } }],
    ['more pages and no way to them', { body: { pods: [pod('a')], pagination: cursor(null, true) } }],
    ['pages in a circle', { body: { pods: [pod('a')], pagination: cursor('again') } }],
    ['a page of markup with status 200', { ...(page(200, 'Just a moment…') as object) }],
  ] as [string, Scripted][])('of %s is unknown, never no pods', async (_, answer) => {
    say(answer)
    expect(await world.provider.list()).toMatchObject({ known: false, why: expect.stringMatching(/./) })
  })

  it('is a fault when a later page cannot be had', async () => {
    say({ body: { pods: [pod('a')], pagination: cursor('next') } }, page(504, 'Gateway time-out'))
    expect(await faultOf(world.provider.list())).toMatchObject({ kind: 'transient' })
    say({ body: '{"pods":[', torn: true })
    expect(await faultOf(world.provider.list())).toMatchObject({ kind: 'transient' })
  })

  it('shows pods in every state that the specification and recordings know', async () => {
    const tcp = { ip: '203.0.113.7', private: 22, public: 40_022, type: 'tcp' }
    const http = { ip: '100.65.14.155', private: 19_123, public: 60_821, type: 'http' }
    const pods = [
      pod('new', { status: 'PROVISIONING', runtime: {}, createdAt: '2026-08-20 06:16:19.436 +0000 UTC nonsense' }),
      pod('up', { runtime: { uptime: 3, ports: [http, tcp] } }),
      pod('half', { runtime: { ports: [http, { ...tcp, public: null }] } }),
      pod('off', { status: 'EXITED', cost: 0.99 }),
      pod('bad', { status: 'ERROR' }),
      pod('gone', { status: 'TERMINATED' }),
      pod('bare', { gpu: { id: 'NVIDIA A40', count: 0 } }),
      pod('cpu', { gpu: undefined, cpu: { id: 'cpu3c', vcpuCount: 2, memory: 4 }, cost: 0.06 }),
      pod('later', { status: 'MIGRATING', surprise: { of: 'a later version' } }),
    ]
    say({ body: { pods } })
    const listing = await world.provider.list()
    if (!listing.known) throw new Error(listing.why)
    const row = (ref: string) => listing.pods.find(one => one.ref === ref)
    expect(listing.pods.map(one => one.status)).toEqual([
      'starting',
      'running',
      'running',
      'stopped',
      'failed',
      'terminated',
      'running',
      'running',
      'starting',
    ])
    expect(row('new')?.createdAt).toBeNull()
    expect(row('up')).toMatchObject({ address: { host: '203.0.113.7', port: 40_022, user: 'root' } })
    expect(row('up')?.createdAt).toBe(Date.parse('2026-11-22T06:00:00Z'))
    expect(row('half')?.address).toBeNull()
    expect(row('off')).toMatchObject({ perHour: 990_000, address: null })
    expect(row('bare')).toMatchObject({ gpuType: 'NVIDIA A40', gpuCount: 0 })
    expect(row('cpu')).toMatchObject({ gpuType: null, gpuCount: 0, perHour: 60_000 })
  })
})

describe('a look at one pod', () => {
  it('says that it is gone only in the words of the provider', async () => {
    say(problem(404, 'pod not found'))
    expect(await world.provider.look('a')).toBeNull()
    say(page(404, 'No such page'))
    expect(await faultOf(world.provider.look('a'))).toMatchObject({ kind: 'transient', code: 'answer_unclear' })
    for (const answer of [{ body: '' }, { body: {} }, page(502, 'Bad gateway'), 'cut' as const]) {
      say(answer)
      expect(await faultOf(world.provider.look('a'))).toMatchObject({ kind: 'transient' })
    }
  })
})

describe('a creation', () => {
  const bodies = async () => (await world.status()).pods.map(one => one.name)

  it('that was answered 201 with an unreadable body is looked up, and adopted', async () => {
    for (const [index, lost] of [
      { status: 201, body: '' },
      { status: 201, body: '{"id":' },
      'cut' as const,
    ].entries()) {
      world.meddle(async ({ method, path }, pass) => {
        if (method !== 'POST' || path !== '/pods') return null
        await pass()
        return lost
      })
      const name = `autopod-unread-${index}`
      const { ref } = await world.provider.create(name, A40, BOOT, false)
      expect((await world.status()).pods.find(one => one.id === ref)?.name).toBe(name)
      expect(await bodies()).toHaveLength(index + 1)
    }
    for (const { id } of (await world.status()).pods) await world.direct('DELETE', `/pods/${id}`)
  })

  it('that a proxy answered with a page of its own is looked up; where nothing was made, it is transient', async () => {
    for (const code of [500, 502, 503, 504, 524]) {
      world.meddle(({ method, path }) =>
        method === 'POST' && path === '/pods' ? page(code, 'A timeout occurred') : null,
      )
      const fault = await faultOf(create())
      expect(fault).toMatchObject({ kind: 'transient', code: 'answer_unclear' })
      expect(fault.message).toBe(`RunPod POST /pods: ${code} A timeout occurred A timeout occurred`)
      expect(world.count('GET /pods')).toBeGreaterThan(1)
    }
    expect(await bodies()).toEqual([])
  })

  it.each([
    [400, 'There are no longer any instances available with the requested specifications.', 'capacity', 'no_capacity'],
    [
      500,
      'This machine does not have the resources to deploy your pod. Please try a different machine',
      'capacity',
      'no_capacity',
    ],
    [402, 'create pod: Your account balance is too low to rent a pod.', 'operator', 'balance_low'],
    [400, 'Renting this pod would put you over your current spending limit ($80.00/hr).', 'operator', 'balance_low'],
    [401, 'missing bearer token', 'operator', 'key_refused'],
    [403, 'access denied', 'operator', 'key_refused'],
    [404, 'template not found', 'operator', 'request_rejected'],
    [409, 'conflict', 'operator', 'request_rejected'],
    [413, 'request body too large', 'operator', 'request_rejected'],
    [422, 'Request validation failed.', 'operator', 'request_rejected'],
    [429, 'rate limit exceeded', 'transient', 'rate_limited'],
  ])('refused with %i "%s" is of kind %s, and is not looked up', async (code, detail, kind, expected) => {
    say(problem(code, detail))
    expect(await faultOf(create())).toMatchObject({ kind, code: expected, message: expect.stringContaining(detail) })
    expect(world.count('GET /pods')).toBe(0)
  })

  it('names every complaint of a validation, and never the key', async () => {
    const errors = ['$.disk: minimum: got 0, want 1', "$: additional properties 'x' not allowed"]
    say({
      status: 422,
      body: { title: 'Unprocessable Entity', status: 422, detail: 'Request validation failed.', errors },
    })
    const fault = await faultOf(create())
    for (const error of errors) expect(fault.message).toContain(error)
    expect(JSON.stringify(fault)).not.toContain(world.sandbox.description.api_key)
  })

  it('that a proxy forbids needs the operator, with the proxy named', async () => {
    say({ status: 403, type: 'text/plain', body: 'error code: 1010' })
    expect(await faultOf(create())).toMatchObject({ kind: 'operator', hint: expect.stringContaining('proxy') })
  })

  it('waits as a 429 asks in seconds, and some seconds where it asks in other words or not at all', async () => {
    say(problem(429, 'slow down', { 'retry-after': '7' }))
    expect((await faultOf(create())).retryAfterMs).toBe(7000)
    say(problem(429, 'slow down', { 'retry-after': 'Sun, 22 Nov 2026 08:00:00 GMT' }))
    expect((await faultOf(create())).retryAfterMs).toBe(15_000)
    say({ status: 429, type: 'text/plain', body: 'API requests too frequent' })
    expect((await faultOf(create())).retryAfterMs).toBe(15_000)
  })

  it('without a price runs on the price of the offer', async () => {
    say({ status: 201, body: pod('free', { cost: 0, status: 'PROVISIONING' }) })
    expect(await create()).toEqual({ ref: 'free', perHour: 490_000 })
    say({ status: 201, body: pod('dear', { cost: 0.51 }) })
    expect(await create()).toEqual({ ref: 'dear', perHour: 510_000 })
  })
})

describe('the catalogue', () => {
  const gpu = (id: string, more: object = {}) => ({
    id,
    name: id,
    memory: 24,
    secure: true,
    community: true,
    price: { secure: 0.5, community: 0.25 },
    maxCount: { secure: 8, community: 2 },
    availability: 'HIGH',
    ...more,
  })
  const offers = (want: Partial<Want>, ...gpus: object[]) => {
    say({ body: { gpus } })
    return world.provider.offers({ ...ANY, ...want })
  }

  it('has prices that are none: where a card is not on offer, and nothing', async () => {
    const found = await offers(
      {},
      gpu('unknown'),
      gpu('placeholder', { community: false, price: { secure: 0.5, community: 1 } }),
      gpu('free', { price: { secure: 0, community: null } }),
    )
    expect(found.map(offer => [offer.gpuType, offer.cloud])).toEqual([['placeholder', 'secure']])
  })

  it('rounds no price down, and multiplies by the count', async () => {
    const [offer] = await offers({ gpuCount: 2, cloud: 'secure' }, gpu('a', { price: { secure: 0.1234561 } }))
    expect(offer?.perHour).toBe(2 * 123_457)
  })

  it('offers no more cards than a machine of that cloud has', async () => {
    const found = await offers({ gpuCount: 4 }, gpu('a'))
    expect(found.map(offer => offer.cloud)).toEqual(['secure'])
  })

  it('believes the region that is asked for before the whole', async () => {
    const dataCenters = [
      { id: 'EU-RO-1', availability: 'LOW' },
      { id: 'US-TX-3', availability: 'NONE' },
    ]
    const regions = ['us-tx-3', 'eu-ro-1']
    const found = await offers({ cloud: 'secure', regions }, gpu('a', { availability: 'NONE', dataCenters }))
    expect(found.map(offer => [offer.region, offer.stock])).toEqual([
      ['US-TX-3', 'none'],
      ['EU-RO-1', 'low'],
    ])
    const [level] = await offers({ cloud: 'secure' }, gpu('a', { availability: 'PLENTY' }))
    expect(level?.stock).toBe('unknown')
  })

  it('that no longer fits its published type needs the operator', async () => {
    say({ body: { gpus: [{ id: 'a' }] } })
    const fault = await faultOf(world.provider.gpus())
    expect(fault).toMatchObject({ kind: 'operator', code: 'reply_unreadable' })
    expect(fault.message).toContain('gpus.0.name')
  })
})

describe('the balance', () => {
  it('is null where the provider does not tell, and a fault where it refuses', async () => {
    say({ body: { data: { myself: null } } })
    expect(await world.provider.balance()).toBeNull()
    say({ body: { errors: [{ message: 'Unauthorized' }], data: null } })
    expect(await world.provider.balance()).toBeNull()
    say({ body: { data: { myself: { clientBalance: -0.0123456 } } } })
    expect(await world.provider.balance()).toBe(-12_346)
    say(problem(401, 'unauthorized'))
    expect(await faultOf(world.provider.balance())).toMatchObject({ kind: 'operator' })
  })
})

describe('a log stream', () => {
  it('may break lines, characters and events anywhere; what is no log line is passed over', async () => {
    const event = (line: string, source = 'container') => `data: ${JSON.stringify({ ts: 't', source, line })}`
    const body = `: hello\r\nid: 1\r\n${event('one')}\r\n\r\nid: 2\ndata: not json\n\nevent: ping\n\nid: 3\n${event('two – ü', 'system')}\n\ndata: {"line":1}\n\n${event('cut')}`
    say({ type: 'text/event-stream', body })
    const lines: string[] = []
    let last: string | null = null
    const onLine = (line: string, cursor: string | null) => {
      lines.push(line)
      last = cursor
    }
    await world.provider.logs('a', null, onLine, new AbortController().signal)
    expect(lines).toEqual(['one', '[system] two – ü'])
    say({ type: 'text/event-stream', body: '' })
    await world.provider.logs('a', last, onLine, new AbortController().signal)
    expect(world.calls.map(call => call.headers['last-event-id'])).toEqual([undefined, '3'])
  })

  it('goes without a cursor that the service does not take', async () => {
    say({ type: 'text/event-stream', body: 'id: 9\ndata: {"ts":"t","source":"container","line":"x"}\n\n' })
    await world.provider.logs('b', null, () => {}, new AbortController().signal)
    say(problem(422, 'Request validation failed.'))
    expect(await faultOf(world.provider.logs('b', '9', () => {}, new AbortController().signal))).toBeDefined()
    say({ type: 'text/event-stream', body: '' })
    await world.provider.logs('b', '9', () => {}, new AbortController().signal)
    expect(world.calls.map(call => call.headers['last-event-id'])).toEqual([undefined, '9', undefined])
  })

  it('that breaks is transient', async () => {
    say({ type: 'text/event-stream', body: ': x\n', torn: true })
    expect(await faultOf(world.provider.logs('a', null, () => {}, new AbortController().signal))).toMatchObject({
      kind: 'transient',
    })
  })
})

it('asked for nothing that the published specification does not have', () => {
  expect(world.complaints).toEqual([])
})
