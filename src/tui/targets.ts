// What a dangerous key acts on: the rows named in a command, else the marked ones, else the selected one. And the question it asks first.
import { isSettled, type Job, liveAttempt } from '../domain/job.ts'
import { mayBill, type Pod } from '../domain/pod.ts'
import type { Facts, Model, Question } from './model.ts'
import { livePods, podOfJob } from './state.ts'

export type Verb = 'kill' | 'stop' | 'start' | 'drain' | 'cancel' | 'retry'
export type Rows = { jobs: readonly Job[]; pods: readonly Pod[] }

const PODS: Record<'kill' | 'stop' | 'start' | 'drain', (pod: Pod) => boolean> = {
  kill: mayBill,
  stop: pod => pod.status === 'ready',
  start: pod => pod.status === 'stopped',
  drain: pod => (pod.status === 'ready' || pod.status === 'booting') && !pod.draining,
}
const JOBS: Record<'cancel' | 'retry', (job: Job) => boolean> = {
  cancel: job => !isSettled(job) && !job.cancelRequested,
  retry: job => job.status === 'failed' || job.status === 'cancelled',
}

/** Marked rows of the open table, with the jobs that work on marked pods and the pods that marked jobs work on; null = none is marked. */
export function markedRows(model: Model, facts: Facts): Rows | null {
  if (model.page || (model.panel !== 'jobs' && model.panel !== 'pods')) return null
  const { marked } = model[model.panel]
  if (marked.size === 0) return null
  const { fleet } = facts
  if (model.panel === 'jobs')
    return rowsOfJobs(
      [...marked].flatMap(key => fleet.jobs.get(key) ?? []),
      facts,
    )
  return rowsOfPods(
    [...marked].flatMap(id => fleet.pods.get(id) ?? []),
    facts,
  )
}

export function rowsOfJobs(jobs: readonly Job[], facts: Facts): Rows {
  // Only a live attempt's pod: the one of an earlier attempt may do somebody else's work by now.
  return { jobs, pods: jobs.flatMap(job => (liveAttempt(job) && podOfJob(job, facts)) || []) }
}

export function rowsOfPods(pods: readonly Pod[], facts: Facts): Rows {
  return { jobs: pods.flatMap(pod => (pod.jobKey && facts.fleet.jobs.get(pod.jobKey)) || []), pods }
}

export function podsFor(verb: keyof typeof PODS, rows: Rows): Pod[] {
  return [...new Set(rows.pods)].filter(PODS[verb])
}

export function jobsFor(verb: keyof typeof JOBS, rows: Rows): Job[] {
  return [...new Set(rows.jobs)].filter(JOBS[verb])
}

/** How many rows the verb can be done to. */
export function countFor(verb: Verb, rows: Rows): number {
  return verb === 'cancel' || verb === 'retry' ? jobsFor(verb, rows).length : podsFor(verb, rows).length
}

/** One question for each row that the verb can be done to. */
export function questionsFor(verb: Verb, rows: Rows): Question[] {
  if (verb === 'cancel' || verb === 'retry')
    return jobsFor(verb, rows).map(({ key }) => ({ type: `${verb}-job` as const, jobKey: key }))
  return podsFor(verb, rows).map(({ id }) => ({ type: `${verb}-pod` as const, podId: id }))
}

/** Killing everything wants a typed word: more than one pod, and none that is billed would be left. */
export function isEverything(questions: readonly Question[], facts: Facts): boolean {
  const asked = new Set(questions.map(question => question.type === 'kill-pod' && question.podId))
  return asked.size > 1 && livePods(facts).every(pod => asked.has(pod.id))
}
