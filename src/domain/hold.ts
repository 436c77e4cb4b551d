// Why jobs wait although their run may have more pods: its limits of money. For whoever looks on; the plan asks the offers themselves.
import { openPurse } from './admission.ts'
import { openJobs, podsOf } from './census.ts'
import type { Fleet } from './fleet.ts'
import type { Limits } from './limits.ts'
import { isUsable, mayBill } from './pod.ts'
import type { Run } from './run.ts'
import { hourlyFull } from './scaling.ts'
import type { Micro, Millis } from './units.ts'

/** So many jobs wait for pods at work to end, because another one like the cheapest of them would pass the limit. */
export type Hold =
  | { jobs: number; limit: 'hourly'; taken: Micro; max: Micro }
  | { jobs: number; limit: 'cost'; max: Micro }

/** null: nothing waits, or not for money. */
export function holdOf(fleet: Fleet, run: Run, now: Millis, limits: Limits): Hold | null {
  const pods = podsOf(fleet, run).filter(pod => mayBill(pod) && pod.status !== 'stopped')
  if (pods.length === 0 || pods.length >= run.policy.podsMax || run.limitReached) return null
  const purse = openPurse(fleet, run, now, limits)
  const free = pods.filter(pod => isUsable(pod) && !pod.jobKey && !pod.draining)
  const left = openJobs(fleet)
    .filter(job => job.runId === run.id && job.status === 'waiting' && job.dueAt <= now && !job.cancelRequested)
    .filter((job, at) => !(free[at] && purse.takeJob(job, free[at])))
  const [first] = left
  if (!first) return null
  const full = hourlyFull(fleet, run)
  if (full) return { jobs: left.length, limit: 'hourly', ...full }
  const { costMax } = run.policy
  if (costMax === null || pods.some(pod => purse.takePod(first, pod.offer))) return null
  return { jobs: left.length, limit: 'cost', max: costMax }
}
