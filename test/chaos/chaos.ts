// `npm run chaos -- --rounds N --seed S [--jobs N] [--faults LIST] [--parallel N] [--verbose]`: the real program against `autopod
// sandbox` with faults on, killed at random moments and started again; names every seed whose round did not end as promised, and
// keeps its folder.
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Reference, referenceOf } from './checks.ts'
import { end, openHome, processesWith } from './home.ts'
import { playRound } from './round.ts'
import { calmWeather, type Weather, weatherOf } from './weather.ts'

/** Below the ports of simulated pods, above those of other suites; each round has fifty for itself. */
const FIRST_PORT = 13_000
const PORTS_EACH = 50
const RANGES = 120
/** The most that a round's weather asks for. */
const JOBS_MAX = 8

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string' },
    faults: { type: 'string' },
    parallel: { type: 'string', default: '2' },
    verbose: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const first = Number(values.seed)
const jobs = values.jobs === undefined ? undefined : Number(values.jobs)
const base = realpathSync(mkdtempSync(join(tmpdir(), 'autopod-chaos-')))
const started = performance.now()

// However this ends, no process of a round goes on.
process.on('exit', () => {
  for (const { pid } of processesWith(`AUTOPOD_HOME=${base}`)) end(pid)
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))

let ranges = 0
const homeFor = (name: string, { jobs: count }: Weather) => {
  const folder = join(base, name)
  mkdirSync(folder)
  return openHome(folder, FIRST_PORT + PORTS_EACH * (ranges++ % RANGES), count)
}

/** What the files must be: a batch without faults and kills, which must itself be in order. */
async function calm(): Promise<Reference> {
  const weather = calmWeather(jobs ?? JOBS_MAX)
  const home = homeFor('calm', weather)
  const { wrongs } = await playRound(home, weather, null)
  if (wrongs.length > 0) throw new Error(`a batch to which nothing happened is not in order: ${wrongs.join('; ')}`)
  const reference = referenceOf(home)
  rmSync(home.folder, { recursive: true, force: true, maxRetries: 5 })
  return reference
}

/** True when all was well. */
async function play(seed: number, reference: Reference): Promise<boolean> {
  const drawn = weatherOf(seed, jobs)
  const weather = values.faults === undefined ? drawn : { ...drawn, faults: values.faults.split(',') }
  const home = homeFor(`seed-${seed}`, weather)
  const begun = performance.now()
  const { wrongs, kills, code, attempts, pods } = await playRound(home, weather, reference).catch((error: Error) => ({
    wrongs: [`the round itself failed: ${error.stack}`],
    kills: [],
    code: null,
    attempts: 0,
    pods: 0,
  }))
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  const batch = `${weather.jobs} jobs, ${attempts} attempts, ${pods} pods, ${weather.kills.length} kills, exit ${code}`
  const faults = weather.faults.length > 0 ? weather.faults.join(' ') : 'no faults'
  process.stdout.write(`seed ${seed}  ${wrongs.length === 0 ? 'ok' : 'FAILED'}  ${seconds} s  ${batch}  (${faults})\n`)
  if (values.verbose || wrongs.length > 0) for (const kill of kills) process.stdout.write(`  killed: ${kill}\n`)
  if (wrongs.length === 0) {
    rmSync(home.folder, { recursive: true, force: true, maxRetries: 5 })
    return true
  }
  for (const wrong of wrongs) process.stdout.write(`  wrong: ${wrong}\n`)
  process.stdout.write(`  kept: ${home.folder}\n`)
  return false
}

const reference = await calm()
let next = first
let failed = 0
const lane = async () => {
  while (next < first + rounds) if (!(await play(next++, reference))) failed++
}
await Promise.all(Array.from({ length: Number(values.parallel) }, lane))
if (readdirSync(base).length === 0) rmdirSync(base)
process.stdout.write(`${rounds} rounds, ${failed} failed, ${((performance.now() - started) / 1000).toFixed(0)} s\n`)
process.exitCode = failed > 0 ? 1 : 0
