// `npm run sim -- --seeds N --seed S [--verbose]`: plays the worlds of N seeds from S on, on two cores, and names every seed that fails.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createScenario, story } from './scenario.ts'

type Tally = { seeds: number; events: number; crashes: number; failures: { seed: number; wrongs: string[] }[] }

/** More would not help: the machines that this is made for have two. */
const WORKERS = 2
/** Seeds handed to a process at a time: small enough that both end together. */
const BATCH = 250

/** Plays `count` seeds from `first` on, in this process. */
export async function playSeeds(first: number, count: number): Promise<Tally> {
  const tally: Tally = { seeds: 0, events: 0, crashes: 0, failures: [] }
  const { stackTraceLimit } = Error
  // Faults are made by the thousand; nobody reads where.
  Error.stackTraceLimit = 0
  for (let seed = first; seed < first + count; seed++) {
    const world = await createScenario(seed).play()
    tally.seeds++
    tally.events += world.events.length
    tally.crashes += world.crashes
    if (world.wrongs.length > 0) tally.failures.push({ seed, wrongs: world.wrongs })
  }
  Error.stackTraceLimit = stackTraceLimit
  return tally
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      verbose: { type: 'boolean', default: false },
    },
  })
  const [first, count] = [Number(values.seed), Number(values.seeds)]
  if (values.verbose && count <= 10) return tell(first, count)
  const started = performance.now()
  const total: Tally = { seeds: 0, events: 0, crashes: 0, failures: [] }
  let next = first
  const hand = () => {
    const from = next
    next = Math.min(next + BATCH, first + count)
    return { first: from, count: next - from }
  }
  await Promise.all(Array.from({ length: Math.min(WORKERS, Math.ceil(count / BATCH)) }, () => worker(hand, total)))
  for (const { seed, wrongs } of total.failures.sort((a, b) => a.seed - b.seed))
    for (const wrong of values.verbose ? wrongs : wrongs.slice(0, 1)) process.stdout.write(`seed ${seed}: ${wrong}\n`)
  const seconds = (performance.now() - started) / 1000
  process.stdout.write(
    `${total.seeds} seeds in ${seconds.toFixed(1)} s (${Math.round((total.seeds / seconds) * 60)} a minute): ` +
      `${total.events} events, ${total.crashes} crashes, ${total.failures.length} failures\n`,
  )
  process.exitCode = total.failures.length > 0 ? 1 : 0
}

/** One process that is handed seeds until none are left. */
function worker(hand: () => { first: number; count: number }, total: Tally): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['--worker'])
  return new Promise((resolve, reject) => {
    const more = () => {
      const batch = hand()
      if (batch.count > 0) child.send(batch)
      else child.disconnect()
    }
    child.on('message', (tally: Tally) => {
      total.seeds += tally.seeds
      total.events += tally.events
      total.crashes += tally.crashes
      total.failures.push(...tally.failures)
      more()
    })
    child.on('exit', code => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))))
    more()
  })
}

/** A few seeds with their whole stories. */
async function tell(first: number, count: number): Promise<void> {
  for (let seed = first; seed < first + count; seed++) {
    const world = await createScenario(seed).play()
    process.stdout.write(`${story(world)}\nseed ${seed}: ${world.crashes} crashes, ${world.handOvers} handed over\n`)
    for (const wrong of world.wrongs) process.stdout.write(`seed ${seed}: ${wrong}\n`)
    if (world.wrongs.length > 0) process.exitCode = 1
  }
}

/** Seeds from 1 on until one fails, at most `count`, in this process: what a planted mistake is hunted with. */
async function untilFailure(count: number): Promise<void> {
  Error.stackTraceLimit = 0
  for (let seed = 1; seed <= count; seed++) {
    const world = createScenario(seed)
    await world.play()
    if (world.wrongs.length === 0) continue
    process.stdout.write(`seed ${seed}: ${world.wrongs[0]}\n`)
    return
  }
}

if (process.argv[2] === '--until-failure') await untilFailure(Number(process.argv[3]))
else if (process.argv[2] === '--worker') {
  process.on('message', ({ first, count }: { first: number; count: number }) => {
    void playSeeds(first, count).then(tally => process.send?.(tally))
  })
} else if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
