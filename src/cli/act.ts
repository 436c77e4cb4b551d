// Commands on jobs and pods: facts in the journal. The engine at work obeys; where none is, this process becomes it until done.
import type { Fact } from '../domain/event.ts'
import { emptyFleet, type Fleet } from '../domain/fleet.ts'
import { isSettled, type Job } from '../domain/job.ts'
import { mayBill, type Pod } from '../domain/pod.ts'
import { formatUsd } from '../domain/units.ts'
import { type Invocation, usage } from './args.ts'
import { failedAtOnce } from './at-once.ts'
import { EXIT } from './exit.ts'
import { findJob, findJobs, findPod, livePods } from './find.ts'
import { attach, detach, type Follow, view } from './follow.ts'
import { type Home, homeToSee } from './home.ts'
import { lostPods } from './marked.ts'
import { pastOf } from './past.ts'
import { onSignals } from './signals.ts'
import { clean } from './table.ts'

type Told = {
  facts: Fact[]
  said: string
  /** What becomes of them at once is told as well. */
  retried?: Job[]
}

/** Gives the facts and sees to it that an engine obeys, in the background. */
async function tell(home: Home, decide: (fleet: Fleet) => Told): Promise<number> {
  const looking = view(home)
  const { facts, said, retried = [] } = decide(looking.fleet)
  if (facts.length > 0) looking.command(facts)
  if (facts.length > 0 && !looking.alive()) await detach(home)
  const failed = looking.alive() ? await failedAtOnce(looking, retried) : []
  await looking.close()
  process.stdout.write(`${said}\n`)
  for (const { spec, fault } of failed) {
    process.stderr.write(`${clean(`${spec.jobId}: failed again at once: ${fault?.message}`)}\n`)
    if (fault?.hint) process.stderr.write(`→ ${clean(fault.hint)}\n`)
  }
  return failed.length > 0 ? EXIT.failed : EXIT.ok
}

export function cancel({ flags, words }: Invocation): Promise<number> {
  if (words.length === 0) throw usage('cancel needs a job', 'For example: autopod cancel job-001')
  return tell(homeToSee(flags), fleet => {
    const jobs = [...new Set(words.flatMap(word => openOf(fleet, word)))]
    const open = jobs.filter(job => !isSettled(job))
    const said = jobs
      .map(job => {
        const isOneOfMany = jobs.some(other => other !== job && other.spec.jobId === job.spec.jobId)
        const name = isOneOfMany ? `${job.spec.jobId} of ${job.runId}` : job.spec.jobId
        return `${name}: ${isSettled(job) ? `is ${job.status} already` : 'being cancelled'}`
      })
      .join('\n')
    return { facts: open.map(job => ({ type: 'job.cancel_requested', jobKey: job.key })), said }
  })
}

/** Every job of that name that is under way, whichever run has it; else the newest. Faults: usage. */
export function openOf(fleet: Fleet, word: string): Job[] {
  const jobs = findJobs(fleet, word)
  const open = jobs.filter(job => !isSettled(job))
  return open.length > 0 ? open : [jobs[0]]
}

export function retry({ flags, words }: Invocation): Promise<number> {
  return tell(homeToSee(flags), fleet => {
    const last = lastRunWithJobs(fleet)
    const failed = [...fleet.jobs.values()].filter(job => job.runId === last && job.status === 'failed')
    if (words.length === 0 && !flags.on('failed'))
      throw usage('retry needs a job, or --failed', 'For example: autopod retry --failed')
    const jobs = [...words.map(word => findJob(fleet, word)), ...(flags.on('failed') ? failed : [])]
    const again = jobs.filter(job => job.status === 'failed' || job.status === 'cancelled')
    const said = jobs
      .map(job => {
        const name = failed.includes(job) ? `${job.spec.jobId} of ${job.runId}` : job.spec.jobId
        return `${name}: ${again.includes(job) ? 'tried again' : `is ${job.status}`}`
      })
      .join('\n')
    return {
      facts: again.map(job => ({ type: 'job.retry_requested', jobKey: job.key })),
      said: said || `nothing to try again${last ? `: no job of ${last} failed` : ''}`,
      retried: again,
    }
  })
}

/** One that found everything done already, or held a pod for a person, has nothing to be tried again. */
export function lastRunWithJobs(fleet: Fleet): string | undefined {
  return [...fleet.jobs.values()].findLast(job => job.spec.executor !== 'hand')?.runId
}

