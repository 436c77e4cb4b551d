// Which jobs and pods are listed, and in which order: filter and sort, worked out once a frame.
import { jobCost } from '../domain/cost.ts'
import type { Job } from '../domain/job.ts'
import { mayBill, type Pod, podCost } from '../domain/pod.ts'
import { allocationOf, type Facts, type Model, once, sinceEvent, type Table } from './model.ts'
import { gaugeOf, isJobShown, isPodShown, jobState, podOfJob, podState } from './state.ts'

type Value = string | number
/** What a column sorts by. Ids are those of the columns in panels/jobs and panels/pods. */
const JOB_KEYS: Record<string, (job: Job, facts: Facts) => Value> = {
  job: job => job.spec.jobId,
  pod: (job, facts) => podOfJob(job, facts)?.id ?? '~',
  status: (job, facts) => jobState(job, facts).word,
  progress: (job, facts) => gaugeOf(job, facts)?.fraction ?? (job.status === 'completed' ? 2 : -1),
  age: job => job.attempts[0]?.requestedAt ?? Number.MAX_SAFE_INTEGER,
  cost: (job, facts) => -jobCost(facts.fleet, job, facts.now, allocationOf(facts)),
}
const POD_KEYS: Record<string, (pod: Pod, facts: Facts) => Value> = {
  pod: pod => pod.id,
  status: pod => podState(pod).word,
  job: pod => pod.jobKey ?? '~',
  gpu: pod => pod.offer.gpuName,
  util: (pod, facts) => -(facts.gauges.pods.get(pod.id)?.gpuUtil ?? -1),
  age: pod => pod.requestedAt,
  rate: pod => -pod.offer.perHour,
  cost: (pod, facts) => -podCost(pod, facts.now),
}
/** The ways a table can be sorted; the first is attention first. */
export const JOB_SORTS: readonly string[] = ['', ...Object.keys(JOB_KEYS)]
export const POD_SORTS: readonly string[] = ['', ...Object.keys(POD_KEYS)]

// What runs, then what went wrong, then what is to come, then what is done: with 5,000 jobs the first screen still tells.
const JOB_RANK: Record<Job['status'], number> = { running: 0, failed: 1, waiting: 2, completed: 3, cancelled: 4 }

const LASTING_SORTS: readonly string[] = ['', 'job', 'pod', 'age', 'gpu', 'rate']

export function jobOrder(model: Model, facts: Facts): readonly string[] {
  // Only the filter and some columns look at gauges and the time.
  const keep = model.filter === '' && LASTING_SORTS.includes(model.jobs.sort) ? sinceEvent : once
  return keep(facts, `jobs ${model.jobs.sort} ${model.jobs.reverse} ${model.filter}`, () => {
    const listed: Job[] = []
    const needle = model.filter.toLowerCase()
    for (const job of facts.fleet.jobs.values())
      if (isJobShown(job, facts) && (needle === '' || textOfJob(job, facts).includes(needle))) listed.push(job)
    const key = JOB_KEYS[model.jobs.sort]
    const sorted = key
      ? sortBy(listed, job => key(job, facts))
      : facts.runId === null
        ? sortBy(listed, job => JOB_RANK[job.status] * 1e15 - (facts.fleet.runs.get(job.runId)?.openedAt ?? 0))
        : ranked(listed, job => JOB_RANK[job.status])
    return finish(sorted, model.jobs, job => job.key)
  })
}

export function podOrder(model: Model, facts: Facts): readonly string[] {
  const keep = model.filter === '' && LASTING_SORTS.includes(model.pods.sort) ? sinceEvent : once
  return keep(facts, `pods ${model.pods.sort} ${model.pods.reverse} ${model.filter}`, () => {
    const listed: Pod[] = []
    const needle = model.filter.toLowerCase()
    for (const pod of facts.fleet.pods.values())
      if (isPodShown(pod, facts) && (needle === '' || textOfPod(pod).includes(needle))) listed.push(pod)
    const key = POD_KEYS[model.pods.sort]
    const sorted = key ? sortBy(listed, pod => key(pod, facts)) : ranked(listed, pod => (mayBill(pod) ? 0 : 1))
    return finish(sorted, model.pods, pod => pod.id)
  })
}

/** By a small whole number, equal ones in the order they came: one pass, no comparisons. */
function ranked<Row>(rows: Row[], rank: (row: Row) => number): Row[] {
  const groups: Row[][] = [[], [], [], [], []]
  for (const row of rows) groups[rank(row)]?.push(row)
  return groups.flat()
}

function sortBy<Row>(rows: Row[], key: (row: Row) => Value): Row[] {
  return rows
    .map(row => ({ row, key: key(row) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(entry => entry.row)
}

function finish<Row>(rows: Row[], table: Table, id: (row: Row) => string): string[] {
  const ids = rows.map(id)
  return table.reverse ? ids.reverse() : ids
}

function textOfJob(job: Job, facts: Facts): string {
  const pod = podOfJob(job, facts)
  const words = [job.spec.jobId, job.spec.template, jobState(job, facts).word, job.fault?.message, pod?.id]
  return [...words, pod?.offer.gpuName].join(' ').toLowerCase()
}

function textOfPod(pod: Pod): string {
  return [pod.id, pod.name, pod.ref, pod.offer.gpuName, pod.jobKey, podState(pod).word].join(' ').toLowerCase()
}
