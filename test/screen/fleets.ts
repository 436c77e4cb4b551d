// Fleets for screens, made by folding real events: what the fold would refuse cannot be shown by mistake.

import type { Fact } from '../../src/domain/event.ts'
import { apply, emptyFleet, type Fleet } from '../../src/domain/fleet.ts'
import type { Gauges, JobGauge, PodGauge } from '../../src/domain/gauge.ts'
import { bareSpec, type JobSpec } from '../../src/domain/job.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import type { Offer } from '../../src/domain/pod.ts'
import type { Policy } from '../../src/domain/run.ts'
import { openMarks } from '../../src/edge/logs/marks.ts'
import type { Facts, Found, Log, LogLine, Picture, Subject } from '../../src/tui/model.ts'

/** Stands for a line that rotation took away. */
export const GONE = '(gone)'
const LINE_BYTES = 100

export const RUN = 'run_20261122_140000_c0ffa1b2'
/** 2026-11-22 14:00:00 UTC */
export const START = Date.UTC(2026, 10, 22, 14, 0, 0)
export const SECOND = 1000
export const MINUTE = 60_000

export const A40: Offer = {
  provider: 'runpod',
  gpuType: 'NVIDIA A40',
  gpuName: 'A40',
  gpuCount: 1,
  vramGb: 48,
  cloud: 'secure',
  region: 'EU-SE-1',
  perHour: 490_000,
  stock: 'high',
}

export const POLICY: Policy = {
  provider: 'runpod',
  podsMax: 8,
  gpuTypes: ['A40'],
  gpuCount: 1,
  regions: [],
  cloud: null,
  costMax: 10_000_000,
  perHourMax: null,
  timeoutMs: null,
  retries: 1,
  reuse: true,
  keep: false,
}

export function spec(jobId: string): JobSpec {
  return bareSpec({
    jobId,
    digest: jobId,
    source: `/home/kim/jobs/${jobId}.json`,
    executor: 'comfy',
    template: 'img2vid-basic',
    inputs: [
      { name: 'image', source: '/home/kim/in/a.png', sha256: 'aa', bytes: 34_000_000, podPath: 'autopod/aa.png' },
      { name: 'audio', source: '/home/kim/in/b.wav', sha256: 'bb', bytes: 200_000_000, podPath: 'autopod/bb.wav' },
    ],
    outputs: [{ name: 'video', nodeId: '9', target: `/home/kim/out/${jobId}.{ext}` }],
  })
}

export type World = {
  fleet: Fleet
  gauges: { jobs: Map<string, JobGauge>; pods: Map<string, PodGauge>; balance: Gauges['balance'] }
  /** Appends at the world's present time. */
  add(...facts: Fact[]): void
  /** Moves time on. */
  pass(ms: number): void
  now(): number
  lines: Map<string, LogLine[]>
  pictures: Map<string, Picture>
  /** Asks for a pod and takes it to `ready`, 90 s in all. */
  podReady(id: string, port: number): void
  startJob(jobId: string, podId: string, attempt?: number): void
  jobGauge(jobId: string, gauge: Partial<JobGauge>): void
  podGauge(podId: string, gauge: Partial<PodGauge>): void
}

export function newWorld(runs: string[] = [RUN]): World {
  const fleet = emptyFleet()
  const gauges: World['gauges'] = { jobs: new Map(), pods: new Map(), balance: null }
  let now = START
  const world: World = {
    fleet,
    gauges,
    lines: new Map(),
    pictures: new Map(),
    now: () => now,
    add(...facts) {
      for (const fact of facts) apply(fleet, { ...fact, seq: fleet.seq + 1, at: now })
    },
    pass(ms) {
      now += ms
    },
    podReady(podId, localPort) {
      world.add({ type: 'pod.requested', podId, runId: RUN, name: `autopod-a-b-${podId}`, offer: A40 })
      world.pass(2 * SECOND)
      world.add(
        { type: 'pod.created', podId, ref: `ref-${podId}`, perHour: A40.perHour },
        { type: 'pod.port_held', podId, localPort },
      )
      world.pass(40 * SECOND)
      world.add({ type: 'pod.addressed', podId, address: { host: '203.0.113.7', port: 22022, user: 'root' } })
      world.pass(48 * SECOND)
      world.add({ type: 'pod.stage_reached', podId, stage: 'comfy' }, { type: 'pod.ready', podId })
    },
    startJob(jobId, podId, attempt = 1) {
      const jobKey = `${RUN}/${jobId}`
      world.add({ type: 'attempt.requested', jobKey, attempt, podId, promptId: `prompt-${jobId}-${attempt}` })
      world.pass(4 * SECOND)
      world.add({ type: 'attempt.started', jobKey, attempt })
    },
    jobGauge(jobId, gauge) {
      world.gauges.jobs.set(`${RUN}/${jobId}`, {
        at: now,
        phase: 'running',
        fraction: null,
        nodeId: null,
        nodeTitle: null,
        step: null,
        steps: null,
        perSecond: null,
        bytes: null,
        bytesTotal: null,
        attempt: 1,
        ...gauge,
      })
    },
    podGauge(podId, gauge) {
      world.gauges.pods.set(podId, {
        at: now,
        gpuUtil: 0,
        memUtil: 0,
        vramUsedMiB: 0,
        vramTotalMiB: 49_152,
        history: [],
        note: null,
        ...gauge,
      })
    },
  }
  world.add({ type: 'engine.started', engineId: 'e1', pid: 4711, version: '0.1.0' })
  for (const runId of runs) world.add({ type: 'run.opened', runId, policy: POLICY, follows: [] })
  return world
}

