// RunPod as a Provider, on REST v2. The embedded cloud speaks the same: only the address differs.
import { Fault } from '../../domain/fault.ts'
import type { GpuType, Provider } from '../../ports.ts'
import { Balance, type Gpu, Gpus, HostOfPod, PodBilling } from '../../wire/runpod.ts'
import { ask, CREATE_TIMEOUT_MS, plainOf, refusal, send } from './runpod-api.ts'
import { createBody, post } from './runpod-create.ts'
import { followLogs } from './runpod-logs.ts'
import { countsOf, offersOf, priceOf, rank, refuseUnknown, stockOf } from './runpod-offers.ts'
import { findByName, listPods, lookAt, rowOf, statusOf } from './runpod-pods.ts'
import type { RunpodAccess } from './runpod-timing.ts'

export function createRunpod(name: string, options: RunpodAccess): Provider {
  const { timing } = options
  const refusing = new Set<string>()

  const catalogue = async (want: { gpuCount: number; cloud: 'secure' | 'community' }): Promise<Gpu[]> => {
    const query = `include=AVAILABILITY&product=POD&count=${want.gpuCount}&cloud=${want.cloud.toUpperCase()}`
    const { gpus } = await ask(options, { method: 'GET', path: `/catalog/gpus?${query}` }, Gpus)
    return gpus.filter(gpu => gpu.id !== 'unknown')
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
        const pod = await lookAt(options, ref)
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
          countMax: Math.max(0, ...[gpu, other].flatMap(of => countsOf(of))) || null,
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
      const open = lookFirst ? await findByName(options, podName) : null
      if (open) return open
      const call = {
        method: 'POST',
        path: '/pods',
        body: await createBody(options, podName, offer, boot),
        timeoutMs: Math.min(CREATE_TIMEOUT_MS, timing.createMaxMs),
      }
      const answer = await post(options, call)
      if (answer.kind === 'refused') throw answer.fault
      if (answer.kind === 'made') {
        // Where no price is told yet, the meter runs at the offer's.
        return { ref: answer.row.ref, perHour: answer.row.perHour || offer.perHour }
      }
      const row = await findByName(options, podName)
      if (row) return row
      throw answer.fault
    },
    list: () => listPods(options),
    async look(ref) {
      const pod = await lookAt(options, ref)
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
