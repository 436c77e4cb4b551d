// An attempt on its pod, and the publication of what it made.
import { abandon, endOf } from '../domain/attempt-end.ts'
import { mayReplace } from '../domain/claim.ts'
import type { Effect } from '../domain/effect.ts'
import type { Fact } from '../domain/event.ts'
import type { Fleet } from '../domain/fleet.ts'
import { type Artifact, type Attempt, liveAttempt, publishingEnd } from '../domain/job.ts'
import { jobOf } from '../domain/lookup.ts'
import type { Step } from '../domain/stuck.ts'
import type { Machine, Task, TaskOn } from '../ports.ts'
import type { Context } from './context.ts'
import { aborted, backOff, type Settled, settle } from './settle.ts'
import { unstick } from './unstick.ts'
import { createVigil, type Vigil } from './vigil.ts'

type RunEffect = Extract<Effect, { kind: 'run' }>

/** requested | started → succeeded | failed | cancelled. Goes on over lost links: the prompt outlives the connection. */
export async function work(context: Context, effect: RunEffect, signal: AbortSignal): Promise<void> {
  const { jobKey, attempt, podId } = effect
  const { journal } = context
  const job = jobOf(journal.fleet, jobKey)
  const begun = liveAttempt(job)
  if (!begun) return
  let resumed = begun.requestedAt < context.startedAt
  const over = new AbortController()
  const { out } = patience(context, signal, over.signal)
  const isCancelled = () => signal.aborted && signal.reason === 'cancel'
  const vigil = createVigil(context, jobKey, attempt, podId)
  try {
    while (!out.aborted) {
      const machine = await context.slots.machine(podId, out).catch(() => null)
      if (!machine) break
      const { status, stalls } = liveAttempt(jobOf(journal.fleet, jobKey)) ?? begun
      const task = {
        runId: job.runId,
        jobId: job.spec.jobId,
        attempt,
        promptId: begun.promptId,
        spec: job.spec,
        freeFirst: begun.freeFirst,
        resumed,
        isTaken: status === 'started' || stalls.length > 0,
      }
      const end = await workOver(machine, { context, effect, task, vigil, signal, out })
      if (!end) break
      const facts = endOf(journal.fleet, jobKey, end, isCancelled())
      if (facts) return record(context, effect, () => facts)
      // The tending effect brings the link back or gives the pod up; the prompt's id makes going on safe.
      resumed = true
      await backOff(context.clock, 0, null, out)
    }
    if (isCancelled()) {
      const message = `${podId} did not stop ${job.spec.jobId} in time`
      record(context, effect, fleet => abandon(fleet, jobKey, { kind: 'pod', code: 'cancel_ignored', message }))
    }
  } finally {
    over.abort('over')
  }
}

/** Only while the attempt is still the one under way: a command may have ended it. */
function record(
  { journal }: Context,
  { jobKey, attempt }: RunEffect,
  decide: (fleet: Fleet, live: Attempt) => Fact[],
): void {
  journal.record(fleet => {
    const live = liveAttempt(jobOf(fleet, jobKey))
    return live?.number === attempt ? decide(fleet, live) : []
  })
}

type Work = {
  context: Context
  effect: RunEffect
  task: Task
  vigil: Vigil
  signal: AbortSignal
  /** Aborts when nobody waits for the work any more, a while after a cancel. */
  out: AbortSignal
}

/** On one connection, with the steps against a stuck attempt. How it ended, as far as can be told there; null: nobody waits for that any more. */
async function workOver(machine: Machine, work: Work): Promise<Settled<Artifact[]> | null> {
  const { context, effect, task, vigil, signal, out } = work
  const own = new AbortController()
  const both = AbortSignal.any([signal, own.signal])
  const running = settle(() => context.executor.run(task, machine, ears(context, effect, vigil), both)).catch(
    (error: unknown) => {
      if (both.aborted) return null
      throw error
    },
  )
  const watched = new AbortController()
  const watching = vigil.step(machine, AbortSignal.any([out, watched.signal]))
  const first = await Promise.race([running, aborted(out).then(() => null), watching])
  watched.abort('over')
  const { jobKey, attempt, podId } = effect
  const take = (step: Step, reason: string) =>
    record(context, effect, () => [{ type: 'attempt.stuck_step', jobKey, attempt, step, reason }])
  const interrupt = () => own.abort('cancel')
  const stuck = { jobId: task.jobId, podId, machine, running, out, interrupt, take }
  const end = typeof first === 'string' ? await unstick(context, first, stuck) : first
  own.abort('over')
  return end
}

/** What an executor tells goes into the journal (facts, once) and to the gauges. */
function ears(context: Context, effect: RunEffect, vigil: Vigil): TaskOn {
  const { gauges, trace } = context
  const { jobKey, attempt, podId } = effect
  const tell = (decide: (live: Attempt) => Fact[]) => record(context, effect, (_fleet, live) => decide(live))
  return {
    started: () => tell(live => (live.status === 'requested' ? [{ type: 'attempt.started', jobKey, attempt }] : [])),
    // A resumed task tells again what was stored before.
    stored: artifact =>
      tell(live =>
        live.artifacts.some(({ key }) => key === artifact.key)
          ? []
          : [{ type: 'artifact.stored', jobKey, attempt, artifact }],
      ),
    heard: () => vigil.heard(),
    gauge(gauge) {
      vigil.phase(gauge.phase)
      gauges.job(jobKey, { ...gauge, attempt })
      // The GPU is done: from here on the meter runs for files.
      if (gauge.phase === 'outputs')
        tell(live => (live.renderedAt ? [] : [{ type: 'attempt.rendered', jobKey, attempt }]))
    },
    preview: image => trace.preview(jobKey, image),
    log: line => trace.pod(podId, line, null),
  }
}

/** `out` aborts when the effect is no longer wanted, or `cancelMs` after it was told to cancel. */
function patience({ clock, limits }: Context, signal: AbortSignal, over: AbortSignal): { out: AbortSignal } {
  const out = new AbortController()
  void aborted(signal).then(async () => {
    if (signal.reason === 'cancel') await clock.sleep(limits.cancelMs, over)
    out.abort(signal.reason)
  })
  return { out: out.signal }
}

/** Stored outputs → where the job file wants them. The pod is free meanwhile. */
export async function publish(context: Context, jobKey: string, signal: AbortSignal): Promise<void> {
  const { journal, clock, courier } = context
  const job = jobOf(journal.fleet, jobKey)
  // Stored as they came in; published in the order of the workflow's own numbering.
  const artifacts = (job.attempts.at(-1)?.artifacts ?? []).toSorted((a, b) => a.index - b.index)
  const replace = (path: string, sha256: string) => mayReplace(journal.fleet, job, path, sha256)
  /** How often it failed in each way. */
  const failures = new Map<string, number>()
  for (let tries = 0; !signal.aborted; tries++) {
    const done = await settle(() => context.lanes.move(() => courier.publish(job.spec, artifacts, replace)))
    if (done.ok) return journal.record(() => [{ type: 'job.completed', jobKey, published: done.value }])
    context.trace.engine(`${jobKey}: publish: ${done.fault.message}`)
    const { code } = done.fault
    const times = (failures.get(code) ?? 0) + 1
    failures.set(code, times)
    const fault = publishingEnd(done.fault, times, artifacts, context.limits)
    if (fault) return journal.record(() => [{ type: 'job.failed', jobKey, fault }])
    await backOff(clock, tries, done.fault, signal)
  }
}
