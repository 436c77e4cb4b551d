// What a failed attempt means for its job: again in the same place, again elsewhere, on a larger card, or never. Each cause has a count
// of its own: a night of bad hosts does not use up the tries that a job has for pods that break under it.
import type { FaultData } from './fault.ts'
import type { Attempt, Job } from './job.ts'
import type { Limits } from './limits.ts'
import type { Millis } from './units.ts'

export type Verdict = { again: true; dueAt: Millis; why: string } | { again: false; fault: FaultData }

/**
 * person: somebody ended the pod, or nobody was there to keep it · host: the machine below the pod · pod: what runs on it · memory: the card's · the rest as FaultKind.
 */
export type Cause = 'person' | 'host' | 'pod' | 'memory' | 'transient' | 'capacity' | 'job' | 'operator'

/**
 * What a pod of the same image would not do elsewhere: it never came as far as a GPU, lacks one, or its driver fails. Left out: a
 * ComfyUI that never answers (so does a wrong image, everywhere) and a lost link (so does a lost network, of all pods).
 */
const OF_THE_HOST = ['stuck_at_address', 'stuck_at_ssh', 'stuck_at_gpu', 'gpu_missing', 'cuda_error']

/** What a job can do to any host. A pod that is preempted twice, or a link that is lost, says nothing about the job. */
const OF_THE_WORK = [
  'cuda_error',
  'host_out_of_memory',
  'model_damaged',
  'disk_full',
  'prompt_not_taken',
  'prompt_lost',
  'comfy_gone',
  'attempt_stuck',
]

export function causeOf(fault: FaultData): Cause {
  if (fault.code === 'pod_killed' || fault.code === 'owner_away') return 'person'
  if (fault.code === 'out_of_memory') return 'memory'
  if (fault.kind === 'pod' && OF_THE_HOST.includes(fault.code)) return 'host'
  return fault.kind
}

/** Decides over a waiting job whose last attempt failed. `retries` = tries on other pods after the first, for each cause. */
export function verdict(job: Job, retries: number, limits: Limits): Verdict {
  const last = job.attempts.at(-1)
  const fault = last?.fault
  const since = triesOf(job)
  // Somebody who asks for another try knows what became of the last one.
  if (!fault || since.length === 0) return { again: true, dueAt: job.dueAt, why: 'first try' }
  // The person is at another pod's door no sooner than they ask for one.
  if (job.spec.executor === 'hand') return { again: false, fault }
  const endedAt = last.endedAt ?? 0
  const poison = poisonOf(since)
  if (poison) return { again: false, fault: poison }
  const cause = causeOf(fault)
  const tries = since.filter(a => a.fault && causeOf(a.fault) === cause).length
  switch (cause) {
    case 'job':
      return { again: false, fault }
    case 'memory': {
      const tooSmall = since.filter(ranOutFreed).length
      if (tooSmall > limits.biggerGpusMax) return { again: false, fault }
      const how = last.freeFirst ? 'on a GPU with more memory' : 'with freed memory'
      return { again: true, dueAt: endedAt, why: `${fault.message}; again ${how}` }
    }
    case 'person':
      // Such an end says nothing about the job.
      return { again: true, dueAt: endedAt, why: `${fault.message}; again on another pod` }
    case 'host':
    case 'pod':
      // The way up of another pod is pause enough.
      if (tries > retries) return { again: false, fault }
      return { again: true, dueAt: endedAt, why: `${fault.message}; again on another pod` }
    case 'transient':
    case 'capacity': {
      if (tries >= limits.transientTries) return { again: false, fault }
      const pause = fault.retryAfterMs ?? limits.backoffMs * 2 ** (tries - 1)
      return { again: true, dueAt: endedAt + pause, why: `${fault.message}; again in ${Math.ceil(pause / 1000)} s` }
    }
    case 'operator':
      // Waits for the person: nothing new starts while the provider's state asks for one.
      return { again: true, dueAt: endedAt, why: fault.message }
  }
}

/** Attempts that count: those since the job was last queued or asked to be tried again. */
function triesOf(job: Job): Attempt[] {
  return job.attempts.filter(a => a.requestedAt >= job.openedAt)
}

/** Freed memory was not enough: the card is too small for the job. */
export function ranOutFreed(attempt: Attempt): boolean {
  return attempt.freeFirst && attempt.fault !== null && causeOf(attempt.fault) === 'memory'
}

/** The pod whose memory is to be freed for the next try: it ran out there, with what earlier work had left in it. */
export function toBeFreed(job: Job): string | null {
  const last = triesOf(job).findLast(({ fault }) => fault && causeOf(fault) === 'memory')
  return last && !last.freeFirst ? last.podId : null
}

/** What went wrong, without what differs from pod to pod; null when it says nothing about the job. */
export function sameWay(fault: FaultData | null): string | null {
  if (!fault || !OF_THE_WORK.includes(fault.code)) return null
  const said = fault.message.replace(/\bpod-\d+\b|[0-9a-f]{8}-[0-9a-f-]{27}|(0x)?\d[\d.]*/gi, '#')
  return `${fault.code}: ${said}`
}

/** Two different hosts failed in the same way: a third would, too. */
function poisonOf(tries: Attempt[]): FaultData | null {
  const last = tries.at(-1)
  const way = sameWay(last?.fault ?? null)
  if (!last?.fault || way === null) return null
  const first = tries.find(other => other !== last && sameWay(other.fault) === way && !onSameHost(other, last))
  if (!first) return null
  return {
    ...last.fault,
    kind: 'job',
    code: 'poison',
    message: `it failed the same way on two hosts (${first.podId}, ${last.podId}): ${last.fault.message}`,
    hint: 'A third would only cost money: look at the workflow and its inputs, then autopod retry.',
  }
}

/** Of pods whose host nobody tells, each counts as one of its own. */
function onSameHost(one: Attempt, other: Attempt): boolean {
  if (one.podId === other.podId) return true
  return one.hostId !== null && one.hostId === other.hostId
}
