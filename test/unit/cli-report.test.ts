// The result document and the exit code: scripts rely on both. Runs are told as facts and folded like the journal.
import { describe, expect, it } from 'vitest'
import { EXIT } from '../../src/cli/exit.ts'
import { summary } from '../../src/cli/plain.ts'
import { exitCodeOf, resultOf } from '../../src/cli/report.ts'
import type { Fact } from '../../src/domain/event.ts'
import type { FaultData, FaultKind } from '../../src/domain/fault.ts'
import type { Fleet } from '../../src/domain/fleet.ts'
import { outcomeOf } from '../../src/domain/plan.ts'
import { jobsOfRun, podsOfRun } from '../../src/domain/review.ts'
import type { Run } from '../../src/domain/run.ts'
import { ARTIFACT, keyOf, policyOf, RUN, type Story, specOf, story, T0 } from './fleet-story.ts'

const runOf = (fleet: Fleet, id = RUN) => fleet.runs.get(id) as Run
const FILE = { name: 'picture', path: '/jobs/out/a.png', url: null, bytes: 1234, sha256: 'ab' }

const complete = (s: Story, jobId: string, podId: string) =>
  s
    .start(jobId, podId)
    .wait(36_000)
    .tell(
      {
        type: 'attempt.succeeded',
        jobKey: keyOf(jobId),
        attempt: s.fleet.jobs.get(keyOf(jobId))?.attempts.length ?? 0,
      },
      { type: 'job.completed', jobKey: keyOf(jobId), published: [FILE] },
    )
const failed = (s: Story, jobId: string, kind: FaultKind, more: Partial<FaultData> = {}) =>
  s.tell({
    type: 'job.failed',
    jobKey: keyOf(jobId),
    fault: { kind, code: `${kind}_fault`, message: `${jobId} failed`, ...more },
  })
const release = (s: Story, podId: string) =>
  s.tell({ type: 'pod.release_requested', podId, cause: 'no job left for it' }).wait(2000)
const gone = (s: Story, podId: string) => release(s, podId).tell({ type: 'pod.gone', podId, billedUntil: s.now })
/** Closed as the plan would close it. */
const close = (s: Story) => {
  const run = runOf(s.fleet)
  return s.tell({ type: 'run.closed', runId: RUN, status: outcomeOf(run, jobsOfRun(s.fleet, run)) })
}
const codeOf = (s: Story) => [runOf(s.fleet).status, exitCodeOf(s.fleet, runOf(s.fleet))]
const result = (s: Story) => resultOf(s.fleet, runOf(s.fleet), s.now, '/jobs')

describe('the exit code', () => {
  const done = () => gone(complete(story().run().jobs('a').pod('p'), 'a', 'p'), 'p')

  it('is 0 when every job is done and every pod proven gone', () => {
    expect(codeOf(close(done()))).toEqual(['completed', EXIT.ok])
  })

  it('is 1 when a job failed, were it beside one that found no machine', () => {
    const some = (kinds: FaultKind[]) => {
      const s = gone(complete(story().run().jobs('a', 'b', 'c').pod('p'), 'a', 'p'), 'p')
      for (const [index, kind] of kinds.entries()) failed(s, ['b', 'c'][index] as string, kind)
      return codeOf(close(s))
    }
    expect(some(['job', 'job'])).toEqual(['failed', EXIT.failed])
    expect(some(['capacity', 'pod'])).toEqual(['failed', EXIT.failed])
  })

  it('is 5 when jobs failed for nothing but want of a machine', () => {
    const s = gone(complete(story().run().jobs('a', 'b').pod('p'), 'a', 'p'), 'p')
    expect(codeOf(close(failed(s, 'b', 'capacity')))).toEqual(['failed', EXIT.capacity])
  })

  it('is 3 when a person is needed, whatever else failed', () => {
    const s = failed(failed(story().run().jobs('a', 'b'), 'a', 'operator'), 'b', 'capacity')
    expect(codeOf(close(s))).toEqual(['needs_operator', EXIT.operator])
  })

  it('is 4 when a limit of the run was reached, of money as of time', () => {
    for (const limit of ['cost', 'time'] as const) {
      const s = story().run().jobs('a').tell({ type: 'run.limit_reached', runId: RUN, limit })
      expect(codeOf(close(failed(s, 'a', 'job', { code: 'budget_reached' })))).toEqual(['budget_reached', EXIT.budget])
    }
  })

  it('is 130 when the run was interrupted, and 1 when only its jobs were cancelled', () => {
    const cancelled: Fact = { type: 'job.cancelled', jobKey: keyOf('a') }
    const interrupted = story().run().jobs('a').tell({ type: 'run.cancel_requested', runId: RUN }, cancelled)
    expect(codeOf(close(interrupted))).toEqual(['cancelled', EXIT.interrupted])
    const asked = story()
      .run()
      .jobs('a')
      .tell({ type: 'job.cancel_requested', jobKey: keyOf('a') }, cancelled)
    expect(codeOf(close(asked))).toEqual(['cancelled', EXIT.failed])
  })

  it('is 6 while a pod may still be billed, before all else, and names it in the document', () => {
    for (const kind of ['job', 'operator', 'capacity'] as const) {
      const s = release(failed(story().run().jobs('a').pod('p'), 'a', kind), 'p')
      expect(codeOf(close(s))[1]).toBe(EXIT.billing)
      expect(result(s).pods).toMatchObject([{ name: 'autopod-home-p', status: 'terminating' }])
    }
    const unanswered = failed(story().run().jobs('a').pod('p', 'requested'), 'a', 'job')
    expect(codeOf(close(unanswered))[1]).toBe(EXIT.billing)
    expect(result(unanswered).pods).toMatchObject([{ pod_id: null, status: 'requested' }])
  })

  it('is 0 for pods that were to be kept, but 6 for one that was to go and did not', () => {
    const kept = () => complete(story().run({ keep: true }).jobs('a').pod('p'), 'a', 'p')
    expect(codeOf(close(kept()))).toEqual(['completed', EXIT.ok])
    const paused = kept().tell(
      { type: 'pod.stop_requested', podId: 'p' },
      { type: 'pod.stopped', podId: 'p', perHour: 0 },
    )
    expect(codeOf(close(paused))).toEqual(['completed', EXIT.ok])
    expect(codeOf(close(release(kept(), 'p')))).toEqual(['completed', EXIT.billing])
    expect(codeOf(close(kept().pod('q', 'booting')))).toEqual(['completed', EXIT.billing])
  })

  it('does not count an order that the provider refused', () => {
    const s = failed(story().run().jobs('a').pod('p', 'requested'), 'a', 'capacity')
    s.tell({ type: 'pod.refused', podId: 'p', fault: { kind: 'capacity', code: 'no_capacity', message: 'none' } })
    expect(codeOf(close(s))).toEqual(['failed', EXIT.capacity])
    expect(result(s)).toMatchObject({ cost_usd: 0, pods: [] })
  })
})