export function drain({ flags, words }: Invocation): Promise<number> {
  return tell(homeToSee(flags), fleet => {
    const pods = words.length > 0 ? words.map(word => findPod(fleet, word)).filter(mayBill) : livePods(fleet)
    const facts: Fact[] = pods.map(pod => ({ type: 'pod.drain_requested', podId: pod.id }))
    if (words.length === 0)
      for (const run of fleet.runs.values())
        if (run.status === 'running') facts.push({ type: 'run.drain_requested', runId: run.id })
    return { facts, said: pods.length > 0 ? `draining ${pods.map(pod => pod.id).join(', ')}` : 'no pod to drain' }
  })
}

export async function stop(invocation: Invocation): Promise<number> {
  return until(
    invocation,
    'stop',
    pod => pod.status === 'ready' || pod.status === 'booting',
    podId => ({ type: 'pod.stop_requested', podId }),
    pod => pod.status === 'stopped' || !mayBill(pod),
  )
}

/** With --all the runs end as well: an engine at work would rent anew for what they still want. */
export async function kill(invocation: Invocation): Promise<number> {
  const code = await until(
    invocation,
    'kill',
    mayBill,
    podId => ({ type: 'pod.release_requested', podId, cause: 'killed by hand' }),
    pod => !mayBill(pod),
    runId => ({ type: 'run.cancel_requested', runId }),
  )
  if (!invocation.flags.on('all')) return code
  const home = homeToSee(invocation.flags)
  const lost = home.provider === null ? [] : await lostPods(home, pastOf(home) ?? emptyFleet())
  if (lost === null) process.stderr.write('the provider does not say whether it has pods that this home lost\n')
  for (const line of lost ?? []) process.stderr.write(`${line}\n`)
  return lost && lost.length > 0 ? EXIT.billing : code
}

/** Gives the command and waits until the provider has proved it done for each pod. */
async function until(
  { flags, words }: Invocation,
  name: 'stop' | 'kill',
  applies: (pod: Pod) => boolean,
  fact: (podId: string) => Fact,
  done: (pod: Pod) => boolean,
  ofRun: ((runId: string) => Fact) | null = null,
): Promise<number> {
  if (words.length === 0 && !flags.on('all'))
    throw usage(`${name} needs a pod, or --all`, `For example: autopod ${name} pod-0001`)
  const home = homeToSee(flags)
  const looking = view(home)
  const named = flags.on('all') ? livePods(looking.fleet) : words.map(word => findPod(looking.fleet, word))
  const ids = named.filter(applies).map(pod => pod.id)
  const runs = [...looking.fleet.runs.values()].filter(run => run.status === 'running').map(run => run.id)
  const ending = ofRun && flags.on('all') ? runs.map(ofRun) : []
  if (ids.length === 0 && ending.length === 0) {
    await looking.close()
    process.stdout.write(
      `${named.length === 0 ? 'no pod is left' : named.map(pod => `${pod.id} is ${pod.status}`).join('\n')}\n`,
    )
    return EXIT.ok
  }
  looking.command([...ids.map(fact), ...ending])
  await looking.close()
  const follow = await attach(home)
  const ended = await settled(follow, ids, done)
  const pods = ids.map(id => follow.fleet.pods.get(id) as Pod)
  const others = follow.own && [...follow.fleet.runs.values()].some(run => run.status === 'running')
  await follow.close()
  if (others || !ended) await detach(home)
  for (const pod of pods) process.stdout.write(`${pod.id} ${told(pod)}\n`)
  if (ending.length > 0) process.stdout.write(`${runs.join(', ')}: cancelled\n`)
  return pods.every(done) ? EXIT.ok : EXIT.billing
}

function told(pod: Pod): string {
  if (pod.status === 'gone') return 'proven gone'
  if (pod.status === 'refused') return 'was never made'
  if (pod.status === 'stopped')
    return `stopped; ${formatUsd(pod.meters.at(-1)?.perHour ?? 0)}/h for its disk until it is killed`
  return `not yet (${pod.status}); it is retried in the background: ${pod.name}`
}

/** true when every pod is done; false when the user did not want to wait. */
function settled(follow: Follow, ids: string[], done: (pod: Pod) => boolean): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const look = () => {
    if (ids.every(id => done(follow.fleet.pods.get(id) as Pod))) resolve(true)
  }
  const unlisten = follow.onEvent(look)
  const quiet = onSignals({ interrupt: () => resolve(false), hangup: () => resolve(false) })
  follow.idle.then(look, reject)
  look()
  return promise.finally(() => {
    unlisten()
    quiet()
  })
}
