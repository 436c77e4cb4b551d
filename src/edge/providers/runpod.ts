// RunPod as a Provider, on REST v2. The embedded cloud speaks the same: only the address differs.
import { Fault } from '../../domain/fault.ts'
import type { Offer } from '../../domain/pod.ts'
import { microFromUsd } from '../../domain/units.ts'
import type { Boot, Clock, GpuType, Listing, PodRow, Provider } from '../../ports.ts'
import {
  Balance,
  type CreatePod,
  type Gpu,
  Gpus,
  HostOfPod,
  NetworkVolumes,
  Pod,
  PodBilling,
  PodList,
} from '../../wire/runpod.ts'
import { ask, type Call, CREATE_TIMEOUT_MS, jsonOf, plainOf, type RunpodOptions, refusal, send } from './runpod-api.ts'
import { followLogs } from './runpod-logs.ts'
import { offersOf, priceOf, rank, refuseUnknown, stockOf } from './runpod-offers.ts'

export type RunpodTiming = {
  settleMs: number
  pollMs: number
  /** How long a creation with an unclear answer is looked up by its name. */
  lookupMs: number
  createMaxMs: number
  billLagMs: number
}

/** 60 requests a minute for all of a user's programs (REST v2 rate-limit headers): one list every 5 s leaves most of them. */
export const RUNPOD_TIMING: RunpodTiming = {
  settleMs: 20_000,
  pollMs: 5_000,
  lookupMs: 30_000,
  createMaxMs: CREATE_TIMEOUT_MS + 30_000,
  // Records were still empty an hour later (reports, 2026); settlement runs every five minutes.
  billLagMs: 2 * 3_600_000,
}

