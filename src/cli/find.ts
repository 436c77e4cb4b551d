// What a user means by JOB or POD: our names, the provider's ids, or a unique beginning of either.
import type { Fleet } from '../domain/fleet.ts'
import { isSettled, type Job, liveAttempt } from '../domain/job.ts'
import { didYouMean } from '../domain/nearest.ts'
import { mayBill, type Pod } from '../domain/pod.ts'
import { usage } from './args.ts'

/** Of several jobs of that id one that is under way, else the newest; a key (RUN/JOB) picks one. Faults: usage. */
export function findJob(fleet: Fleet, word: string): Job {
  const jobs = findJobs(fleet, word)
  return jobs.find(job => !isSettled(job)) ?? jobs[0]
}

/** Every job of that id (or key), the newest first. Faults: usage. */
export function findJobs(fleet: Fleet, word: string): [Job, ...Job[]] {
  const jobs = [...fleet.jobs.values()].reverse()
  const exact = jobs.filter(job => job.key === word || job.spec.jobId === word)
  const id = only([...new Set(jobs.map(job => job.spec.jobId).filter(jobId => jobId.startsWith(word)))])
  const [first, ...others] = exact.length > 0 ? exact : jobs.filter(job => job.spec.jobId === id)
  if (first) return [first, ...others]
  throw usage(
    `no job ${word}${didYouMean(
      word,
      jobs.map(job => job.spec.jobId),
    )}`,
    'See autopod jobs.',
  )
}

/** By our id, name or the provider's id. Faults: usage. */
export function findPod(fleet: Fleet, word: string): Pod {
  const pods = [...fleet.pods.values()].reverse()
  const found =
    pods.find(pod => pod.id === word || pod.name === word || pod.ref === word) ??
    only(pods.filter(pod => pod.ref?.startsWith(word)))
  if (found) return found
  throw usage(
    `no pod ${word}${didYouMean(
      word,
      pods.map(pod => pod.id),
    )}`,
    'See autopod pods.',
  )
}

/** A pod by its own names, else that of the job's last attempt; of several jobs of that id, of one at work, else of the newest that had a pod. Faults: usage. */
export function findPodOf(fleet: Fleet, word: string): Pod {
  const pod = [...fleet.pods.values()].find(
    candidate => candidate.id === word || candidate.name === word || candidate.ref === word,
  )
  if (pod) return pod
  const jobs = findJobs(fleet, word)
  const last = (jobs.find(liveAttempt) ?? jobs.find(job => job.attempts.length > 0))?.attempts.at(-1)
  if (!last) throw usage(`${word} has not been on a pod yet`, 'See autopod status.')
  return findPod(fleet, last.podId)
}

export function livePods(fleet: Fleet): Pod[] {
  return [...fleet.pods.values()].filter(mayBill)
}

function only<T>(found: T[]): T | undefined {
  return found.length === 1 ? found[0] : undefined
}
