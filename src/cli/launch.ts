// PATH… → a run in the journal: everything is validated and priced first; what is done or under way is not done twice.
import { randomBytes } from 'node:crypto'
import { claimantOf } from '../domain/claim.ts'
import type { Fact } from '../domain/event.ts'
import { Fault, type FaultData } from '../domain/fault.ts'
import type { Fleet } from '../domain/fleet.ts'
import { isSettled, isUnpublished, type Job, type JobSpec, jobKey } from '../domain/job.ts'
import { type Need, needKey, needOf } from '../domain/placement.ts'
import type { Offer } from '../domain/pod.ts'
import { impossible, unknownKinds } from '../domain/possible.ts'
import type { Policy } from '../domain/run.ts'
import { accrue, type Micro, microFromUsd } from '../domain/units.ts'
import { loadJobs, refuseClaimed } from '../edge/jobdir.ts'
import type { GpuType, Provider } from '../ports.ts'
import { type Flags, usage } from './args.ts'
import { isOurFile } from './compose.ts'
import { type Home, templateDirs } from './home.ts'

/** Without a wish, a big folder must not rent a hundred machines. */
const PODS_MAX = 8

export type Order = {
  runId: string
  policy: Policy
  /** To be queued. */
  specs: JobSpec[]
  /** Jobs of earlier runs that are done (their results stand), only to be published again, or under way (followed). */
  known: Job[]
  /** Why no GPU of the provider can ever serve a job, by its id: it is queued as failed. */
  refused?: ReadonlyMap<string, FaultData>
}

/** Faults: job (files, templates, targets, flags); nothing was rented. */
export async function order(home: Home, paths: string[], flags: Flags, fleet: Fleet): Promise<Order> {
  const options = { cwd: home.cwd, pathsFrom: process.cwd(), templateDirs: templateDirs(home.cwd), hashes: new Map() }
  const { specs } = await loadJobs(paths, { ...options, checkOutputs: false })
  const again = flags.on('again')
  const known: Job[] = []
  const fresh = specs.filter(spec => {
    const earlier = findKnown(fleet, spec)
    // Under way is under way, whatever the flag says: two would write the same file.
    if (!earlier || (again && isSettled(earlier))) return true
    known.push(earlier)
    return false
  })
  if (fresh.length > 0) {
    const replaceable = again ? (path: string) => isOurFile(fleet, path) : () => false
    await loadJobs(
      fresh.map(spec => spec.source),
      { ...options, checkOutputs: true, replaceable, claimed: target => claimWords(fleet, target) },
    )
  }
  return { runId: newRunId(), policy: policyOf(home, flags, fresh.length), specs: fresh, known }
}

/**
 * What begins the run, decided where it is written: since it was ordered, other runs may have begun the same job, which is followed then,
 * or taken a target. Faults: job `job_file_invalid`, as `order`.
 * @param cwd absolute; job files are named as from there
 */
export function facts({ runId, policy, specs, known, refused }: Order, cwd: string, fleet: Fleet): Fact[] {
  const begun = specs.flatMap(spec => [...fleet.jobs.values()].findLast(job => isUnderWay(fleet, job, spec)) ?? [])
  const fresh = specs.filter(spec => !begun.some(job => isSame(job, spec)))
  refuseClaimed(fresh, cwd, target => claimWords(fleet, target))
  return [
    { type: 'run.opened', runId, policy, follows: [...known, ...begun].map(job => job.key) },
    ...known.filter(isUnpublished).map((job): Fact => ({ type: 'job.retry_requested', jobKey: job.key })),
    ...fresh.flatMap((spec): Fact[] => {
      const fault = refused?.get(spec.jobId)
      const key = jobKey(runId, spec.jobId)
      return [
        { type: 'job.queued', runId, spec },
        ...(fault ? [{ type: 'job.failed' as const, jobKey: key, fault }] : []),
      ]
    }),
  ]
}

/** Whose the target is to be, in words; null when nobody's. */
function claimWords(fleet: Fleet, target: string): string | null {
  const job = claimantOf(fleet, target)
  return job && `${job.spec.jobId} of ${job.runId}`
}

function findKnown(fleet: Fleet, spec: JobSpec): Job | undefined {
  return [...fleet.jobs.values()].findLast(job => {
    if (!isSame(job, spec)) return false
    if (job.status === 'completed')
      return job.published.every(file => file.path === null || isOurFile(fleet, file.path))
    if (isUnpublished(job)) return true
    return isUnderWay(fleet, job, spec)
  })
}

function isSame(job: Job, spec: JobSpec): boolean {
  return job.spec.jobId === spec.jobId && job.spec.digest === spec.digest
}

function isUnderWay(fleet: Fleet, job: Job, spec: JobSpec): boolean {
  return isSame(job, spec) && !isSettled(job) && fleet.runs.get(job.runId)?.status === 'running'
}

