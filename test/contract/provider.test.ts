// The port Provider, kept by the RunPod client on the embedded cloud; every request and answer fits the published specification.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Listing, PodRow, Want } from '../../src/ports.ts'
import { A40, BOOT, faultOf, openWorld, problem, SETTLE_MS, type World } from './provider-world.ts'
import { complaintOf } from './published-requests.ts'

const worlds: World[] = []
const open = async (options: Parameters<typeof openWorld>[0] = {}) => {
  const world = await openWorld(options)
  worlds.push(world)
  return world
}
afterAll(() => Promise.all(worlds.map(world => world.close())))

const ANY: Want = { gpuTypes: [], gpuCount: 1, regions: [], cloud: null, vramGbMin: 0 }
const podsOf = (listing: Listing): PodRow[] => {
  if (!listing.known) throw new Error(listing.why)
  return listing.pods
}
const never = new AbortController().signal

it.skipIf(complaintOf !== null)('skips the check of requests: the specification is not at ../shared/contracts', () => {
  console.warn('skipped: ../shared/contracts/runpod-v2.openapi.json is missing; requests are not checked against it')
  expect(complaintOf).toBeNull()
})

it.skipIf(complaintOf === null)('would notice a request that the specification does not know', () => {
  const ask = (method: string, url: string, body = '') => complaintOf?.({ method, url, body })
  expect(ask('GET', '/v2/podz')).toContain('not in the specification')
  expect(ask('PUT', '/v2/pods', '{}')).toContain('not in the specification')
  expect(ask('GET', '/v2/pods?name=x')).toContain('no query parameter name')
  expect(ask('GET', '/v2/catalog/gpus?cloud=ALL')).toContain('allowed values')
  expect(ask('GET', '/v2/pods/x/logs?since=yesterday')).toContain('date-time')
  expect(ask('POST', '/v2/pods', '{"name":"x","disk":"20"}')).toContain('must be integer')
  expect(ask('POST', '/v2/pods/x/action', '{"action":"pause"}')).toContain('allowed values')
  expect(ask('GET', '/v2/catalog/gpus?include=AVAILABILITY&product=POD&count=2&cloud=SECURE')).toBeNull()
})

