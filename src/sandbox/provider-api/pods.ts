// Routes of pods: create, list, read, change, act, end (RunPod REST v2 OpenAPI, 2026-08).
import type { z } from 'zod'
import { act, advance, change, create, list, read } from '../cloud.ts'
import type { Order } from '../state.ts'
import { type Answer, type Call, checked, json, notFound, nothing, problem, type Route } from './answer.ts'
import { podJson } from './pod-json.ts'
import { createPod, podAction, updatePod } from './requests.ts'

const shown = ({ keeper, machines }: Call, id: string, atMs = Date.now()): Answer => {
  const pod = keeper.cloud().pods[id]
  if (!pod) return notFound
  return json(podJson(pod, atMs, keeper.cloud().settings, machines.running(id)?.gauge()))
}

function orderOf(body: z.infer<typeof createPod>): { order: Order } | { answer: Answer } {
  const wrong = (detail: string) => ({ answer: problem(400, detail) })
  if (body.templateId) return { answer: problem(404, 'template not found') }
  if (!body.image) return { answer: problem(422, 'Request validation failed.', ["$: missing property 'image'"]) }
  const { mounts = {}, ports = [], env = {} } = body
  // Seen on the live service 2026-10-01 when `disk` was left out, though the schema does not require it.
  if (body.disk === undefined || (!body.gpu && !body.cpu))
    return wrong('You must either provide a template id or pod configuration parameters')
  if (body.gpu && body.cpu) return wrong('exactly one of gpu and cpu must be given')
  if (mounts.persistent && mounts.network?.length) return wrong('persistent and network mounts exclude each other')
  if (body.cpu && (mounts.persistent || body.cloud === 'COMMUNITY'))
    return wrong('CPU pods are Secure Cloud only and have no persistent mount')
  const badPort = ports.find(port => !/^\d{1,5}\/(http|tcp)$/.test(port))
  if (badPort !== undefined) return wrong(`invalid port "${badPort}"`)
  if (ports.filter(port => port.endsWith('/http')).length > 10) return wrong('at most 10 http ports')
  if (Object.keys(env).length > 50) return wrong('at most 50 environment variables')
  const order: Order = {
    name: body.name,
    image: body.image,
    args: body.args ?? '',
    disk: body.disk,
    env,
    ports,
    registry: body.registry ?? null,
    cloud: body.cloud ?? 'SECURE',
    gpu: (body.gpu as Order['gpu']) ?? null,
    cpu: body.cpu ?? null,
    dataCenterIds: body.dataCenterIds?.length ? body.dataCenterIds : null,
    mounts: mounts as Order['mounts'],
    globalNetworking: body.globalNetworking ?? false,
    startSsh: body.startSsh ?? false,
  }
  return { order }
}

export const postPod: Route = async call => {
  const body = checked(createPod, call.body)
  if ('answer' in body) return body.answer
  const ordered = orderOf(body.value)
  if ('answer' in ordered) return ordered.answer
  const creation = call.keeper.move((cloud, nowMs) => create(cloud, nowMs, ordered.order))
  if (creation.kind === 'refused') return problem(creation.status, creation.detail)
  const made = creation.kind === 'created' ? creation.pod : creation.made
  if (made) await call.machines.settle(made.id)
  // As it was at the create, however long its servers took: never ready yet.
  if (creation.kind === 'created')
    return { ...shown(call, creation.pod.id, creation.pod.createdAtMs), status: 201 } as Answer
  if (creation.how === 'silence') return { kind: 'silence' }
  return problem(500, 'Something went wrong. Please try again later or contact support.')
}

const pageMax = 1000
export const getPods: Route = call => {
  const limit = Number(call.query.get('limit') ?? pageMax)
  if (!Number.isInteger(limit) || limit < 1 || limit > pageMax)
    return problem(422, 'Request validation failed.', [`limit: must be an integer from 1 to ${pageMax}`])
  const listing = call.keeper.move((cloud, nowMs) => list(advance(cloud, nowMs), nowMs))
  if (listing.kind === 'malformed') return json({ pods: null, error: 'upstream timeout' })
  const cursor = call.query.get('cursor')
  const after = cursor === null ? -1 : listing.pods.findIndex(pod => pod.id === cursor)
  if (cursor !== null && after < 0) return problem(422, 'Request validation failed.', ['cursor: not a known cursor'])
  const page = listing.pods.slice(after + 1, after + 1 + limit)
  const hasNextPage = after + 1 + limit < listing.pods.length
  const { settings } = call.keeper.cloud()
  const pods = page.map(pod => podJson(pod, Date.now(), settings, call.machines.running(pod.id)?.gauge()))
  return json({ pods, pagination: { nextCursor: hasNextPage ? (page.at(-1)?.id ?? null) : null, hasNextPage } })
}

const known = (call: Call) => {
  const [id = ''] = call.params
  return call.keeper.move((cloud, nowMs) => {
    const next = advance(cloud, nowMs)
    return [next, read(next, nowMs, id)]
  })
}
export const getPod: Route = call => {
  const pod = known(call)
  return pod ? shown(call, pod.id) : notFound
}

export const patchPod: Route = async call => {
  const [id = ''] = call.params
  const body = checked(updatePod, call.body)
  if ('answer' in body) return body.answer
  const { templateId, ...changes } = body.value
  if (templateId) return problem(404, 'template not found')
  const outcome = call.keeper.move((cloud, nowMs) => change(cloud, nowMs, id, changes as Parameters<typeof change>[3]))
  if (outcome.kind === 'refused') return problem(outcome.status, outcome.detail)
  await call.machines.settle(id)
  return shown(call, id)
}

const doAction = async (call: Call, action: Parameters<typeof act>[3]): Promise<Answer> => {
  const [id = ''] = call.params
  const outcome = call.keeper.move((cloud, nowMs) => act(advance(cloud, nowMs), nowMs, id, action))
  if (outcome.kind === 'refused') return problem(outcome.status, outcome.detail)
  await call.machines.settle(id)
  if (!outcome.pod) return nothing
  // As it was when the action was done, however long its servers took.
  return shown(call, id, outcome.pod.status === 'RUNNING' ? outcome.pod.startedAtMs : Date.now())
}
export const deletePod: Route = call => doAction(call, 'terminate')
export const postAction: Route = call => {
  const body = checked(podAction, call.body)
  return 'answer' in body ? body.answer : doAction(call, body.value.action)
}
