// `autopod run`: a folder of jobs in, files and a bill out, nothing left running.

import { relative } from 'node:path'
import { createInterface } from 'node:readline/promises'
import type { Event } from '../domain/event.ts'
import { Fault } from '../domain/fault.ts'
import { emptyFleet } from '../domain/fleet.ts'
import { isSettled, type Job } from '../domain/job.ts'
import { mayBill } from '../domain/pod.ts'
import { jobsOfRun, podsOfRun } from '../domain/review.ts'
import type { Run } from '../domain/run.ts'
import { formatUsd, type Micro } from '../domain/units.ts'
import { every, systemClock } from '../edge/clock.ts'
import { isOfJournal } from '../engine/settle.ts'
import { type Flags, type Invocation, usage } from './args.ts'
import { keyOf, openBucket, providersOf } from './compose.ts'
import { EXIT } from './exit.ts'
import { attach, attachBeside, detach, type Follow, view } from './follow.ts'
import { type Home, rentingHome } from './home.ts'
import { facts, type Order, order, type Quote, quote } from './launch.ts'
import { lostPods } from './marked.ts'
import { isUnderWay, pastOf } from './past.ts'
import { plainScreen, summary } from './plain.ts'
import { exitCodeOf, isKept, resultOf } from './report.ts'
import { sandboxOf } from './sandbox-access.ts'
import { onSignals } from './signals.ts'
import { canPaint } from './tty.ts'

/** Dearer than this asks first: a slip in a job file should not rent eight H200. */
const ASK_ABOVE_PER_HOUR = 1_000_000
/** How soon a viewer notices that its engine died; longer than another takes to start. */
const GUARD_MS = 3000

export async function run({ flags, words }: Invocation): Promise<number> {
  const paths = [...words, ...flags.texts('job'), ...flags.texts('job-file'), ...flags.texts('jobs')]
  if (paths.length === 0)
    throw usage(
      'run needs a job file, a folder of them, or a glob',
      'For example: autopod run ./jobs --provider sandbox',
    )
  const home = rentingHome(flags)
  return carryOut(home, flags, await order(home, paths, flags, pastOf(home) ?? emptyFleet()))
}

/** From what was ordered to its end: priced, agreed to, shown, told. `beside` looks on from the moment it is under way. */
export async function carryOut(
  home: Home,
  flags: Flags,
  ordered: Order,
  beside: (follow: Follow) => void = () => {},
): Promise<number> {
  const quotes = ordered.specs.length > 0 ? await priced(home, ordered) : []
  if (flags.on('dry-run')) return dryRun(ordered, quotes, flags.on('json'))
  await confirm(quotes, flags.on('yes'))
  if (ordered.specs.length > 0) await tryAccess(home)

  if (flags.on('detach')) {
    const looking = view(home)
    looking.command(facts(ordered))
    if (!looking.alive()) await detach(home)
    await looking.close()
    process.stdout.write(
      `${ordered.runId}\nautopod top${home.provider === 'sandbox' ? ' --provider sandbox' : ''} shows it.\n`,
    )
    return EXIT.ok
  }
  const mode = flags.on('events')
    ? 'events'
    : flags.on('json')
      ? 'silent'
      : !flags.on('plain') && canPaint()
        ? 'screen'
        : 'plain'
  const follow = mode === 'screen' ? await attachBeside(home, facts(ordered)) : await attach(home)
  if (mode !== 'screen') follow.command(facts(ordered))
  beside(follow)
  const ending = await accompany(follow, home, ordered.runId, mode, {
    ascii: flags.on('ascii'),
    mouse: flags.on('mouse'),
  })
  if (ending === 'background') {
    const { own } = follow
    await follow.close()
    if (own) await detach(home)
    process.stderr.write(`${ordered.runId} goes on in the background. autopod top shows it.\n`)
    return EXIT.ok
  }
  const theRun = follow.fleet.runs.get(ordered.runId) as Run
  const result = resultOf(follow.fleet, theRun, systemClock.now(), home.cwd)
  const left = podsOfRun(follow.fleet, theRun).filter(mayBill)
  const isBilling = left.some(pod => !isKept(pod, theRun))
  const code =
    ending === 'interrupted' && theRun.status !== 'completed' && !isBilling
      ? EXIT.interrupted
      : exitCodeOf(follow.fleet, theRun)
  const text = summary(follow.fleet, theRun, systemClock.now(), home.cwd)
  if (flags.on('json')) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  else if (mode !== 'events') {
    process.stdout.write(text)
    const page = theRun.status === 'running' ? null : await follow.report(ordered.runId)
    if (page) process.stdout.write(`report: ${relative(home.cwd, page) || page}\n`)
  }
  for (const pod of left) {
    const line = isKept(pod, theRun)
      ? `kept: ${pod.name}, ${formatUsd(pod.offer.perHour)}/h until autopod kill ${pod.id}`
      : `may still be billed: ${pod.name}; end it with autopod kill ${pod.id}`
    process.stderr.write(`${line}\n`)
  }
  const rented = podsOfRun(follow.fleet, theRun).length > 0
  const lost = rented && left.length === 0 ? ((await lostPods(home, follow.fleet)) ?? []) : []
  for (const line of lost) process.stderr.write(`${line}\n`)
  // Said first: a provider that is silent keeps the engine from stopping for the length of a request.
  await follow.close()
  // Others may have handed over runs meanwhile, up to the last moment: they go on without this command.
  if (follow.own && isUnderWay(home)) await detach(home)
  return lost.length > 0 ? EXIT.billing : code
}