export function createRunpod(name: string, options: RunpodOptions & { clock: Clock; timing: RunpodTiming }): Provider {
  const { clock, timing } = options
  const refusing = new Set<string>()

  const list = async (): Promise<Listing> => {
    const rows: PodRow[] = []
    const seen = new Set<string>()
    let cursor = ''
    for (;;) {
      const call = { method: 'GET', path: `/pods${cursor && `?cursor=${encodeURIComponent(cursor)}`}` }
      const page = await ask(options, call, PodList).catch((error: unknown) => {
        if (error instanceof Fault && error.data.code === 'reply_unreadable') return error.message
        throw error
      })
      if (typeof page === 'string') return { known: false, why: page }
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
  /**
   * null = proven absent: a complete listing, asked for `lookupMs` later, lacks the name. While no listing is complete
   * nothing is proven, whatever the reason: a pod believed unmade would be billed unseen. Fault: transient.
   */
  const findByName = async (podName: string): Promise<PodRow | null> => {
    const from = clock.now()
    for (;;) {
      const waitedMs = clock.now() - from
      let pauseMs = Math.min(timing.pollMs, 2000)
      const listing = await list().catch((error: unknown): Listing => {
        if (!(error instanceof Fault)) throw error
        pauseMs = Math.max(pauseMs, Math.min(error.data.retryAfterMs ?? 0, timing.lookupMs))
        return { known: false, why: error.message }
      })
      if (listing.known) {
        const found = listing.pods.find(row => row.name === podName && row.status !== 'terminated')
        if (found) return found
        if (waitedMs >= timing.lookupMs) return null
      } else if (waitedMs >= timing.lookupMs + timing.createMaxMs) {
        throw unclear(`whether ${podName} was made is not known: ${listing.why}`)
      }
      await clock.sleep(pauseMs)
    }
  }
  const look = async (ref: string): Promise<Pod | null> => {
    const call = { method: 'GET', path: `/pods/${ref}` }
    const answer = await send(options, call)
    const text = await answer.text()
    // A page of markup is a proxy's word: only the provider itself can say that there is no such pod.
    if (answer.status === 404 && /html/.test(answer.headers['content-type'] ?? ''))
      throw unclear(`RunPod GET /pods/${ref}: 404 ${plainOf(text)}`)
    if (answer.status === 404) return null
    if (answer.status >= 300) throw refusal(call, answer, text)
    const pod = Pod.safeParse(jsonOf(text))
    if (!pod.success) throw unclear(`RunPod's answer on pod ${ref} is unreadable`)
    return pod.data
  }
  /** A lock set in the console keeps from stop and reset (REST v2 OpenAPI, 2026-08); these pods are ours to end. */
  const unlock = async (ref: string) => {
    const answer = await send(options, { method: 'PATCH', path: `/pods/${ref}`, body: { locked: false } })
    await answer.text()
  }
  const act = async (ref: string, action: 'start' | 'stop') => {
    const call = { method: 'POST', path: `/pods/${ref}/action`, body: { action } }
    for (let tries = 0; ; tries++) {
      const answer = await send(options, call)
      const text = await answer.text()
      if (answer.status < 300) return
      if (answer.status === 409) {
        // Not valid in its state: it is already so, or it is locked.
        const pod = await look(ref)
        const runs = pod !== null && ['running', 'starting'].includes(statusOf(pod.status))
        if (pod && runs === (action === 'start')) return
        if (pod?.locked && tries === 0) {
          await unlock(ref)
          continue
        }
        if (pod) {
          const message = `RunPod does not ${action} pod ${ref} now: ${plainOf(text)}`
          throw new Fault({ kind: 'transient', code: 'pod_locked', message })
        }
      }
      const fault = refusal(call, answer, text)
      // A host without a free GPU refuses a start in the words of missing capacity: this pod will not come back.
      throw fault.data.kind === 'capacity' || fault.data.code === 'not_found'
        ? new Fault({ ...fault.data, kind: 'pod' })
        : fault
    }
  }

  /** `unclear`: a pod may have been made, whatever the answer says. */
  const post = async (
    call: Call,
  ): Promise<{ kind: 'made'; row: PodRow } | { kind: 'refused' | 'unclear'; fault: Fault }> => {
    try {
      const answer = await send(options, call)
      const text = await answer.text()
      if (answer.status >= 300) {
        const fault = refusal(call, answer, text)
        if (fault.data.code === 'answer_unclear') return { kind: 'unclear', fault }
        // Of a creation, 404 means its template or volume: another try changes nothing.
        const wrong = { kind: 'operator', code: 'request_rejected' } as const
        return { kind: 'refused', fault: answer.status === 404 ? new Fault({ ...fault.data, ...wrong }) : fault }
      }
      const pod = Pod.safeParse(jsonOf(text))
      if (pod.success) return { kind: 'made', row: rowOf(pod.data) }
      return { kind: 'unclear', fault: unclear(`RunPod's answer to the creation of a pod is unreadable`) }
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      const sent = error.data.kind === 'transient' && error.data.code !== 'http_unreachable'
      return { kind: sent ? 'unclear' : 'refused', fault: error }
    }
  }

  return {
    name,
    pollMs: timing.pollMs,
    settleMs: timing.settleMs,
    createMaxMs: timing.createMaxMs,
    billLagMs: timing.billLagMs,
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
        clouds.map(async cloud => (await catalogue({ gpuCount: want.gpuCount, cloud })).map(gpu => ({ gpu, cloud }))),
      )
      const gpus = found.flat()
      refuseUnknown(
        name,
        gpus.map(({ gpu }) => gpu),
        want.gpuTypes,
      )
      return rank(
        gpus.flatMap(({ gpu, cloud }) => offersOf(name, gpu, cloud, want)),
        want,
      )
    },
    async create(podName, offer, boot, lookFirst) {
      const open = lookFirst ? await findByName(podName) : null
      if (open) return open
      const call = {
        method: 'POST',
        path: '/pods',
        body: await createBody(options, podName, offer, boot),
        timeoutMs: Math.min(CREATE_TIMEOUT_MS, timing.createMaxMs),
      }
      const answer = await post(call)
      if (answer.kind === 'refused') throw answer.fault
      if (answer.kind === 'made') {
        // Where no price is told yet, the meter runs at the offer's.
        return { ref: answer.row.ref, perHour: answer.row.perHour || offer.perHour }
      }
      const row = await findByName(podName)
      if (row) return row
      throw answer.fault
    },
    list,
    async look(ref) {
      const pod = await look(ref)
      return pod && rowOf(pod)
    },
    stop: ref => act(ref, 'stop'),
    start: ref => act(ref, 'start'),
    async destroy(ref) {
      const call = { method: 'DELETE', path: `/pods/${ref}` }
      for (let tries = 0; ; tries++) {
        const answer = await send(options, call)
        const text = await answer.text()
        if (answer.status < 300 || answer.status === 404) return
        if (answer.status !== 409) throw refusal(call, answer, text)
        const message = `RunPod does not end pod ${ref} now: ${plainOf(text)}`
        if (tries > 0) throw new Fault({ kind: 'transient', code: 'pod_locked', message })
        await unlock(ref)
      }
    },
    // REST v2 does not tell (OpenAPI 2.0.0, 2026-08); GraphQL does, from the placement on (recorded queries, 2026-10).
    async host(ref) {
      const query = 'query Host($id: String!) { pod(input: { podId: $id }) { machineId } }'
      const body = { query, variables: { id: ref } }
      const answer = await ask(options, { method: 'POST', path: options.graphqlUrl, body }, HostOfPod)
      return answer.data?.pod?.machineId || null
    },
    async billed(ref) {
      const { records } = await ask(
        options,
        { method: 'GET', path: `/billing/pods?podId=${ref}&bucketSize=day` },
        PodBilling,
      )
      const mine = records.filter(record => record.podId === ref)
      return mine.length === 0
        ? null
        : mine.reduce((sum, record) => sum + Math.round(record.totalAmount * 1_000_000), 0)
    },
    async balance() {
      const body = { query: 'query { myself { clientBalance currentSpendPerHr } }' }
      const answer = await ask(options, { method: 'POST', path: options.graphqlUrl, body }, Balance)
      const balance = answer.data?.myself?.clientBalance
      return balance === undefined ? null : Math.floor(balance * 1_000_000)
    },
    logs: (ref, cursor, onLine, signal) => followLogs(options, refusing, ref, cursor, onLine, signal),
    // Container disk is free while stopped; a pod without a persistent mount keeps nothing that bills (RunPod docs, 2026-05).
    stoppedPerHour: () => 0,
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
  if (boot.args !== null) body.args = boot.args
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

function unclear(message: string): Fault {
  return new Fault({ kind: 'transient', code: 'answer_unclear', message })
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
    createdAt: Date.parse(pod.createdAt ?? '') || null,
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
