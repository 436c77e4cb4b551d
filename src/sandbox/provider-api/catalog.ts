// Catalogue routes: GPU types, CPU flavours, data centers (RunPod REST v2 OpenAPI, 2026-08).
import { cpuKinds, type DataCenterSite, dataCenters, type GpuKind, gpuKinds, gpuPrice } from '../catalog.ts'
import { type Answer, type Call, json, notFound, problem, type Route } from './answer.ts'

const siteOf = (id: string): DataCenterSite | undefined => dataCenters.find(center => center.id === id)
const kindsOf = ({ keeper }: Call) => gpuKinds(keeper.cloud().settings.faults.sentinels !== undefined)
const levelOf = (kind: GpuKind) => (kind.fate === 'sold-out' ? 'NONE' : kind.level)

type Wish = { count: number; cloud: 'SECURE' | 'COMMUNITY' } | null
const listOf = (text: string | null) => (text === null || text === '' ? [] : text.split(','))

/** The availability asked for (null: none asked), or the refusal: a `product` goes with AVAILABILITY, and only with it. */
function wishOf(query: URLSearchParams): { wish: Wish } | { answer: Answer } {
  const include = listOf(query.get('include'))
  if (include.some(item => item !== 'AVAILABILITY'))
    return { answer: problem(422, 'Request validation failed.', ["include: value must be one of 'AVAILABILITY'"]) }
  const product = listOf(query.get('product'))
  if (product.some(item => !['POD', 'CLUSTER', 'SERVERLESS'].includes(item)))
    return {
      answer: problem(422, 'Request validation failed.', [
        "product: value must be one of 'POD', 'CLUSTER', 'SERVERLESS'",
      ]),
    }
  if (include.length && !product.length)
    return { answer: problem(400, 'product is required with include=AVAILABILITY') }
  const only = ['product', 'count', 'cloud', 'vcpuCount', 'countryCodes', 'cudaVersions', 'minCudaVersion']
  const stray = only.find(name => query.has(name))
  if (!include.length && stray) return { answer: problem(400, `${stray} is only valid with include=AVAILABILITY`) }
  if (!include.length) return { wish: null }
  if (query.has('cudaVersions') && query.has('minCudaVersion'))
    return { answer: problem(400, 'cudaVersions and minCudaVersion are mutually exclusive') }
  const count = Number(query.get('count') ?? 1)
  const cloud = query.get('cloud') ?? 'SECURE'
  if (!Number.isInteger(count) || count < 1 || (cloud !== 'SECURE' && cloud !== 'COMMUNITY'))
    return { answer: problem(422, 'Request validation failed.', ['count or cloud: not valid']) }
  return { wish: { count, cloud } }
}

function gpuJson(kind: GpuKind, scale: number, wish: Wish) {
  const secure = gpuPrice(kind, 'SECURE', 1, scale)
  const community = gpuPrice(kind, 'COMMUNITY', 1, scale)
  const offered = wish && (wish.cloud === 'SECURE' ? secure : community) !== null && wish.count <= kind.maxCount
  const availability = offered ? levelOf(kind) : 'NONE'
  return {
    id: kind.id,
    name: kind.name,
    pool: kind.pool,
    manufacturer: 'NVIDIA',
    memory: kind.memory,
    secure: secure !== null,
    community: community !== null,
    price: { secure: (secure ?? 0) / 1e6, community: (community ?? 0) / 1e6 },
    maxCount: { secure: secure === null ? 0 : kind.maxCount, community: community === null ? 0 : kind.maxCount },
    ...(wish
      ? {
          availability,
          dataCenters: kind.dataCenters.map(id => ({ id, name: siteOf(id)?.name ?? id, availability })),
          cudaVersions: ['12.4', '12.8', '13.0'].map(version => ({ version, available: availability !== 'NONE' })),
        }
      : {}),
  }
}

export const getGpus: Route = call => {
  const asked = wishOf(call.query)
  if ('answer' in asked) return asked.answer
  const { priceScale } = call.keeper.cloud().settings
  return json({ gpus: kindsOf(call).map(kind => gpuJson(kind, priceScale, asked.wish)) })
}
export const getGpu: Route = call => {
  const asked = wishOf(call.query)
  if ('answer' in asked) return asked.answer
  const kind = kindsOf(call).find(one => one.id === call.params[0])
  return kind ? json(gpuJson(kind, call.keeper.cloud().settings.priceScale, asked.wish)) : notFound
}

function cpusOf(call: Call, wish: Wish) {
  const { priceScale } = call.keeper.cloud().settings
  return cpuKinds.map(kind => ({
    id: kind.id,
    name: kind.name,
    group: kind.group,
    vcpu: { min: kind.min, max: kind.max },
    ramGbPerVcpu: kind.ramGb,
    price: { securePerVcpu: Math.round(kind.micro * priceScale) / 1e6, serverlessPerVcpu: 0 },
    ...(wish ? { availability: 'HIGH', dataCenters: [] } : {}),
  }))
}
export const getCpus: Route = call => {
  const asked = wishOf(call.query)
  return 'answer' in asked ? asked.answer : json({ cpus: cpusOf(call, asked.wish) })
}
export const getCpu: Route = call => {
  const asked = wishOf(call.query)
  if ('answer' in asked) return asked.answer
  const kind = cpusOf(call, asked.wish).find(one => one.id === call.params[0])
  return kind ? json(kind) : notFound
}

function sitesOf(call: Call, include: string[]) {
  return dataCenters.map(center => ({
    id: center.id,
    name: center.name,
    region: center.region,
    globalNetwork: true,
    networkVolumeTypes: ['STANDARD', 'HIGH_PERFORMANCE'],
    compliance: center.region === 'EUROPE' ? ['GDPR'] : [],
    ...(include.includes('GPU_AVAILABILITY')
      ? {
          gpuAvailability: kindsOf(call)
            .filter(kind => kind.dataCenters.includes(center.id))
            .map(kind => ({ id: kind.id, name: kind.name, availability: levelOf(kind) })),
        }
      : {}),
    ...(include.includes('CPU_AVAILABILITY')
      ? { cpuAvailability: cpuKinds.map(kind => ({ id: kind.id, name: kind.name, availability: 'HIGH' })) }
      : {}),
  }))
}
const siteIncludes = ['GPU_AVAILABILITY', 'CPU_AVAILABILITY']
const badInclude = problem(422, 'Request validation failed.', [
  "include: value must be one of 'GPU_AVAILABILITY', 'CPU_AVAILABILITY'",
])
export const getDataCenters: Route = call => {
  const include = listOf(call.query.get('include'))
  if (include.some(item => !siteIncludes.includes(item))) return badInclude
  const regions = listOf(call.query.get('regions'))
  const sites = sitesOf(call, include).filter(center => !regions.length || regions.includes(center.region))
  return json({ dataCenters: sites })
}
export const getDataCenter: Route = call => {
  const include = listOf(call.query.get('include'))
  if (include.some(item => !siteIncludes.includes(item))) return badInclude
  const center = sitesOf(call, include).find(one => one.id === call.params[0])
  return center ? json(center) : notFound
}