describe('on a calm cloud', () => {
  let world: World
  beforeAll(async () => {
    // An hour ahead of the cloud: nothing may depend on that the clocks agree.
    world = await open({ faults: ['sentinels'], aheadMs: 3_600_000 })
  })
  afterEach(async () => {
    world.meddle(null)
    for (const { id } of (await world.status()).pods) await world.direct('DELETE', `/pods/${id}`)
    expect(world.complaints).toEqual([])
  })
  const rent = (name: string) => world.provider.create(name, A40, BOOT, false)
  const seen = async (ref: string) => podsOf(await world.provider.list()).find(row => row.ref === ref)

  it('offers what is wanted in its order: type, region, stock, price', async () => {
    const named = await world.provider.offers({ ...ANY, gpuTypes: ['4090', 'NVIDIA A40'] })
    expect(named.map(offer => [offer.gpuName, offer.cloud, offer.perHour])).toEqual([
      ['RTX 4090', 'community', 340_000],
      ['RTX 4090', 'secure', 740_000],
      ['A40', 'secure', 490_000],
    ])
    const regions = ['us-tx-3', 'EU-RO-1']
    const placed = await world.provider.offers({ ...ANY, gpuTypes: ['A40'], regions })
    expect(placed.map(offer => offer.region)).toEqual(['US-TX-3', 'EU-RO-1'])
    const all = await world.provider.offers(ANY)
    const stocked = all.filter(offer => offer.stock !== 'none').map(offer => offer.perHour)
    expect(stocked).toEqual([...stocked].sort((a, b) => a - b))
    expect(all.findIndex(offer => offer.stock === 'none')).toBe(stocked.length)
    expect(all.filter(offer => offer.gpuType === 'sold-out').map(offer => offer.stock)).toEqual(['none', 'none'])
  })

  it('offers only the cloud, the memory of a card and the count that are wanted, at the price of the whole pod', async () => {
    const secure = await world.provider.offers({ ...ANY, cloud: 'secure', vramGbMin: 40, gpuCount: 2 })
    expect(secure.length).toBeGreaterThan(5)
    for (const offer of secure) {
      expect(offer).toMatchObject({ cloud: 'secure', gpuCount: 2, region: null, provider: 'runpod' })
      expect(offer.vramGb).toBeGreaterThanOrEqual(40)
    }
    expect(secure.find(offer => offer.gpuName === 'A40')?.perHour).toBe(980_000)
    expect(await world.provider.offers({ ...ANY, gpuTypes: ['A40'], gpuCount: 9 })).toEqual([])
    expect(await world.provider.offers({ ...ANY, gpuTypes: ['A40'], cloud: 'community' })).toEqual([])
  })

  it('calls a type that does not exist a fault of the job, and lets one of several be missing', async () => {
    const fault = await faultOf(world.provider.offers({ ...ANY, gpuTypes: ['RTX 409'] }))
    expect(fault).toMatchObject({ kind: 'job', code: 'gpu_unknown' })
    expect(fault.message).toContain('did you mean "RTX 4090"')
    expect(await world.provider.offers({ ...ANY, gpuTypes: ['RTX 409', 'A40'] })).toHaveLength(1)
  })

  it('lists the types with a price only where the card is on offer', async () => {
    const types = await world.provider.gpus()
    expect(types.find(type => type.id === 'NVIDIA A40')).toEqual({
      id: 'NVIDIA A40',
      name: 'A40',
      vramGb: 48,
      countMax: 8,
      secure: 490_000,
      community: null,
      stock: 'high',
    })
    const community = types.find(type => type.name === 'RTX 3080')
    expect(community).toMatchObject({ secure: null, community: 170_000, stock: 'low' })
  })

  it('rents, pauses, starts and ends a pod, each as often as it is asked', async () => {
    const { provider } = world
    const made = await rent('autopod-life')
    expect(made.perHour).toBe(490_000)
    const placed = await (async () => {
      for (;;) {
        const row = await provider.look(made.ref)
        if (row?.address) return row
      }
    })()
    expect(placed).toMatchObject({ name: 'autopod-life', status: 'running', gpuType: 'NVIDIA A40', gpuCount: 1 })
    expect(placed.address).toMatchObject({ host: '127.0.0.1', user: 'root' })
    expect(Math.abs(Date.now() - (placed.createdAt ?? 0))).toBeLessThan(10_000)
    expect(await seen(made.ref)).toMatchObject({ status: 'running' })
    const [order] = world.calls.filter(call => call.method === 'POST' && call.path === '/pods')
    expect(JSON.parse(order?.body ?? '')).toMatchObject({ gpu: { count: 1 }, disk: 20, ports: ['22/tcp'] })

    await provider.stop(made.ref)
    await provider.stop(made.ref)
    // The price in the payload stays, which is why the meter goes by the status.
    expect(await provider.look(made.ref)).toMatchObject({ status: 'stopped', perHour: 490_000, address: null })
    expect(provider.stoppedPerHour(A40)).toBe(0)
    await provider.start(made.ref)
    await provider.start(made.ref)
    expect((await seen(made.ref))?.status).toBe('running')

    await provider.destroy(made.ref)
    await provider.destroy(made.ref)
    expect(await seen(made.ref)).toBeUndefined()
    expect(await provider.look(made.ref)).toBeNull()
    expect(await faultOf(provider.stop(made.ref))).toMatchObject({ kind: 'pod', code: 'not_found' })
  })

  it('finds what an earlier engine may have ordered before it orders again', async () => {
    const first = await rent('autopod-open')
    const again = await world.provider.create('autopod-open', A40, BOOT, true)
    expect(again.ref).toBe(first.ref)
    const other = await world.provider.create('autopod-other', A40, BOOT, true)
    expect((await world.status()).pods.map(pod => pod.id).sort()).toEqual([first.ref, other.ref].sort())
  })

  it('rents in the region of the offer and on the volume of the settings', async () => {
    const volume = await world.direct('POST', '/network-volumes', { name: 'models', size: 20, dataCenter: 'EU-CZ-1' })
    const placed = await world.provider.create('autopod-placed', { ...A40, region: 'US-GA-2' }, BOOT, false)
    expect((await world.direct('GET', `/pods/${placed.ref}`)).body.dataCenterId).toBe('US-GA-2')
    const boot = { ...BOOT, volume: { name: 'models', path: '/workspace' } }
    const mounted = await world.provider.create('autopod-mounted', A40, boot, false)
    const { body } = await world.direct('GET', `/pods/${mounted.ref}`)
    expect(body).toMatchObject({ dataCenterId: 'EU-CZ-1', cloud: 'SECURE' })
    expect(body.mounts.network).toEqual([{ volumeId: volume.body.id, path: '/workspace' }])
    const before = (await world.status()).pods.length
    const missing = { ...BOOT, volume: { name: 'no-such', path: '/workspace' } }
    expect(await faultOf(world.provider.create('autopod-x', A40, missing, false))).toMatchObject({
      kind: 'operator',
      code: 'volume_unknown',
    })
    expect((await world.status()).pods).toHaveLength(before)
  })

  it('calls a type without a free machine capacity, money the operator, and makes nothing', async () => {
    const { provider } = world
    const lists = world.count('GET /pods')
    const order = (offer: object) => faultOf(provider.create('autopod-none', { ...A40, ...offer }, BOOT, false))
    expect(await order({ gpuType: 'sold-out' })).toMatchObject({ kind: 'capacity', code: 'no_capacity' })
    expect(await order({ gpuType: 'NVIDIA B200', gpuCount: 4 })).toMatchObject({
      kind: 'operator',
      code: 'balance_low',
    })
    expect(await order({ gpuType: 'NVIDIA B999' })).toMatchObject({ kind: 'operator', code: 'request_rejected' })
    expect((await world.status()).pods).toEqual([])
    // Each was said clearly: nothing had to be looked up.
    expect(world.count('GET /pods')).toBe(lists)
  })

  it('unlocks a pod that somebody locked in the console, to pause it', async () => {
    const { ref } = await rent('autopod-locked')
    await world.direct('PATCH', `/pods/${ref}`, { locked: true })
    await world.provider.stop(ref)
    expect(await world.provider.look(ref)).toMatchObject({ status: 'stopped' })
    expect(world.count(`PATCH /pods/${ref}`)).toBe(1)
  })

  it('unlocks a pod that may not be ended, and says so when that does not help', async () => {
    const { ref } = await rent('autopod-locked')
    let locked = true
    world.meddle(({ method, body }) => {
      if (method === 'PATCH') locked = JSON.parse(body).locked
      return method === 'DELETE' && locked ? problem(409, 'cannot terminate a pod that is locked') : null
    })
    await world.provider.destroy(ref)
    expect(await world.provider.look(ref)).toBeNull()
    world.meddle(({ method }) => (method === 'DELETE' ? problem(409, 'cannot terminate now') : null))
    expect(await faultOf(world.provider.destroy('other'))).toMatchObject({ kind: 'transient', code: 'pod_locked' })
  })

  it('tells the balance in micro-dollars', async () => {
    const balance = await world.provider.balance()
    expect(balance).toBeGreaterThan(24_000_000)
    expect(balance).toBeLessThanOrEqual(25_000_000)
    expect(Number.isInteger(balance)).toBe(true)
  })

  it('tells the machine that a pod lies on, and nothing of a pod that is not there', async () => {
    const { ref } = await rent('autopod-host')
    const hostId = await world.provider.host(ref)
    expect(hostId).toMatch(/^[a-z0-9]{12}$/)
    expect(await world.provider.host(ref)).toBe(hostId)
    expect(await world.provider.host('nobody')).toBe(null)
  })

  it('tells the lines of a boot that nobody followed, then those that come, until it is let go', async () => {
    const { ref } = await rent('autopod-log')
    world.say(ref, 'pulling the image', 'system')
    const abort = new AbortController()
    const lines: string[] = []
    const { promise: first, resolve: begun } = Promise.withResolvers<void>()
    const { promise: second, resolve: came } = Promise.withResolvers<void>()
    const following = world.provider.logs(
      ref,
      null,
      line => {
        lines.push(line)
        if (line.includes('pulling')) begun()
        if (line.includes('ready')) came()
      },
      abort.signal,
    )
    await first
    world.say(ref, 'ComfyUI is ready – “ü”')
    await second
    abort.abort()
    await following
    expect(lines).toEqual([
      '[system] create container runpod/comfyui:latest',
      '[system] pulling the image',
      'ComfyUI is ready – “ü”',
    ])
  })

  it('goes on with the log where the last stream broke off, without repeating a line', async () => {
    const { ref } = await rent('autopod-log')
    const lines: string[] = []
    let last: string | null = null
    const follow = async (until: string) => {
      const abort = new AbortController()
      await world.provider.logs(
        ref,
        last,
        (line, cursor) => {
          lines.push(line)
          last = cursor
          if (line === until) abort.abort()
        },
        abort.signal,
      )
    }
    world.say(ref, 'one')
    await follow('one')
    world.say(ref, 'two')
    await follow('two')
    expect(lines).toEqual(['[system] create container runpod/comfyui:latest', 'one', 'two'])
    expect(await faultOf(world.provider.logs('gone', null, () => {}, never))).toMatchObject({ code: 'not_found' })
    await world.provider.logs(ref, null, () => {}, AbortSignal.abort())
  })
})

