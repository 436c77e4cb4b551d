// An attempt on its pod, and the publication of what it made.
import { mayReplace } from '../domain/claim.ts'
import type { Effect } from '../domain/effect.ts'
import type { Fact } from '../domain/event.ts'
import type { FaultData } from '../domain/fault.ts'
import { type Attempt, liveAttempt, publishingEnd } from '../domain/job.ts'
import { jobOf, podOf } from '../domain/lookup.ts'
import { STUCK_CODE } from '../domain/stuck.ts'
import type { Machine, TaskOn } from '../ports.ts'
import type { Context } from './context.ts'
import { aborted, backOff, settle } from './settle.ts'
import { type Stuck, unstick } from './unstick.ts'
import { createVigil, type Vigil } from './vigil.ts'

type RunEffect = Extract<Effect, { kind: 'run' }>

/** requested | started → succeeded | failed | cancelled. Goes on over lost links: the prompt outlives the connection. */
export async function work(
  context: Context,
  { jobKey, attempt, podId }: RunEffect,
  signal: AbortSignal,
): Promise<void> {
  const { journal, clock, executor } = context
  const job = jobOf(journal.fleet, jobKey)
  const begun = liveAttempt(job)
  if (!begun) return
  /** Only while the attempt is still the one under way: a command may have ended it. */
  const record = (facts: Fact[]) =>
    journal.record(fleet => (liveAttempt(jobOf(fleet, jobKey))?.number === attempt ? facts : []))
  const fail = (fault: FaultData) => {
    record([
      { type: 'attempt.failed', jobKey, attempt, fault },
      ...(fault.kind === 'pod' ? [{ type: 'pod.broken', podId, fault } as const] : []),
      ...(fault.kind === 'operator'
        ? [{ type: 'operator.needed', provider: podOf(journal.fleet, podId).provider, fault } as const]
        : []),
    ])
  }
  let resumed = begun.requestedAt < context.startedAt
  const over = new AbortController()
  const timer = patience(context, signal, over.signal)
  const isCancelled = () => signal.aborted && signal.reason === 'cancel'
  const vigil = createVigil(context, jobKey, attempt, podId)
  const wasUnstuck = () => begun.stalls.some(({ steps }) => steps.length > 0)
  const stuckOn = (machine: Machine, running: Stuck['running'], own: AbortController): Stuck => ({
    jobId: job.spec.jobId,
    podId,
    machine,
    running,
    out: timer.out,
    interrupt: () => own.abort('cancel'),
    take: (step, reason) => record([{ type: 'attempt.stuck_step', jobKey, attempt, step, reason }]),
  })
  try {
    while (!timer.out.aborted) {
      const machine = await context.slots.machine(podId, timer.out).catch(() => null)
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
      const own = new AbortController()
      const both = AbortSignal.any([signal, own.signal])
      const running = settle(() =>
        executor.run(task, machine, ears(context, jobKey, attempt, podId, vigil), both),
      ).catch((error: unknown) => {
        if (both.aborted) return null
        throw error
      })
      const watched = new AbortController()
      const watching = vigil.step(machine, AbortSignal.any([timer.out, watched.signal]))
      const first = await Promise.race([running, aborted(timer.out).then(() => null), watching])
      watched.abort('over')
      if (!first) break
      const result = typeof first === 'string' ? await unstick(context, first, stuckOn(machine, running, own)) : first
      own.abort('over')
      if (!result) break
      if (isCancelled() && (result.ok || isStopped(result.fault))) {
        return record([{ type: 'attempt.cancelled', jobKey, attempt }])
      }
      if (result.ok) return record([{ type: 'attempt.succeeded', jobKey, attempt }])
      // What an engine that died did to it is no fault of the job, nor of the pod.
      if (wasUnstuck() && (result.fault.code === 'interrupted' || result.fault.code === 'prompt_lost'))
        return fail({ ...result.fault, kind: 'transient', code: STUCK_CODE })
      if (result.fault.code !== 'connection_lost') return isCancelled() ? giveUp(result.fault) : fail(result.fault)
      // The tending effect brings the link back or gives the pod up; the prompt's id makes going on safe.
      resumed = true
      await backOff(clock, 0, null, timer.out)
    }
    if (isCancelled()) {
      giveUp({ kind: 'pod', code: 'cancel_ignored', message: `${podId} did not stop ${job.spec.jobId} in time` })
    }
  } finally {
    over.abort('over')
  }

  function isStopped({ code, kind }: FaultData): boolean {
    return code === 'cancelled' || (code === STUCK_CODE && kind === 'transient')
  }

  /** Whatever it still does, nobody may be put beside it. */
  function giveUp(fault: FaultData): void {
    record([
      { type: 'attempt.cancelled', jobKey, attempt },
      { type: 'pod.broken', podId, fault: { ...fault, kind: 'pod' } },
    ])
  }
}

/** What an executor tells goes into the journal (facts, once) and to the gauges. */
function ears(context: Context, jobKey: string, attempt: number, podId: string, vigil: Vigil): TaskOn {
  const { journal, gauges, trace } = context
  const record = (decide: (live: Attempt) => Fact[]) =>
    journal.record(fleet => {
      const live = liveAttempt(jobOf(fleet, jobKey))
      return live?.number === attempt ? decide(live) : []
    })
  return {
    started: () => record(live => (live.status === 'requested' ? [{ type: 'attempt.started', jobKey, attempt }] : [])),
    // A resumed task tells again what was stored before.
    stored: artifact =>
      record(live =>
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
        record(live => (live.renderedAt ? [] : [{ type: 'attempt.rendered', jobKey, attempt }]))
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