export function queue(world: World, jobIds: string[], runId = RUN): void {
  for (const jobId of jobIds) world.add({ type: 'job.queued', runId, spec: spec(jobId) })
}

/** Eight jobs on three pods: two render, one failed, one is done, one is sent, three wait; one pod boots, one is being ended. */
export function busyWorld(): World {
  const world = newWorld()
  queue(
    world,
    [1, 2, 3, 4, 5, 6, 7, 8].map(n => `job-00${n}`),
  )
  world.podReady('pod-0001', 8188)
  world.podReady('pod-0002', 8189)
  world.podReady('pod-0003', 8190)
  world.startJob('job-004', 'pod-0003')
  world.startJob('job-003', 'pod-0001')
  world.startJob('job-002', 'pod-0002')
  world.pass(3 * MINUTE)
  const artifact = {
    name: 'video',
    nodeId: '9',
    file: 'a.webp',
    index: 0,
    key: 'out/a',
    sha256: 'cc',
    bytes: 1_234_567,
  }
  world.add(
    { type: 'artifact.stored', jobKey: `${RUN}/job-004`, attempt: 1, artifact },
    { type: 'attempt.succeeded', jobKey: `${RUN}/job-004`, attempt: 1 },
    {
      type: 'job.completed',
      jobKey: `${RUN}/job-004`,
      published: [{ name: 'video', path: '/home/kim/out/job-004.webp', url: null, bytes: 1_234_567, sha256: 'cc' }],
    },
  )
  const fault = {
    kind: 'job' as const,
    code: 'memory_exhausted',
    message: 'out of memory at node 12 KSampler',
    hint: 'Take a GPU with more than 48 GB, or a smaller picture.',
    node: { id: '12', classType: 'KSampler' },
  }
  world.add(
    { type: 'attempt.failed', jobKey: `${RUN}/job-003`, attempt: 1, fault },
    { type: 'job.failed', jobKey: `${RUN}/job-003`, fault },
  )
  world.startJob('job-001', 'pod-0001')
  world.startJob('job-005', 'pod-0003')
  world.pass(2 * MINUTE)
  world.add({ type: 'pod.requested', podId: 'pod-0004', runId: RUN, name: 'autopod-a-b-0004', offer: A40 })
  world.add(
    { type: 'pod.created', podId: 'pod-0004', ref: 'ref-4', perHour: 490_000 },
    { type: 'pod.stage_reached', podId: 'pod-0004', stage: 'placed' },
  )
  world.pass(30 * SECOND)
  const history = [0, 10, 40, 95, 97, 98, 60, 80, 98]
  world.jobGauge('job-001', {
    fraction: 0.67,
    nodeId: '7',
    nodeTitle: 'KSampler',
    step: 182,
    steps: 240,
    perSecond: 1.2,
  })
  world.jobGauge('job-002', {
    fraction: 0.23,
    nodeId: '7',
    nodeTitle: 'KSampler',
    step: 40,
    steps: 240,
    perSecond: 0.2,
  })
  world.jobGauge('job-005', { phase: 'inputs', fraction: 0.02, bytes: 30_000_000, bytesTotal: 234_000_000 })
  world.podGauge('pod-0001', { gpuUtil: 98, vramUsedMiB: 38 * 1024, memUtil: 71, history })
  world.podGauge('pod-0002', { gpuUtil: 91, vramUsedMiB: 41 * 1024, memUtil: 55, history: history.toReversed() })
  world.podGauge('pod-0003', { gpuUtil: 0, vramUsedMiB: 1024, history: [0, 0, 0] })
  world.podGauge('pod-0004', { note: 'the image is being pulled' })
  world.gauges.balance = { micro: 20_600_000, at: world.now() }
  world.pass(SECOND)
  return world
}

