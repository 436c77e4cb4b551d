// `npm run sim:budget [-- --runs N --seed S]`: runs with caps from $0.50 to $200 in worlds with faults, in real hours and real prices; a
// table of what they spent, and failure when one passed its cap by more than $0.05 a pod.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { podCost } from '../../src/domain/pod.ts'
import { formatUsd, type Micro } from '../../src/domain/units.ts'
import { type Chance, createChance } from './clock.ts'
import { offerOf } from './cloud.ts'
import type { Weather } from './weather.ts'
import { createWorld, type World } from './world.ts'

export type Outcome = {
  seed: number
  cap: Micro
  /** What all jobs would have cost, nothing else: how short the money was. */
  need: Micro
  pods: number
  jobs: number
  done: number
  /** Attempts that were cut although they had begun. */
  cut: number
  /** The provider's bill, and our own account of it. */
  billed: Micro
  accounted: Micro
  wrongs: string[]
}

/** What the house promises; a pod. */
export const OVERSHOOT_MAX: Micro = 50_000
const CAPS_USD = [0.5, 200] as const
/** Upper ends of the table's bands. */
const BANDS_USD = [1, 2, 5, 10, 20, 50, 100, 200]
const WORKERS = 2
const BATCH = 10

/** The worst of each fault; a world has something between nothing and this. */
const WORST: Partial<Weather> = {
  createUnclear: 0.3,
  createHangs: 0.2,
  createFails: 0.3,
  capacity: 0.3,
  offersFail: 0.2,
  priceMoves: 1,
  listFails: 0.3,
  listLags: 0.3,
  lookFails: 0.3,
  fresh404: 1,
  destroyFails: 0.8,
  omits: 0.5,
  stillborn: 0.1,
  gpuless: 0.1,
  vanishes: 0.2,
  preempted: 0.5,
  linkLost: 0.5,
  connectFails: 0.2,
  podFault: 0.1,
  transientFault: 0.2,
  jobFault: 0.05,
  forgets: 0.05,
  hangs: 0.2,
  silent: 0.5,
  cancelIgnored: 1,
  publishFails: 0.3,
}

/** A run of about `need` dollars with a cap; the sizes fit each other: it is over within hours. */
export function createBudgetWorld(seed: number): { world: World; cap: Micro; need: Micro } {
  const chance = createChance(Math.imul(seed, 0x9e3779b1) ^ 0xb0d6e7)
  const { capUsd, priceUsd, podsMax, jobMinutes, jobs } = sizes(chance)
  const weather: Partial<Weather> = {}
  const share = chance.pick([0, 0.2, 0.5])
  for (const [name, worst] of Object.entries(WORST)) {
    const isOn = chance.happens(share)
    const much = chance.next()
    if (isOn) weather[name as keyof Weather] = worst * much
  }
  const cap = Math.round(capUsd * 1e6)
  const perHour = Math.round(priceUsd * 1e6)
  const world = createWorld({
    seed,
    weather,
    jobs,
    podsMax,
    slowness: 5,
    // Half an hour to an hour of all pods: less than a provider asks for before it makes them all.
    ...(share === 0 && chance.happens(0.5) && { balance: perHour * podsMax * (0.5 + chance.next() / 2) }),
    policy: { costMax: cap, retries: 2 },
    crashEvery: chance.happens(0.3) ? chance.between(20, 200) : 0,
    downMs: [0, 5000],
    billLagMs: chance.happens(0.5) ? 0 : 1,
    // Ten times slower than a real engine looks at itself: hours are to pass quickly.
    limits: { ...DEFAULT_LIMITS, listenMs: 2000 },
  })
  world.cloud.market = [offerOf('A', perHour)]
  if (chance.happens(0.3)) world.cloud.market.push(offerOf('B', Math.round(perHour * 1.4)))
  // From all of one length to some that take four times as long as others.
  const spread = chance.next() * 0.6
  world.jobMs = [jobMinutes * 60_000 * (1 - spread), jobMinutes * 60_000 * (1 + spread)]
  return { world, cap, need: Math.round((jobs * jobMinutes * perHour) / 60) }
}

function sizes(chance: Chance) {
  const spread = (low: number, high: number) => low * (high / low) ** chance.next()
  const capUsd = spread(...CAPS_USD)
  for (;;) {
    const priceUsd = spread(0.2, 25)
    const podsMax = chance.between(1, 17)
    const minutes = (capUsd / priceUsd / podsMax) * 60
    if (minutes < 8 || minutes > 120) continue
    // Some take longer than the money lasts: they are cut, and only then does a cap have to hold by force.
    const jobMinutes = chance.happens(0.25) ? minutes * (1 + chance.next()) : spread(0.5, minutes)
    const jobs = Math.round((capUsd * spread(0.4, 4)) / ((priceUsd * jobMinutes) / 60))
    if (jobs >= 1 && jobs <= 300) return { capUsd, priceUsd, podsMax, jobMinutes, jobs }
  }
}

