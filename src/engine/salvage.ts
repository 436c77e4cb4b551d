// An attempt whose pod broke: what it finished without us is taken out of the bucket, before anybody does it again.
import type { Effect } from '../domain/effect.ts'
import { liveAttempt } from '../domain/job.ts'
import { isExpected, type Left, takeOver } from '../domain/lease.ts'
import { jobOf, podOf } from '../domain/lookup.ts'
import type { Context } from './context.ts'
import { backOff, settle } from './settle.ts'

type SalvageEffect = Extract<Effect, { kind: 'salvage' }>

/** Ends with one fact that says what was found; a pod that just ends itself is waited for, and so is a bucket that is away. */
export async function salvage(
  context: Context,
  { jobKey, attempt, podId }: SalvageEffect,
  signal: AbortSignal,
): Promise<void> {
  const { journal, clock, guard, executor, courier, limits } = context
  const { runId, spec, ...job } = jobOf(journal.fleet, jobKey)
  const pod = podOf(journal.fleet, podId)
  const promptId = liveAttempt({ runId, spec, ...job })?.promptId
  if (promptId === undefined) return
  const task = { runId, jobId: spec.jobId, attempt, promptId, spec, resumed: true, isTaken: true, freeFirst: false }
  const since = clock.now()

  const look = async (): Promise<Left> => {
    const found = await guard.farewell(pod.name, pod.ref as string)
    // Another pod's, of a name that the provider made twice, says nothing of this one.
    const farewell = found?.podId === pod.ref ? found : null
    const files = farewell && executor.left(task, farewell)
    return { reason: farewell?.reason ?? null, artifacts: await courier.adopt(task, files, signal) }
  }

  for (let tries = 0; !signal.aborted; tries++) {
    const found = await settle(() => context.lanes.move(look))
    if (signal.aborted) return
    const isLate = clock.now() - since >= limits.farewellMs
    let left: Left | null = null
    if (found.ok) {
      const isThere = found.value.reason !== null || found.value.artifacts !== null
      if (isThere || isLate || !isExpected(pod)) left = found.value
    } else {
      context.trace.engine(`${pod.name}: farewell: ${found.fault.message}`)
      if (isLate || found.fault.kind === 'pod' || found.fault.kind === 'job') left = { reason: null, artifacts: null }
    }
    if (left) return journal.record(fleet => takeOver(fleet, jobKey, podId, left))
    await backOff(clock, Math.min(tries, 3), found.ok ? null : found.fault, signal)
  }
}
