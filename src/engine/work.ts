// An attempt on its pod, and the publication of what it made.
import type { Effect } from '../domain/effect.ts'
import type { Fact } from '../domain/event.ts'
import type { FaultData } from '../domain/fault.ts'
import { liveAttempt } from '../domain/job.ts'
import { jobOf, podOf } from '../domain/lookup.ts'
import type { Task } from '../ports.ts'
import type { Context } from './context.ts'
import { aborted, backOff, settle } from './settle.ts'

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
  const cancelled = ignored(context, signal, over.signal)
  try {
    while (!signal.aborted || signal.reason === 'cancel') {
      const machine = await context.slots.machine(podId, signal).catch(() => null)
      if (!machine) break
      const task: Task = {
        runId: job.runId,
        jobId: job.spec.jobId,
        attempt,
        promptId: begun.promptId,
        spec: job.spec,
        resumed,
      }
      const stored = new Set(liveAttempt(jobOf(journal.fleet, jobKey))?.artifacts.map(a => a.key))
      const result = await Promise.race([
        settle(() =>
          executor.run(
            task,
            machine,
            {
              started: () =>
                journal.record(fleet =>
                  liveAttempt(jobOf(fleet, jobKey))?.status === 'requested'
                    ? [{ type: 'attempt.started', jobKey, attempt }]
                    : [],
                ),
              stored: artifact => {
                if (!stored.has(artifact.key)) record([{ type: 'artifact.stored', jobKey, attempt, artifact }])
                stored.add(artifact.key)
              },
              gauge: gauge => context.gauges.job(jobKey, { ...gauge, attempt }),
              preview: image => context.trace.preview(jobKey, image),
              log: line => context.trace.pod(podId, line),
            },
            signal,
          ),
        ).catch((error: unknown) => {
          if (signal.aborted) return 'let go' as const
          throw error
        }),
        cancelled,
      ])
      if (signal.aborted) {
        if (signal.reason !== 'cancel') return
        // Not stopped in time: whatever it still does, nobody may be put beside it.
        const fault: FaultData = {
          kind: 'pod',
          code: 'cancel_ignored',
          message: `${podId} did not stop ${job.spec.jobId} in time`,
        }
        return record([
          { type: 'attempt.cancelled', jobKey, attempt },
          ...(result === 'ignored' ? [{ type: 'pod.broken', podId, fault } as const] : []),
        ])
      }
      if (result === 'let go' || result === 'ignored') return
      if (result.ok) return record([{ type: 'attempt.succeeded', jobKey, attempt }])
      if (result.fault.code !== 'connection_lost') return fail(result.fault)
      // The tending effect brings the link back or gives the pod up; the prompt's id makes going on safe.
      resumed = true
      await backOff(clock, 0, null, signal)
    }
    if (signal.reason === 'cancel') record([{ type: 'attempt.cancelled', jobKey, attempt }])
  } finally {
    over.abort()
  }
}

/** Settles `cancelMs` after the effect was told to cancel; never otherwise. */
async function ignored({ clock, limits }: Context, signal: AbortSignal, over: AbortSignal): Promise<'ignored'> {
  await aborted(signal)
  if (signal.reason !== 'cancel') return new Promise(() => {})
  await clock.sleep(limits.cancelMs, over)
  return 'ignored'
}

/** Stored outputs → where the job file wants them. The pod is free meanwhile. */
export async function publish(context: Context, jobKey: string, signal: AbortSignal): Promise<void> {
  const { journal, clock, courier } = context
  const job = jobOf(journal.fleet, jobKey)
  // Stored as they came in; published in the order of the workflow's own numbering.
  const artifacts = (job.attempts.at(-1)?.artifacts ?? []).toSorted((a, b) => a.index - b.index)
  for (let tries = 0; !signal.aborted; tries++) {
    const done = await settle(() => context.lanes.move(() => courier.publish(job.spec, artifacts, context.replaceable)))
    if (done.ok) return journal.record(() => [{ type: 'job.completed', jobKey, published: done.value }])
    context.trace.engine(`${jobKey}: publish: ${done.fault.message}`)
    if (done.fault.kind === 'job') return journal.record(() => [{ type: 'job.failed', jobKey, fault: done.fault }])
    // The files are safe in the bucket under the attempt's key, whatever becomes of this.
    if (done.fault.kind === 'operator' && tries + 1 >= context.limits.transientTries) {
      return journal.record(() => [{ type: 'job.failed', jobKey, fault: done.fault }])
    }
    await backOff(clock, tries, done.fault, signal)
  }
}