describe('the result document', () => {
  it('tells everything of a run that went well', () => {
    const s = story().run().jobs('a').pod('p', 'requested').wait(10_000)
    s.tell(
      { type: 'pod.created', podId: 'p', ref: 'ref-p', perHour: 360_000 },
      { type: 'pod.port_held', podId: 'p', localPort: 8188 },
    )
    s.tell({ type: 'pod.ready', podId: 'p' })
    complete(s, 'a', 'p')
    close(gone(s, 'p'))
    s.wait(3_600_000)
    expect(result(s)).toEqual({
      version: 1,
      run_id: RUN,
      status: 'completed',
      started_at: new Date(T0).toISOString(),
      finished_at: new Date(T0 + 48_000).toISOString(),
      duration_s: 48,
      // 48 s at $0.36 an hour; nothing more, however late it is asked.
      cost_usd: 0.0048,
      jobs: [
        {
          job_id: 'a',
          status: 'completed',
          attempts: 1,
          pod_id: 'ref-p',
          local_port: 8188,
          duration_s: 36,
          cost_usd: 0.0048,
          outputs: [{ ...FILE, path: 'out/a.png' }],
          error: null,
        },
      ],
      pods: [
        {
          pod_id: 'ref-p',
          name: 'autopod-home-p',
          provider: 'cloud',
          gpu_type: 'NVIDIA A40',
          gpu_count: 1,
          price_usd_per_hour: 0.36,
          billed_s: 48,
          cost_usd: 0.0048,
          local_port: 8188,
          status: 'terminated',
        },
      ],
    })
    expect(JSON.parse(JSON.stringify(result(s)))).toEqual(result(s))
  })

  it('counts the seconds that a pod was billed for, not those until the proof that it is gone', () => {
    const s = gone(complete(story().run().jobs('a').pod('p').wait(8_700), 'a', 'p'), 'p')
    s.tell({ type: 'pod.billed', podId: 'p', micro: 741 })
    const [pod] = result(s).pods
    expect(pod).toMatchObject({ billed_s: 7.41, cost_usd: 0.000741 })
    expect(((pod?.billed_s ?? 0) * (pod?.price_usd_per_hour ?? 0)) / 3600).toBeCloseTo(pod?.cost_usd ?? 0, 9)
  })

  it('of a launch that only publishes again has no pods, and costs nothing', () => {
    const s = story().run().jobs('a').pod('p').start('a', 'p').wait(8_700)
    s.tell({ type: 'artifact.stored', jobKey: keyOf('a'), attempt: 1, artifact: ARTIFACT })
    s.tell({ type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 1 })
    close(gone(failed(s, 'a', 'operator', { code: 'disk_full' }), 'p')).wait(1000)
    const { policy } = s.fleet.runs.get(RUN) as Run
    s.tell({ type: 'run.opened', runId: 'run_2', policy, follows: [keyOf('a')] })
    s.tell({ type: 'job.retry_requested', jobKey: keyOf('a') })
    s.tell({ type: 'job.completed', jobKey: keyOf('a'), published: [] })
    expect(resultOf(s.fleet, s.fleet.runs.get('run_2') as Run, s.now, '/')).toMatchObject({
      cost_usd: 0,
      jobs: [{ status: 'completed', attempts: 1, cost_usd: 0 }],
      pods: [],
    })
  })

  it('has the error of a job that failed, with its node and null for what is not known', () => {
    const s = story().run().jobs('a', 'b', 'c')
    failed(s, 'a', 'job', { hint: 'Mend it.', node: { id: '4', classType: 'KSampler' } })
    failed(s, 'b', 'pod')
    const errors = result(s).jobs.map(job => job.error)
    expect(errors).toEqual([
      {
        kind: 'job',
        code: 'job_fault',
        message: 'a failed',
        hint: 'Mend it.',
        node: { id: '4', class_type: 'KSampler' },
      },
      { kind: 'pod', code: 'pod_fault', message: 'b failed', hint: null, node: null },
      null,
    ])
    expect(result(s).jobs[2]).toMatchObject({
      status: 'waiting',
      attempts: 0,
      pod_id: null,
      duration_s: 0,
      cost_usd: 0,
    })
    expect(result(s)).toMatchObject({ status: 'running', finished_at: null })
  })

  it('forgets the fault of an earlier attempt once the job is done, and counts every attempt', () => {
    const s = story().run().jobs('a').pod('p').start('a', 'p').wait(10_000).fail('a', 'pod')
    expect(result(s).jobs[0]).toMatchObject({ status: 'waiting', error: { kind: 'pod' } })
    s.pod('q')
    complete(s, 'a', 'q')
    expect(result(s).jobs[0]).toMatchObject({
      status: 'completed',
      attempts: 2,
      error: null,
      pod_id: 'ref-q',
      duration_s: 46,
    })
  })

  it('gives every pod’s cost to the jobs that needed it, to the micro-dollar', () => {
    const s = story().run().jobs('a', 'b').pod('p', 'ready', { perHour: 777_777 }).wait(12_345)
    complete(complete(s, 'a', 'p').wait(777), 'b', 'p')
    close(gone(s, 'p'))
    const { jobs, pods, cost_usd } = result(s)
    expect(jobs[0]?.cost_usd).toBeGreaterThan(jobs[1]?.cost_usd ?? 0)
    expect(jobs.reduce((sum, job) => sum + job.cost_usd, 0)).toBeCloseTo(cost_usd, 9)
    expect(pods.reduce((sum, pod) => sum + pod.cost_usd, 0)).toBeCloseTo(cost_usd, 9)
  })

  it('lists jobs by their files, numbers as numbers, and files outside the folder by their way', () => {
    const s = story().run().jobs('job-10', 'job-2', 'job-1')
    expect(result(s).jobs.map(job => job.job_id)).toEqual(['job-1', 'job-2', 'job-10'])
    const t = complete(story().run().jobs('a').pod('p'), 'a', 'p')
    expect(resultOf(t.fleet, runOf(t.fleet), t.now, '/jobs/here').jobs[0]?.outputs[0]?.path).toBe('../out/a.png')
  })

  it('has a final word for a run that was cancelled and not waited for', () => {
    const s = story().run().jobs('a').tell({ type: 'run.cancel_requested', runId: RUN })
    expect(result(s)).toMatchObject({ status: 'cancelled', finished_at: null })
  })

  it('counts jobs it only followed, and pods of their run as long as these were there', () => {
    const LATER = 'run_20261122_000001_b2c3d4e5'
    const follow = (s: Story) =>
      s.wait(1000).tell({ type: 'run.opened', runId: LATER, policy: policyOf(), follows: [keyOf('a')] })
    const s = complete(follow(story().run().jobs('a').pod('p')), 'a', 'p')
    s.tell({ type: 'job.queued', runId: LATER, spec: specOf('z') })
    expect(jobsOfRun(s.fleet, runOf(s.fleet, LATER)).map(job => job.spec.jobId)).toEqual(['a', 'z'])
    expect(podsOfRun(s.fleet, runOf(s.fleet, LATER)).map(pod => pod.id)).toEqual(['p'])
    expect(exitCodeOf(s.fleet, runOf(s.fleet, LATER))).toBe(EXIT.billing)
    // What was over before costs the later launch nothing.
    const over = follow(close(gone(complete(story().run().jobs('a').pod('p'), 'a', 'p'), 'p')))
    expect(resultOf(over.fleet, runOf(over.fleet, LATER), over.now, '/jobs')).toMatchObject({ cost_usd: 0, pods: [] })
    const words = summary(over.fleet, runOf(over.fleet, LATER), over.now, '/jobs')
    expect(words).toMatch(/^a +completed +\S+ +\$0\.00 +out/m)
    expect(words).toContain('1 of 1 job completed')
  })
})
