// Fleets for the tests of pure rules, told as facts: each `tell` folds one more, so a test reads like the journal it means.
import type { Event, Fact } from '../../src/domain/event.ts'
import type { FaultKind } from '../../src/domain/fault.ts'
import { apply, emptyFleet, type Fleet } from '../../src/domain/fleet.ts'
import { type Artifact, bareSpec, type JobSpec } from '../../src/domain/job.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { needKey, needOf } from '../../src/domain/placement.ts'
import type { Offer } from '../../src/domain/pod.ts'
import type { Policy } from '../../src/domain/run.ts'
import type { World } from '../../src/domain/world.ts'

export const T0 = Date.UTC(2026, 10, 22)
export const RUN = 'run_20261122_000000_a1b2c3d4'
export const keyOf = (jobId: string) => `${RUN}/${jobId}`

export function policyOf(policy: Partial<Policy> = {}): Policy {
  return {
    provider: 'cloud',
    podsMax: 3,
    gpuTypes: [],
    gpuCount: 1,
    regions: [],
    cloud: null,
    costMax: null,
    perHourMax: null,
    timeoutMs: null,
    retries: 1,
    reuse: true,
    keep: false,
    ...policy,
  }
}

export function specOf(jobId: string, spec: Partial<JobSpec> = {}): JobSpec {
  return bareSpec({
    jobId,
    digest: `digest of ${jobId}`,
    source: `/jobs/${jobId}.json`,
    executor: 'comfy',
    template: 'resize',
    ...spec,
  })
}

export function offerOf(offer: Partial<Offer> = {}): Offer {
  return {
    provider: 'cloud',
    gpuType: 'NVIDIA A40',
    gpuName: 'A40',
    gpuCount: 1,
    vramGb: 48,
    cloud: 'secure',
    region: null,
    perHour: 360_000,
    stock: 'high',
    ...offer,
  }
}

export const ARTIFACT: Artifact = {
  name: 'picture',
  nodeId: '9',
  file: 'picture.png',
  index: 0,
  key: `out/${RUN}/a/1/picture.png`,
  sha256: 'ab',
  bytes: 1234,
}

export type Story = {
  fleet: Fleet
  events: Event[]
  now: number
  /** Folds facts at the present moment. */
  tell(...facts: Fact[]): Story
  /** Time passes. */
  wait(ms: number): Story
  run(policy?: Partial<Policy>): Story
  jobs(...specs: (string | JobSpec)[]): Story
  /** A pod up to this status. */
  pod(podId: string, status?: 'requested' | 'booting' | 'ready', offer?: Partial<Offer>): Story
  /** The next attempt of the job starts on the pod. */
  start(jobId: string, podId: string, how?: { freeFirst: true }): Story
  fail(jobId: string, kind: FaultKind, code?: string): Story
}

export function story(): Story {
  const fleet = emptyFleet()
  const events: Event[] = []
  const self: Story = {
    fleet,
    events,
    now: T0,
    tell(...facts) {
      for (const fact of facts) {
        const event: Event = { ...fact, seq: fleet.seq + 1, at: self.now }
        apply(fleet, event)
        events.push(event)
      }
      return self
    },
    wait(ms) {
      self.now += ms
      return self
    },
    run: policy => self.tell({ type: 'run.opened', runId: RUN, policy: policyOf(policy), follows: [] }),
    jobs: (...specs) =>
      self.tell(
        ...specs.map(
          (spec): Fact => ({ type: 'job.queued', runId: RUN, spec: typeof spec === 'string' ? specOf(spec) : spec }),
        ),
      ),
    pod(podId, status = 'ready', offer = {}) {
      const { perHour } = offerOf(offer)
      self.tell({ type: 'pod.requested', podId, runId: RUN, name: `autopod-home-${podId}`, offer: offerOf(offer) })
      if (status !== 'requested') self.tell({ type: 'pod.created', podId, ref: `ref-${podId}`, perHour })
      if (status === 'ready') self.tell({ type: 'pod.ready', podId })
      return self
    },
    start(jobId, podId, how) {
      const attempt = (fleet.jobs.get(keyOf(jobId))?.attempts.length ?? 0) + 1
      const jobKey = keyOf(jobId)
      return self.tell(
        { type: 'attempt.requested', jobKey, attempt, podId, promptId: `prompt-${jobId}-${attempt}`, ...how },
        { type: 'attempt.started', jobKey, attempt },
      )
    },
    fail: (jobId, kind, code = `${kind}_fault`) =>
      self.tell({
        type: 'attempt.failed',
        jobKey: keyOf(jobId),
        attempt: fleet.jobs.get(keyOf(jobId))?.attempts.length ?? 0,
        fault: { kind, code, message: code },
      }),
  }
  return self
}

/** What the shell knows besides: these offers, fresh, for every need of the story's jobs. */
export function worldOf({ fleet, now }: Story, offers: Offer[] | null = [offerOf()]): World {
  const known = new Map<string, { offers: Offer[]; at: number }>()
  for (const job of fleet.jobs.values()) {
    const run = fleet.runs.get(job.runId)
    if (run && offers) known.set(needKey(needOf(job.spec, run.policy, job.vramGbAbove)), { offers, at: now })
  }
  return { offers: known, home8: 'homehome', limits: DEFAULT_LIMITS }
}
