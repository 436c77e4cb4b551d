// RunPod as a Provider, on REST v2. The embedded cloud speaks the same: only the address differs.
import { Fault } from '../../domain/fault.ts'
import { sameGpu } from '../../domain/placement.ts'
import type { Offer } from '../../domain/pod.ts'
import { accrue, microFromUsd } from '../../domain/units.ts'
import type { Boot, Clock, GpuType, Listing, PodRow, Provider, Want } from '../../ports.ts'
import { Balance, type CreatePod, type Gpu, Gpus, LogLine, NetworkVolumes, Pod, PodList } from '../../wire/runpod.ts'
import { ask, CREATE_TIMEOUT_MS, jsonOf, type RunpodOptions, refusal, send } from './runpod-api.ts'

export type RunpodTiming = {
  settleMs: number
  pollMs: number
  /** How long a creation with an unclear answer is looked up by its name. */
  lookupMs: number
  createMaxMs: number
}

/** 60 requests a minute for all of a user's programs (REST v2 rate-limit headers): one list every 5 s leaves most of them. */
export const RUNPOD_TIMING: RunpodTiming = {
  settleMs: 20_000,
  pollMs: 5_000,
  lookupMs: 30_000,
  createMaxMs: CREATE_TIMEOUT_MS + 30_000,
}

