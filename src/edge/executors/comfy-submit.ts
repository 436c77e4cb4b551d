// Getting a prompt into ComfyUI's queue exactly once, although POST /prompt is not idempotent and a 500 may have queued it.
import { Fault } from '../../domain/fault.ts'
import type { Clock, Task, TaskOn } from '../../ports.ts'
import { type ComfyApi, isTransient } from './comfy-api.ts'
import { nodeErrorsFault, refusalFault } from './comfy-faults.ts'
import { outputPrefix, withOutputPrefix } from './comfy-graph.ts'

/** Pauses after an unclear answer, each followed by a look and then another try. */
const PAUSES_MS = [500, 1_000, 2_000]
/** Looks for the prompt after an unclear answer: the server may still be validating what timed out here. */
const LOOKS = 3

type Submission = {
  task: Task
  api: ComfyApi
  clientId: string | null
  on: Pick<TaskOn, 'log'>
  clock: Clock
  signal: AbortSignal
}

/** Resolves when the prompt is in the queue. Faults: job (refused, or accepted only in part), pod `prompt_not_taken`. */
export async function submit(submission: Submission): Promise<void> {
  const { task, api, clientId, on, clock, signal } = submission
  await clearLeftovers(submission)
  const body = {
    prompt: withOutputPrefix(task.spec.graph, outputPrefix(task)),
    prompt_id: task.promptId,
    ...(clientId !== null && { client_id: clientId }),
    extra_data: {
      autopod: { run: task.runId, job: task.jobId, attempt: task.attempt },
      // Cheap previews that need no model of their own; known since 0.4.0, older servers ignore it.
      preview_method: 'latent2rgb',
    },
  }
  for (let tries = 0; ; tries++) {
    const answer = await api.submit(body, signal)
    switch (answer.kind) {
      case 'accepted':
        if (Object.keys(answer.nodeErrors).length === 0) return
        // It IS queued, and would end as a success without the outputs that were dropped.
        await api
          .cancel(task.promptId, signal)
          .catch(error => on.log(`could not take the prompt back: ${error.message}`))
        throw nodeErrorsFault(answer.nodeErrors)
      case 'refused':
        throw refusalFault(answer.refusal)
      case 'too_large':
        throw new Fault({
          kind: 'job',
          code: 'prompt_too_large',
          message: `the workflow is larger than ComfyUI accepts: ${answer.text.trim().slice(0, 200)}`,
          hint: 'Start ComfyUI with a larger --max-upload-size, or take embedded data out of the workflow.',
        })
      case 'unclear': {
        on.log(`submitting was unclear: ${answer.why}; looking whether it arrived`)
        if (await arrived(submission)) return
        const pauseMs = PAUSES_MS[tries]
        if (pauseMs === undefined)
          throw new Fault({
            kind: 'pod',
            code: 'prompt_not_taken',
            message: `ComfyUI did not take the workflow in ${tries + 1} tries: ${answer.why}`,
            hint: 'The log of the pod says why; the job goes to another pod.',
          })
        await clock.sleep(pauseMs, signal)
        signal.throwIfAborted()
      }
    }
  }
}

async function arrived({ task, api, clock, signal }: Submission): Promise<boolean> {
  for (let looks = 0; looks < LOOKS; looks++) {
    if (looks > 0) await clock.sleep(500, signal)
    signal.throwIfAborted()
    try {
      if ((await api.look(task.promptId, signal)).kind !== 'unknown') return true
    } catch (error) {
      if (!isTransient(error)) throw error
    }
  }
  return false
}

/** A pod holds one job of ours: another prompt with our mark is what an interrupted attempt left, and would run first. */
async function clearLeftovers({ task, api, on, signal }: Submission): Promise<void> {
  try {
    const { queue_running, queue_pending } = await api.queue(signal)
    for (const [, id, , extraData] of [...queue_pending, ...queue_running]) {
      const isOurs = typeof extraData === 'object' && extraData !== null && 'autopod' in extraData
      if (!isOurs || id === task.promptId) continue
      on.log(`cancelling ${id}, left in the queue by an earlier attempt`)
      await api.cancel(id, signal)
    }
  } catch (error) {
    if (!isTransient(error)) throw error
    on.log(`the queue could not be read: ${error.message}`)
  }
}