/** Two jobs at work, each on a pod. */
export function twoAtWork(): World {
  const world = newWorld()
  queue(world, ['job-001', 'job-002'])
  world.podReady('pod-0001', 8188)
  world.podReady('pod-0002', 8189)
  world.startJob('job-001', 'pod-0001')
  world.startJob('job-002', 'pod-0002')
  return world
}

/** Two jobs at work; the first has shown no life for six minutes. */
export function stuckWorld(): World {
  const world = twoAtWork()
  world.pass(2 * MINUTE)
  const since = world.now()
  world.pass(5 * MINUTE)
  const silent = ['message', 'gpu', 'log', 'file'] as const
  const reason = 'no message for 5:00, GPU 0 %, no log line, no file'
  const jobKey = `${RUN}/job-001`
  world.add({ type: 'attempt.stuck_warned', jobKey, attempt: 1, since, silent: [...silent], reason })
  world.pass(62 * SECOND)
  const history = [98, 97, 98, 0, 0, 0, 0, 0, 0]
  world.podGauge('pod-0001', { gpuUtil: 0, vramUsedMiB: 38 * 1024, history })
  world.podGauge('pod-0002', { gpuUtil: 98, vramUsedMiB: 38 * 1024, history: history.toReversed() })
  world.jobGauge('job-002', { fraction: 0.4, nodeId: '7', nodeTitle: 'KSampler' })
  return world
}

/** `count` jobs on eight pods, the first ones done, eight at work. */
export function largeWorld(count: number): World {
  const world = newWorld()
  const names = Array.from({ length: count }, (_, index) => `shot-${String(index + 1).padStart(5, '0')}`)
  queue(world, names)
  const pods = Array.from({ length: 8 }, (_, index) => `pod-000${index + 1}`)
  for (const [index, pod] of pods.entries()) world.podReady(pod, 8188 + index)
  const done = Math.floor(count * 0.6)
  for (const [index, jobId] of names.slice(0, done).entries()) {
    const jobKey = `${RUN}/${jobId}`
    world.startJob(jobId, pods[index % 8]!)
    world.pass(SECOND)
    world.add({ type: 'attempt.succeeded', jobKey, attempt: 1 }, { type: 'job.completed', jobKey, published: [] })
  }
  for (const [index, pod] of pods.entries()) {
    const jobId = names[done + index]
    if (!jobId) break
    world.startJob(jobId, pod)
    world.jobGauge(jobId, { fraction: index / 10, nodeId: '3', nodeTitle: 'KSampler' })
    world.podGauge(pod, { gpuUtil: 90 + index, vramUsedMiB: 30_000, history: [10, 50, 90] })
  }
  return world
}

const marks = openMarks()

function linesOf(world: World, subject: Subject): readonly LogLine[] {
  return world.lines.get('podId' in subject ? subject.podId : subject.jobKey) ?? []
}

/** Positions are those of the lines in the world plus the lines that went: `gone` lines of 100 bytes each. */
function logOf(lines: readonly LogLine[]): Log {
  const first = lines.findIndex(line => line.text !== GONE)
  const start = (first === -1 ? lines.length : first) * LINE_BYTES
  const placed = lines.map((line, index) => ({ ...line, from: index * LINE_BYTES, to: (index + 1) * LINE_BYTES }))
  return {
    start,
    end: lines.length * LINE_BYTES,
    forward: (from, count) => placed.filter(line => line.from >= Math.max(from, start)).slice(0, count),
    backward: (to, count) => placed.filter(line => line.from >= start && line.to <= to).slice(-count),
  }
}

function foundIn(lines: readonly LogLine[], text: string): Found {
  const hits = lines.flatMap((line, index) =>
    line.text.toLowerCase().includes(text.toLowerCase()) ? [index * LINE_BYTES] : [],
  )
  return { positions: hits, from: 0, isDone: true }
}

export function factsOf(world: World, changes: Partial<Facts> = {}): Facts {
  return {
    fleet: world.fleet,
    gauges: world.gauges,
    now: world.now(),
    clock: changes.now ?? world.now(),
    runId: RUN,
    limits: DEFAULT_LIMITS,
    engineAlive: true,
    readonly: false,
    endWhenDone: false,
    logs: subject => linesOf(world, subject).slice(-20),
    log: subject => logOf(linesOf(world, subject)),
    find: (subject, text) => foundIn(linesOf(world, subject), text),
    mark: marks,
    preview: key => world.pictures.get(key) ?? null,
    report: () => null,
    zone: () => 0,
    frame: new Map(),
    lasting: new Map(),
    held: new Map(),
    ...changes,
  }
}