export function createRunpod(name: string, options: RunpodOptions & { clock: Clock; timing: RunpodTiming }): Provider {
  const { clock, timing } = options

  const list = async (): Promise<Listing> => {
    const rows: PodRow[] = []
    const seen = new Set<string>()
    let cursor = ''
    for (;;) {
      const page = await ask(
        options,
        { method: 'GET', path: `/pods${cursor && `?cursor=${encodeURIComponent(cursor)}`}` },
        PodList,
      )
      rows.push(...page.pods.map(rowOf))
      if (!page.pagination?.hasNextPage) return { known: true, pods: rows }
      cursor = page.pagination.nextCursor ?? ''
      if (!cursor || seen.has(cursor)) return { known: false, why: 'a page of the list leads nowhere' }
      seen.add(cursor)
    }
  }
  const catalogue = async (want: { gpuCount: number; cloud: 'secure' | 'community' }): Promise<Gpu[]> => {
    const query = `include=AVAILABILITY&product=POD&count=${want.gpuCount}&cloud=${want.cloud.toUpperCase()}`
    const { gpus } = await ask(options, { method: 'GET', path: `/catalog/gpus?${query}` }, Gpus)
    return gpus.filter(gpu => gpu.id !== 'unknown')
  }
  const findByName = async (podName: string): Promise<PodRow | null> => {
    const until = clock.now() + timing.lookupMs
    for (;;) {
      const listing = await list().catch((error: unknown) => {
        if (error instanceof Fault && error.data.kind === 'transient') return null
        throw error
      })
      const found = listing?.known ? listing.pods.find(row => row.name === podName) : undefined
      if (found) return found
      if (clock.now() >= until) return null
      await clock.sleep(Math.min(timing.pollMs, 2000))
    }
  }
  const act = async (ref: string, action: 'start' | 'stop') => {
    const call = { method: 'POST', path: `/pods/${ref}/action`, body: { action } }
    const answer = await send(options, call)
    const text = await answer.text()
    // 409: not valid in its state, that is, it is already so; the next listing tells.
    if (answer.status < 300 || answer.status === 409) return
    const fault = refusal(call, answer, text)
    // A host without a free GPU refuses a start in the words of missing capacity: this pod will not come back.
    throw fault.data.kind === 'capacity' || fault.data.code === 'not_found'
      ? new Fault({ ...fault.data, kind: 'pod' })
      : fault
  }

  return {
    name,
    pollMs: timing.pollMs,
    settleMs: timing.settleMs,
    createMaxMs: timing.createMaxMs,
    async gpus() {
      const [secure, community] = await Promise.all([
        catalogue({ gpuCount: 1, cloud: 'secure' }),
        catalogue({ gpuCount: 1, cloud: 'community' }),
      ])
      return secure.map((gpu): GpuType => {
        const other = community.find(candidate => candidate.id === gpu.id)
        const stock = gpu.secure ? stockOf(gpu.availability) : stockOf(other?.availability)
        return {
          id: gpu.id,
          name: gpu.name,
          vramGb: gpu.memory,
          secure: priceOf(gpu, 'secure'),
          community: priceOf(gpu, 'community'),
          stock,
        }
      })
    },
    async offers(want) {
      const clouds = want.cloud ? [want.cloud] : (['secure', 'community'] as const)
      const found = await Promise.all(
        clouds.map(async cloud =>
          (await catalogue({ gpuCount: want.gpuCount, cloud })).flatMap(gpu => offersOf(name, gpu, cloud, want)),
        ),
      )
      return rank(found.flat(), want)
    },
    async create(podName, offer, boot, lookFirst) {
      if (lookFirst) {
        const row = await findByName(podName)
        if (row) return row
      }
      const call = {
        method: 'POST',
        path: '/pods',
        body: await createBody(options, podName, offer, boot),
        timeoutMs: CREATE_TIMEOUT_MS,
      }
      const unclear = async (fault: Fault) => {
        const row = await findByName(podName)
        if (row) return row
        throw fault
      }
      const sent = await send(options, call).catch((error: unknown) => error)
      if (sent instanceof Fault) return unclear(sent)
      if (sent instanceof Error) throw sent
      const answer = sent as Awaited<ReturnType<typeof send>>
      const text = await answer.text().catch(() => '')
      if (answer.status >= 300) {
        const fault = refusal(call, answer, text)
        return fault.data.code === 'answer_unclear' ? unclear(fault) : Promise.reject(fault)
      }
      const pod = Pod.safeParse(jsonOf(text))
      if (pod.success) return rowOf(pod.data)
      // 201 without a readable pod: something was made, and it bills.
      return unclear(
        new Fault({
          kind: 'transient',
          code: 'answer_unclear',
          message: `RunPod's answer to the creation of ${podName} is unreadable`,
        }),
      )
    },
    list,
    async look(ref) {
      const call = { method: 'GET', path: `/pods/${ref}` }
      const answer = await send(options, call)
      const text = await answer.text()
      if (answer.status === 404) return null
      if (answer.status >= 300) throw refusal(call, answer, text)
      const pod = Pod.safeParse(jsonOf(text))
      if (!pod.success)
        throw new Fault({
          kind: 'transient',
          code: 'answer_unclear',
          message: `RunPod's answer on pod ${ref} is unreadable`,
        })
      return rowOf(pod.data)
    },
    stop: ref => act(ref, 'stop'),
    start: ref => act(ref, 'start'),
    async destroy(ref) {
      const call = { method: 'DELETE', path: `/pods/${ref}` }
      const answer = await send(options, call)
      const text = await answer.text()
      if (answer.status < 300 || answer.status === 404) return
      if (answer.status === 409)
        await send(options, { method: 'PATCH', path: `/pods/${ref}`, body: { locked: false } }).then(unlocked =>
          unlocked.text(),
        )
      throw answer.status === 409
        ? new Fault({
            kind: 'transient',
            code: 'pod_locked',
            message: `RunPod does not end pod ${ref} now: ${text.slice(0, 200)}`,
          })
        : refusal(call, answer, text)
    },
    async balance() {
      const body = { query: 'query { myself { clientBalance currentSpendPerHr } }' }
      const answer = await ask(options, { method: 'POST', path: options.graphqlUrl, body }, Balance)
      const balance = answer.data?.myself?.clientBalance
      return balance === undefined ? null : Math.floor(balance * 1_000_000)
    },
    async logs(ref, onLine, signal) {
      const since = new Date(clock.now() - 1000).toISOString()
      const answer = await send(options, {
        method: 'GET',
        path: `/pods/${ref}/logs?tail=200&since=${encodeURIComponent(since)}`,
        timeoutMs: 24 * 3_600_000,
        signal,
      }).catch((error: unknown) => {
        if (signal.aborted) return null
        throw error
      })
      if (!answer) return
      if (answer.status >= 300) throw refusal({ method: 'GET', path: `/pods/${ref}/logs` }, answer, await answer.text())
      await readEvents(answer.stream, onLine, signal)
    },
    // Container disk is free while stopped; a pod without a persistent mount keeps nothing that bills (RunPod docs, 2026-05).
    stoppedPerHour: () => 0,
  }
}

/** Server-sent events: `data:` lines as JSON; the stream has no end of its own. */
async function readEvents(
  stream: AsyncIterable<Buffer>,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for await (const chunk of stream) {
      if (signal.aborted) return
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = (lines.pop() ?? '').slice(0, 65_536)
      for (const line of lines) {
        if (!line.startsWith('data:')) continue
        const entry = LogLine.safeParse(jsonOf(line.slice(5)))
        if (entry.success)
          onLine(entry.data.source === 'system' ? `[${entry.data.source}] ${entry.data.line}` : entry.data.line)
      }
    }
  } catch (error) {
    if (!signal.aborted)
      throw error instanceof Fault
        ? error
        : new Fault({ kind: 'transient', code: 'log_broken', message: `the log stream broke: ${String(error)}` })
  }
}