export async function playBudget(seed: number): Promise<Outcome> {
  const { world, cap, need } = createBudgetWorld(seed)
  await world.play()
  const { fleet, cloud, wrongs } = world
  let billed = 0
  for (const real of cloud.pods.values()) if (real.ours) billed += cloud.billed(real)
  let accounted = 0
  for (const pod of fleet.pods.values()) accounted += podCost(pod, fleet.at)
  const jobs = [...fleet.jobs.values()]
  return {
    seed,
    ...{ cap, need, billed, accounted, wrongs },
    pods: [...fleet.pods.values()].filter(pod => pod.status !== 'refused').length,
    jobs: jobs.length,
    done: jobs.filter(job => job.status === 'completed').length,
    cut: jobs.filter(job => job.attempts.at(-1)?.fault?.code === 'budget_reached').length,
  }
}

/** By how much the cap was passed, whoever counts; negative: money that was left. */
export function overshoot({ cap, billed, accounted }: Outcome): Micro {
  return Math.max(billed, accounted) - cap
}

export function tableOf(outcomes: readonly Outcome[]): string {
  const columns = [
    'cap up to',
    'runs',
    'pods',
    'jobs',
    'done',
    'cut',
    'largest overshoot',
    'a pod',
    'short runs',
    'left unused',
  ]
  const rows: string[][] = []
  let low = 0
  for (const high of BANDS_USD) {
    const band = outcomes.filter(({ cap }) => cap > low && cap <= high * 1e6)
    low = high * 1e6
    if (band.length > 0) rows.push([`$${high}`, ...figures(band)])
  }
  rows.push(['all', ...figures(outcomes)])
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map(row => row[index]?.length ?? 0)))
  return [columns, ...rows]
    .map(row => row.map((cell, index) => cell.padStart(widths[index] ?? 0)).join('  '))
    .join('\n')
}

function figures(band: readonly Outcome[]): string[] {
  const sum = (of: (outcome: Outcome) => number) => band.reduce((total, outcome) => total + of(outcome), 0)
  const worst = Math.max(...band.map(overshoot))
  const worstAPod = Math.max(...band.map(outcome => overshoot(outcome) / Math.max(1, outcome.pods)))
  const short = band.filter(({ need, cap }) => need > cap)
  const unused = short.reduce((total, { cap, billed }) => total + Math.max(0, cap - billed) / cap, 0) / short.length
  return [
    ...[band.length, sum(({ pods }) => pods), sum(({ jobs }) => jobs), sum(({ done }) => done)].map(String),
    String(sum(({ cut }) => cut)),
    ...[worst, worstAPod].map(micro => (micro > 0 ? formatUsd(micro) : 'none')),
    String(short.length),
    short.length > 0 ? `${(unused * 100).toFixed(0)} %` : '–',
  ]
}

/** In words, what must not be. */
export function breachesOf(outcome: Outcome): string[] {
  const { seed, cap, pods, wrongs } = outcome
  const breaches = wrongs.map(wrong => `seed ${seed}: ${wrong}`)
  if (overshoot(outcome) > pods * OVERSHOOT_MAX)
    breaches.push(`seed ${seed}: ${formatUsd(overshoot(outcome))} over ${formatUsd(cap)} with ${pods} pods`)
  return breaches
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
  })
  const [first, count] = [Number(values.seed), Number(values.runs)]
  const started = performance.now()
  const outcomes: Outcome[] = []
  let next = first
  const worker = () => {
    const child = fork(fileURLToPath(import.meta.url), ['--worker'])
    return new Promise<void>((resolve, reject) => {
      const more = () => {
        if (next >= first + count) return child.disconnect()
        child.send({ first: next, count: Math.min(BATCH, first + count - next) })
        next += BATCH
      }
      child.on('message', (played: Outcome[]) => {
        outcomes.push(...played)
        more()
      })
      child.on('exit', code => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))))
      more()
    })
  }
  await Promise.all(Array.from({ length: WORKERS }, worker))
  outcomes.sort((a, b) => a.seed - b.seed)
  const breaches = outcomes.flatMap(breachesOf)
  for (const breach of breaches.slice(0, 20)) process.stdout.write(`${breach}\n`)
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  process.stdout.write(`${tableOf(outcomes)}\n${outcomes.length} runs in ${seconds} s, ${breaches.length} failures\n`)
  process.exitCode = breaches.length > 0 ? 1 : 0
}

/** What a planted mistake is hunted with. */
async function untilFailure(count: number): Promise<void> {
  Error.stackTraceLimit = 0
  for (let seed = 1; seed <= count; seed++) {
    const [breach] = breachesOf(await playBudget(seed))
    if (breach) return void process.stdout.write(`${breach}\n`)
  }
}

if (process.argv[2] === '--until-failure') await untilFailure(Number(process.argv[3]))
else if (process.argv[2] === '--worker') {
  Error.stackTraceLimit = 0
  process.on('message', async ({ first, count }: { first: number; count: number }) => {
    const played: Outcome[] = []
    for (let seed = first; seed < first + count; seed++) played.push(await playBudget(seed))
    process.send?.(played)
  })
} else if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