describe('on a cloud that loses answers', () => {
  it('adopts the pod that a failed creation made, and makes no second one', async () => {
    const world = await open({ faults: ['create-500=1'] })
    const made = await world.provider.create('autopod-lost', A40, BOOT, false)
    const { pods } = await world.status()
    expect(pods.map(pod => pod.id)).toEqual([made.ref])
    expect(made.perHour).toBe(490_000)
    expect(world.count('POST /pods')).toBe(1)
    expect(world.complaints).toEqual([])
  })

  it('adopts the pod of a creation that was never answered', async () => {
    const world = await open({ faults: ['create-timeout=1'] })
    const made = await world.provider.create('autopod-silent', A40, BOOT, false)
    expect((await world.status()).pods.map(pod => pod.id)).toEqual([made.ref])
  })

  it('calls it transient when a failed creation made nothing', async () => {
    const world = await open({ faults: ['create-500-none=1'] })
    const fault = await faultOf(world.provider.create('autopod-none', A40, BOOT, false))
    expect(fault).toMatchObject({ kind: 'transient', code: 'answer_unclear' })
    expect((await world.status()).pods).toEqual([])
    expect(world.count('POST /pods')).toBe(1)
  })

  it('finds a pod whose listing lags behind its creation', async () => {
    const world = await open({ faults: ['create-500=1', 'list-lag=1'], timing: { lookupMs: SETTLE_MS } })
    const made = await world.provider.create('autopod-lag', A40, BOOT, false)
    expect((await world.status()).pods.map(pod => pod.id)).toEqual([made.ref])
  })

  it('does not believe a pod unmade while listings cannot be read', async () => {
    const world = await open({ faults: ['create-500=1'] })
    let lists = 0
    world.meddle(({ method, path }) =>
      method === 'GET' && path === '/pods' && ++lists <= 10 ? { body: { pods: null } } : null,
    )
    const made = await world.provider.create('autopod-hidden', A40, BOOT, false)
    expect((await world.status()).pods.map(pod => pod.id)).toEqual([made.ref])
    world.meddle(({ method, path }) => (method === 'GET' && path === '/pods' ? problem(403, 'access denied') : null))
    const fault = await faultOf(world.provider.create('autopod-open', A40, BOOT, true))
    expect(fault).toMatchObject({ kind: 'transient', code: 'answer_unclear' })
    // Asked to look first, it could not see: nothing may be ordered.
    expect(world.count('POST /pods')).toBe(1)
  })

  it('takes a listing that is malformed for no listing', async () => {
    const world = await open({ faults: ['list-malformed=1'] })
    await world.direct('POST', '/pods', { name: 'a', image: 'x', gpu: { id: 'NVIDIA A40', count: 1 }, disk: 20 })
    expect(await world.provider.list()).toMatchObject({ known: false })
  })

  it('lets an ended pod be seen again, as a lagging list shows it, until the settling time is over', async () => {
    const world = await open({ faults: ['list-lag=1'] })
    const { ref } = await world.provider.create('autopod-lag', A40, BOOT, false)
    await world.provider.destroy(ref)
    const endedAt = Date.now()
    while (podsOf(await world.provider.list()).some(row => row.ref === ref))
      expect(Date.now() - endedAt).toBeLessThan(world.provider.settleMs)
    expect(await world.provider.look(ref)).toBeNull()
  })

  it('resolves when a termination is only claimed; the listing still shows the pod', async () => {
    const world = await open({ faults: ['terminate-lies=1'] })
    const { ref } = await world.provider.create('autopod-liar', A40, BOOT, false)
    await world.provider.destroy(ref)
    expect(podsOf(await world.provider.list()).map(row => row.ref)).toEqual([ref])
    expect(await world.provider.look(ref)).toMatchObject({ status: 'running' })
  })

  it('calls a start on a host without a free GPU a fault of the pod', async () => {
    const world = await open()
    const { ref } = await world.provider.create('autopod-full', A40, BOOT, false)
    await world.provider.stop(ref)
    world.meddle(({ path }) =>
      path.endsWith('/action')
        ? problem(400, 'There are not enough free GPUs on the host machine to start this pod.')
        : null,
    )
    expect(await faultOf(world.provider.start(ref))).toMatchObject({ kind: 'pod', code: 'no_capacity' })
  })

  it('waits as long as a rate limit asks, and refuses nothing else in its name', async () => {
    const world = await open({ faults: ['429=1'] })
    const { provider } = world
    for (const work of [
      () => provider.list(),
      () => provider.look('x'),
      () => provider.stop('x'),
      () => provider.destroy('x'),
      () => provider.offers(ANY),
      () => provider.create('autopod-x', A40, BOOT, false),
    ])
      expect(await faultOf(work())).toMatchObject({ kind: 'transient', code: 'rate_limited', retryAfterMs: 1000 })
    expect(world.complaints).toEqual([])
  })

  it('calls a service that answers with a page of its front transient', async () => {
    const world = await open({ faults: ['5xx=1'] })
    for (const work of [() => world.provider.list(), () => world.provider.look('x'), () => world.provider.gpus()])
      expect(await faultOf(work())).toMatchObject({
        kind: 'transient',
        message: expect.stringContaining('502 Bad Gateway'),
      })
    expect((await faultOf(world.provider.list())).message).not.toContain('<')
  })

  it('needs the operator for a key that is refused, or that can be none', async () => {
    const refused = await open({ apiKey: 'rpa_WRONG' })
    for (const work of [() => refused.provider.list(), () => refused.provider.create('x', A40, BOOT, false)])
      expect(await faultOf(work())).toMatchObject({
        kind: 'operator',
        code: 'key_refused',
        hint: expect.stringContaining('RUNPOD_API_KEY'),
      })
    expect(refused.count('GET /pods')).toBe(1)
    const masked = await open({ apiKey: 'rpa_…abcd' })
    expect(await faultOf(masked.provider.list())).toMatchObject({ kind: 'operator', code: 'key_refused' })
    expect(masked.calls).toEqual([])
  })
})