async function createBody(options: RunpodOptions, podName: string, offer: Offer, boot: Boot): Promise<CreatePod> {
  const body: CreatePod = {
    name: podName,
    image: boot.image,
    gpu: { id: offer.gpuType, count: offer.gpuCount },
    cloud: offer.cloud === 'secure' ? 'SECURE' : 'COMMUNITY',
    disk: boot.diskGb,
    ports: ['22/tcp'],
    env: boot.env,
  }
  if (offer.region) body.dataCenterIds = [offer.region]
  if (!boot.volume) return body
  const { networkVolumes } = await ask(options, { method: 'GET', path: '/network-volumes' }, NetworkVolumes)
  const volume = networkVolumes.find(
    candidate => candidate.name === boot.volume?.name || candidate.id === boot.volume?.name,
  )
  if (!volume) {
    throw new Fault({
      kind: 'operator',
      code: 'volume_unknown',
      message: `RunPod has no network volume ${boot.volume.name}`,
      hint: 'Make it in the console, or unset RUNPOD_STORAGE_NAME.',
    })
  }
  // A volume lives in one data center of the secure cloud; a pod elsewhere could not mount it.
  return {
    ...body,
    cloud: 'SECURE',
    dataCenterIds: [volume.dataCenter],
    mounts: { network: [{ volumeId: volume.id, path: boot.volume.path }] },
  }
}

function rowOf(pod: Pod): PodRow {
  const direct = pod.ssh?.direct
  const mapped = pod.runtime?.ports?.find(port => port.private === 22 && port.type === 'tcp' && port.ip && port.public)
  const address = direct
    ? { host: direct.host, port: direct.port, user: direct.username }
    : mapped
      ? { host: mapped.ip as string, port: mapped.public as number, user: 'root' }
      : null
  return {
    ref: pod.id,
    name: pod.name,
    status: statusOf(pod.status),
    gpuType: pod.gpu?.id ?? null,
    gpuCount: pod.gpu?.count ?? 0,
    perHour: microFromUsd(pod.cost),
    address,
    createdAt: pod.createdAt ? Date.parse(pod.createdAt) : null,
  }
}

function statusOf(status: string): PodRow['status'] {
  switch (status) {
    case 'RUNNING':
      return 'running'
    case 'EXITED':
      return 'stopped'
    case 'ERROR':
      return 'failed'
    case 'TERMINATED':
      return 'terminated'
    default:
      return 'starting'
  }
}

/** A price counts only where the card is offered: others are placeholders (0, 0.5, 1.0; snapshots of 2026-08 and 2026-10). */
function priceOf(gpu: Gpu, cloud: 'secure' | 'community'): number | null {
  const usd = gpu.price[cloud]
  return gpu[cloud] && usd ? microFromUsd(usd) : null
}

function stockOf(level: string | null | undefined): Offer['stock'] {
  const word = level?.toLowerCase()
  return word === 'none' || word === 'low' || word === 'medium' || word === 'high' ? word : 'unknown'
}

function offersOf(provider: string, gpu: Gpu, cloud: 'secure' | 'community', want: Want): Offer[] {
  const price = priceOf(gpu, cloud)
  if (price === null || gpu.memory * want.gpuCount < want.vramGbMin) return []
  if (
    want.gpuTypes.length > 0 &&
    !want.gpuTypes.some(wanted => sameGpu(wanted, { gpuType: gpu.id, gpuName: gpu.name }))
  )
    return []
  const offer = {
    provider,
    gpuType: gpu.id,
    gpuName: gpu.name,
    gpuCount: want.gpuCount,
    vramGb: gpu.memory,
    cloud,
    perHour: accrue(price * want.gpuCount, 3_600_000),
    stock: stockOf(gpu.availability),
  }
  if (want.regions.length === 0) return [{ ...offer, region: null }]
  // NONE on top can stand beside LOW in one data center (reports, 2026): with a region asked for, that region's level counts.
  return want.regions.map(region => {
    const place = gpu.dataCenters?.find(candidate => candidate.id.toLowerCase() === region.toLowerCase())
    return {
      ...offer,
      region: place?.id ?? region.toUpperCase(),
      stock: place ? stockOf(place.availability) : offer.stock,
    }
  })
}

/** By the wanted order of types and regions, then what is in stock, then price. */
function rank(offers: Offer[], want: Want): Offer[] {
  const place = (offer: Offer) => want.gpuTypes.findIndex(wanted => sameGpu(wanted, offer))
  const region = (offer: Offer) =>
    offer.region ? want.regions.findIndex(r => r.toLowerCase() === offer.region?.toLowerCase()) : 0
  const empty = (offer: Offer) => Number(offer.stock === 'none')
  return offers.sort(
    (a, b) => place(a) - place(b) || region(a) - region(b) || empty(a) - empty(b) || a.perHour - b.perHour,
  )
}