/** An unreadable key, or one that the bucket refuses, is told before a pod is paid for. Faults: operator. */
async function tryAccess(home: Home): Promise<void> {
  await keyOf(home)
  const { bucket } = await openBucket(home, await sandboxOf(home))
  try {
    await bucket.list('doctor/')
  } catch (error) {
    // Weather passes; the engine tries again by itself.
    if (!(error instanceof Fault) || error.data.kind === 'operator') throw error
  }
}

async function priced(home: Home, ordered: Order): Promise<Quote[]> {
  const [provider] = await providersOf(home)
  return provider ? quote(provider, ordered) : []
}

const atMost = (micro: Micro | null) => (micro === null ? 'no limit set' : `at most ${formatUsd(micro)}`)

const KNOWN_WORDS: Partial<Record<Job['status'], string>> = {
  completed: 'done before',
  failed: 'rendered before, to be published from the bucket',
}

function dryRun(ordered: Order, quotes: Quote[], json: boolean): number {
  const pods = Math.min(ordered.policy.podsMax, quotes.length)
  const perHour = quotes
    .map(({ offer }) => offer?.perHour ?? 0)
    .sort((a, b) => b - a)
    .slice(0, pods)
    .reduce((sum, price) => sum + price, 0)
  const worst = quotes.every(q => q.worst !== null) ? quotes.reduce((sum, q) => sum + (q.worst ?? 0), 0) : null
  const capped =
    ordered.policy.costMax === null ? worst : Math.min(worst ?? ordered.policy.costMax, ordered.policy.costMax)
  if (json) {
    const jobs = quotes.map(({ spec, offer, worst: most }) => ({
      job_id: spec.jobId,
      template: spec.template,
      gpu_type: offer?.gpuType ?? null,
      price_usd_per_hour: offer && offer.perHour / 1e6,
      stock: offer?.stock ?? null,
      worst_case_usd: most === null ? null : most / 1e6,
    }))
    const document = {
      version: 1,
      dry_run: true,
      jobs,
      known: ordered.known.map(job => ({ job_id: job.spec.jobId, status: job.status })),
      pods,
      price_usd_per_hour: perHour / 1e6,
      worst_case_usd: capped === null ? null : capped / 1e6,
    }
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
    return EXIT.ok
  }
  const lines = quotes.map(({ spec, offer, worst: most }) => {
    const on = offer
      ? `${offer.gpuCount} × ${offer.gpuName}  ${formatUsd(offer.perHour)}/h  stock ${offer.stock}`
      : 'no offer now'
    return `${spec.jobId.padEnd(24)} ${spec.template.padEnd(18)} ${on}  ${atMost(most)}`
  })
  for (const job of ordered.known)
    lines.push(`${job.spec.jobId.padEnd(24)} ${KNOWN_WORDS[job.status] ?? 'under way'}; --again runs it once more`)
  lines.push(
    '',
    `${quotes.length} jobs on ${pods} pods, ${formatUsd(perHour)}/h together; ${capped === null ? 'no limit set (--max-cost)' : atMost(capped)}. Nothing was rented.`,
  )
  process.stdout.write(`${lines.join('\n')}\n`)
  return EXIT.ok
}

async function confirm(quotes: Quote[], yes: boolean): Promise<void> {
  const dearest = Math.max(0, ...quotes.map(({ offer }) => offer?.perHour ?? 0))
  if (yes || dearest <= ASK_ABOVE_PER_HOUR) return
  const question = `A pod costs ${formatUsd(dearest)} an hour.`
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw usage(`${question} Without a terminal nobody can be asked.`, 'Give --yes to accept, or name a cheaper --gpu.')
  const readline = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await readline.question(`${question} Go on? [y/N] `)
  readline.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw usage('not started', 'Name a cheaper --gpu, or answer y.')
}

/** A wrapper such as npm passes one ctrl-c on twice; a second one meant as such comes later. */
const TWICE_MS = 1000
/** How often is said what is still waited for. */
const WAIT_MS = 10_000

type Mode = 'screen' | 'plain' | 'events' | 'silent'