export function policyOf(home: Home, flags: Flags, jobs: number): Policy {
  const { run = {}, pod = {} } = home.settings
  // A network volume lives in the secure cloud: an offer elsewhere could not mount it.
  const cloud = flags.text('cloud') ?? (pod.volume_name && home.provider !== 'sandbox' ? 'secure' : pod.cloud) ?? null
  if (cloud !== null && cloud !== 'secure' && cloud !== 'community')
    throw usage(`--cloud ${cloud} is neither secure nor community`, 'Write --cloud secure or --cloud community.')
  const usd = (value: number | undefined) => (value === undefined ? null : microFromUsd(value))
  const minutes = flags.number('timeout', 0.01, 100_000) ?? run.timeout_minutes
  return {
    provider: home.provider as string,
    podsMax: flags.whole('max-pods', 1, 500) ?? run.max_pods ?? Math.max(1, Math.min(jobs, PODS_MAX)),
    gpuTypes: flags.texts('gpu').length > 0 ? flags.texts('gpu') : (pod.gpu_types ?? []),
    gpuCount: flags.whole('gpu-count', 1, 16) ?? pod.gpu_count ?? 1,
    regions: flags.texts('region').length > 0 ? flags.texts('region') : (pod.regions ?? []),
    cloud,
    costMax: usd(flags.number('max-cost', 0.000001, 1_000_000) ?? run.max_cost_usd),
    perHourMax: usd(flags.number('max-hourly', 0.000001, 1_000_000) ?? run.max_hourly_usd),
    timeoutMs: minutes === undefined ? null : Math.round(minutes * 60_000),
    retries: flags.whole('retries', 0, 20) ?? run.retries ?? 1,
    reuse: !flags.on('no-reuse'),
    keep: flags.on('keep'),
    ...(flags.on('again') && { again: true as const }),
  }
}

export type Quote = {
  spec: JobSpec
  offer: Offer | null /** Until its own limits end it; null without a limit. */
  worst: Micro | null
  /** No GPU of the provider can ever serve it. */
  refused: FaultData | null
  /** Wanted types that the provider does not have, beside others that it has. */
  unknown: string[]
}

/** The best offer for each job, asked once for equal needs. Faults: operator, transient; job when a type does not exist. */
export async function quote(provider: Provider, { specs, policy }: Order): Promise<Quote[]> {
  const asked = new Map<string, Promise<Offer[]>>()
  const quotes: Quote[] = []
  let kinds: Promise<GpuType[]> | null = null
  for (const spec of specs) {
    const need = needOf(spec, policy)
    const key = needKey(need)
    if (!asked.has(key)) asked.set(key, offersFor(provider, need, spec))
    const offers = (await asked.get(key)) as Offer[]
    // Most runs need no second question.
    const isOpen = offers.length === 0 || need.gpuTypes.length > 1
    if (isOpen) kinds ??= provider.gpus()
    const there = isOpen ? ((await kinds) ?? []) : []
    const offer = offers.find(candidate => candidate.stock !== 'none') ?? offers[0] ?? null
    const byTime = offer && spec.timeoutMs !== null ? accrue(offer.perHour, spec.timeoutMs) : null
    const tries = 1 + policy.retries
    const one = byTime === null ? spec.costMax : Math.min(byTime, spec.costMax ?? byTime)
    const refused = offers.length === 0 ? impossible(need, there) : null
    const worst = one === null ? null : one * tries
    quotes.push({ spec, offer, worst, refused, unknown: there.length === 0 ? [] : unknownKinds(need, there) })
  }
  return quotes
}

/**
 * Without the jobs that no GPU can ever serve: those are queued as failed.
 * Fault capacity `gpu_impossible` when nothing else is to be done.
 */
export function withoutImpossible(ordered: Order, quotes: readonly Quote[]): Order {
  const faults = quotes.flatMap(({ spec, refused }) => (refused ? [{ id: spec.jobId, refused }] : []))
  const [first] = faults
  if (first && faults.length === ordered.specs.length && ordered.known.length === 0) {
    const lines = faults.map(({ id, refused }) => `${id}: ${refused.message}`)
    throw new Fault({ ...first.refused, message: lines.join('\n') })
  }
  return { ...ordered, refused: new Map(faults.map(({ id, refused }) => [id, refused])) }
}

/** What is said of the types of a job's list that are passed over; a line each. */
export function unknownLines(provider: string, quotes: readonly Quote[]): string[] {
  const lines = quotes.flatMap(({ spec, unknown }) =>
    unknown.map(type => `${spec.jobId}: ${provider} has no GPU type ${type}; the others of its list are used`),
  )
  return [...new Set(lines)]
}

/** A type that is nowhere in the catalogue is a typing error of one job file: the message names it. */
async function offersFor(provider: Provider, need: Need, spec: JobSpec): Promise<Offer[]> {
  try {
    return await provider.offers(need)
  } catch (error) {
    if (!(error instanceof Fault) || error.data.code !== 'gpu_unknown') throw error
    throw new Fault({ ...error.data, message: `${spec.source}: ${error.data.message}` })
  }
}

/** `run_20261122_153045_a1b2c3d4`: sorts by time, and its last eight characters mark its pods. */
export function newRunId(): string {
  const [date = '', time = ''] = new Date().toISOString().split('T')
  return `run_${date.replaceAll('-', '')}_${time.slice(0, 8).replaceAll(':', '')}_${randomBytes(4).toString('hex')}`
}
