// Pods as RunPod tells of them: the whole list, one by its id, and one by its name after an unclear answer.
import { Fault } from '../../domain/fault.ts'
import { microFromUsd } from '../../domain/units.ts'
import type { Listing, PodRow } from '../../ports.ts'
import { Pod, PodList } from '../../wire/runpod.ts'
import { ask, jsonOf, plainOf, type RunpodOptions, refusal, send } from './runpod-api.ts'
import type { RunpodAccess } from './runpod-timing.ts'

export async function listPods(options: RunpodOptions): Promise<Listing> {
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

/**
 * null = proven absent: a complete listing, asked for `lookupMs` later, lacks the name. While no listing is complete
 * nothing is proven, whatever the reason: a pod believed unmade would be billed unseen. Fault: transient.
 */
export async function findByName(access: RunpodAccess, podName: string): Promise<PodRow | null> {
  const { clock, timing } = access
  const from = clock.now()
  for (;;) {
    const waitedMs = clock.now() - from
    let pauseMs = Math.min(timing.pollMs, 2000)
    const listing = await listPods(access).catch((error: unknown): Listing => {
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

/** null: the provider says that there is no such pod. Faults: those of a refusal; transient `answer_unclear`. */
export async function lookAt(options: RunpodOptions, ref: string): Promise<Pod | null> {
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

export function unclear(message: string): Fault {
  return new Fault({ kind: 'transient', code: 'answer_unclear', message })
}

export function rowOf(pod: Pod): PodRow {
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

export function statusOf(status: string): PodRow['status'] {
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