/** Shows the run until it is over, or until the user lets it go on alone. */
async function accompany(
  follow: Follow,
  home: Home,
  runId: string,
  mode: Mode,
  look: { ascii: boolean; mouse: boolean },
): Promise<'over' | 'background' | 'interrupted'> {
  const open = () => openRunsOf(follow, runId)
  const over = closed(follow, runId)
  let interruptedAt: number | null = null
  let quietWait = () => {}
  const { promise: gone, resolve: hangUp } = Promise.withResolvers<'background' | 'interrupted'>()
  const cancel = () => {
    // Asked twice, a provider that does not answer is not waited for: the background goes on until the pods are gone.
    if (interruptedAt !== null && systemClock.now() - interruptedAt >= TWICE_MS) hangUp('interrupted')
    if (interruptedAt !== null) return
    interruptedAt = systemClock.now()
    if (mode !== 'screen') process.stderr.write('interrupted: ending every pod of the run\n')
    try {
      follow.command(open().map(id => ({ type: 'run.cancel_requested', runId: id })))
    } catch (error) {
      // The next ctrl-c tries again.
      if (!isOfJournal(error)) throw error
      interruptedAt = null
      process.stderr.write(`not cancelled: ${error.message}\n`)
      return
    }
    quietWait = every(WAIT_MS, () => {
      const theRun = follow.fleet.runs.get(runId)
      const names = theRun ? podsOfRun(follow.fleet, theRun).filter(mayBill) : []
      if (names.length === 0) return
      process.stderr.write(
        `no proof yet that ${names.map(pod => pod.name).join(', ')} ended; ctrl-c again leaves that to the background\n`,
      )
    })
  }
  // Handed to an engine that died since: without another one nobody would go on.
  const guard = follow.own ? () => {} : every(GUARD_MS, () => void (follow.alive() || detach(home)))
  const quiet = onSignals({
    // The screen has its own ctrl-c; a signal from outside means the same in every mode.
    interrupt: () => (follow.leads ? cancel() : hangUp('background')),
    hangup: () => hangUp('background'),
  })
  try {
    if (mode === 'screen') {
      const { screen } = await import('./screen.ts')
      const shown = screen(follow, home, runId, { readonly: false, ...look })
      const left = await Promise.race([shown.left, gone])
      shown.close()
      if (left === 'interrupted') return left
      if (left === 'background' || left === 'viewer') return 'background'
      if (left === 'drain') follow.command(open().map(id => ({ type: 'run.drain_requested', runId: id })))
      if (left === 'terminate') cancel()
      if (left !== 'ended')
        process.stderr.write(left === 'drain' ? 'finishing the running jobs …\n' : 'ending every pod of the run …\n')
      const result = await Promise.race([over, gone])
      return result === 'over' && interruptedAt !== null ? 'interrupted' : result
    }
    const stop = mode === 'plain' ? plainScreen(follow, runId) : mode === 'events' ? events(follow, runId) : () => {}
    const result = await Promise.race([over, gone])
    stop()
    return result === 'over' && interruptedAt !== null ? 'interrupted' : result
  } finally {
    quietWait()
    guard()
    // An impatient third ctrl-c must not end this process before the background has taken over.
    onSignals({ interrupt() {}, hangup() {} })
    quiet()
  }
}

/** The run and, of an engine that died, the runs whose jobs it goes on with: nobody else ends those. Only open ones. */
function openRunsOf({ fleet, leads }: Follow, runId: string): string[] {
  const theRun = fleet.runs.get(runId)
  const adopted = leads && theRun ? jobsOfRun(fleet, theRun).map(job => job.runId) : []
  return [...new Set([runId, ...adopted])].filter(id => fleet.runs.get(id)?.status === 'running')
}

/** Resolves when the run and those it adopted are closed and the jobs it only follows settled; rejects when the own engine died. */
function closed(follow: Follow, runId: string): Promise<'over'> {
  const { promise, resolve } = Promise.withResolvers<'over'>()
  const look = () => {
    const theRun = follow.fleet.runs.get(runId)
    if (theRun && openRunsOf(follow, runId).length === 0 && jobsOfRun(follow.fleet, theRun).every(isSettled))
      resolve('over')
  }
  const unlisten = follow.onEvent(look)
  look()
  return Promise.race([promise, follow.failed]).finally(unlisten)
}

/** One JSON event a line; those of this run, and the engine's. */
function events(follow: Follow, runId: string): () => void {
  const mine = (event: Event) =>
    'runId' in event
      ? event.runId === runId
      : 'jobKey' in event
        ? event.jobKey.startsWith(`${runId}/`)
        : 'podId' in event
          ? follow.fleet.pods.get(event.podId)?.runId === runId
          : true
  const tell = (event: Event) => {
    if (mine(event)) process.stdout.write(`${JSON.stringify({ ...event, at: new Date(event.at).toISOString() })}\n`)
  }
  for (const event of follow.fleet.recent) tell(event)
  return follow.onEvent(tell)
}
