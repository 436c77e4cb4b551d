// The result document (version 1) and the exit code of a run: scripts rely on both.
import { relative } from 'node:path'
import { allocate, jobCost } from '../domain/cost.ts'
import type { Fleet } from '../domain/fleet.ts'
import type { Job } from '../domain/job.ts'
import { billedMs, mayBill, type Pod, podCost } from '../domain/pod.ts'
import { costOfPods, jobsOfRun, paidWith, podsOfRun } from '../domain/review.ts'
import type { Run } from '../domain/run.ts'
import { usdFromMicro } from '../domain/units.ts'
import { EXIT } from './exit.ts'

export function resultOf(fleet: Fleet, run: Run, now: number, cwd: string) {
  const until = run.closedAt ?? now
  const pods = podsOfRun(fleet, run)
  const paid = paidWith(fleet, pods)
  const allocation = allocate(fleet)
  return {
    version: 1,
    run_id: run.id,
    // Not waited for to the end; who reads the document knows only final words.
    status: run.status === 'running' && run.cancelRequested ? 'cancelled' : run.status,
    started_at: new Date(run.openedAt).toISOString(),
    finished_at: run.closedAt === null ? null : new Date(run.closedAt).toISOString(),
    duration_s: seconds(until - run.openedAt),
    cost_usd: usdFromMicro(costOfPods(pods, now)),
    jobs: jobsOfRun(fleet, run).map(job => {
      const pod = fleet.pods.get(job.attempts.at(-1)?.podId ?? '')
      const begun = job.attempts[0]?.requestedAt
      return {
        job_id: job.spec.jobId,
        status: job.status,
        attempts: job.attempts.length,
        pod_id: pod?.ref ?? null,
        local_port: pod?.localPort ?? null,
        duration_s: begun === undefined ? 0 : seconds((job.settledAt ?? now) - begun),
        cost_usd: usdFromMicro(jobCost(paid, job, now, allocation)),
        outputs: job.published.map(file => ({ ...file, path: file.path && (relative(cwd, file.path) || file.path) })),
        error: job.fault && job.status !== 'completed' ? errorOf(job) : null,
      }
    }),
    pods: pods.map(pod => ({
      pod_id: pod.ref,
      name: pod.name,
      provider: pod.provider,
      gpu_type: pod.offer.gpuType,
      gpu_count: pod.offer.gpuCount,
      price_usd_per_hour: usdFromMicro(pod.offer.perHour),
      // To the millisecond: times the price it is the cost.
      billed_s: Math.round(billedMs(pod, now)) / 1000,
      cost_usd: usdFromMicro(podCost(pod, now)),
      local_port: pod.localPort,
      status: pod.status === 'gone' ? 'terminated' : pod.status === 'releasing' ? 'terminating' : pod.status,
    })),
  }
}

function errorOf(job: Job) {
  const { kind, code, message, hint = null, node } = job.fault as NonNullable<Job['fault']>
  return { kind, code, message, hint, node: node ? { id: node.id, class_type: node.classType } : null }
}

/** Left on purpose. A pod on its way out (of a run that was cancelled, say) is not, whatever `--keep` said. */
export function isKept(pod: Pod, run: Run): boolean {
  return run.policy.keep && (pod.status === 'ready' || pod.status === 'stopped')
}

/** Of a run that is over. */
export function exitCodeOf(fleet: Fleet, run: Run): number {
  const jobs = jobsOfRun(fleet, run)
  if (podsOfRun(fleet, run).some(pod => mayBill(pod) && !isKept(pod, run))) return EXIT.billing
  const failed = jobs.filter(job => job.status === 'failed')
  if (run.status === 'needs_operator') return EXIT.operator
  if (run.status === 'budget_reached') return EXIT.budget
  if (failed.length > 0) return failed.every(job => job.fault?.kind === 'capacity') ? EXIT.capacity : EXIT.failed
  if (run.status === 'cancelled') return run.cancelRequested ? EXIT.interrupted : EXIT.failed
  return EXIT.ok
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10
}
