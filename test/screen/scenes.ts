// Worlds for the golden screens that show one thing each: every state, what a person must do, a run that is over.
import type { FaultData } from '../../src/domain/fault.ts'
import type { Picture } from '../../src/tui/model.ts'
import { A40, busyWorld, MINUTE, newWorld, queue, RUN, SECOND, twoAtWork, type World } from './fleets.ts'

export const LINK: FaultData = { kind: 'transient', code: 'link_lost', message: 'no answer' }
const key = (jobId: string) => `${RUN}/${jobId}`

export const gradient = (): Picture => {
  const rgb = new Uint8Array(32 * 24 * 3)
  for (let at = 0; at < rgb.length; at++) rgb[at] = at % 251
  return { width: 32, height: 24, rgb }
}

export function loggedWorld(): World {
  const world = busyWorld()
  const lines = Array.from({ length: 300 }, (_, index) => ({
    at: world.now() - (300 - index) * SECOND,
    text:
      index % 50 === 49 ? `Error: step ${index} gave nan` : `step ${index}: loss 0.${index} ${'x'.repeat(index % 90)}`,
  }))
  world.lines.set(key('job-001'), lines)
  return world
}

export function failedWorld(): World {
  const world = busyWorld()
  const endedAt = world.fleet.jobs.get(key('job-003'))?.attempts[0]?.endedAt ?? 0
  world.lines.set(key('job-003'), [
    { at: endedAt - SECOND, text: 'CUDA out of memory. Tried to allocate 20.00 GiB' },
    { at: endedAt + MINUTE, text: 'a line of the next job on that pod' },
  ])
  return world
}

export function overWorld(): World {
  const world = newWorld()
  queue(world, ['job-001'])
  world.podReady('pod-0001', 8188)
  world.startJob('job-001', 'pod-0001')
  world.pass(MINUTE)
  const jobKey = key('job-001')
  world.add({ type: 'attempt.succeeded', jobKey, attempt: 1 }, { type: 'job.completed', jobKey, published: [] })
  world.add({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'nothing left to do' })
  world.pass(3 * SECOND)
  world.add({ type: 'pod.release_accepted', podId: 'pod-0001' })
  world.pass(20 * SECOND)
  world.add({ type: 'pod.gone', podId: 'pod-0001', billedUntil: world.now() })
  world.add({ type: 'run.closed', runId: RUN, status: 'completed' })
  world.pass(2 * SECOND)
  return world
}

export function bootingWorld(): World {
  const world = newWorld()
  queue(world, ['job-001', 'job-002', 'job-003'])
  for (const podId of ['pod-0001', 'pod-0002'])
    world.add({ type: 'pod.requested', podId, runId: RUN, name: `autopod-a-b-${podId}`, offer: A40 })
  world.pass(3 * SECOND)
  world.add({ type: 'pod.created', podId: 'pod-0001', ref: 'ref-1', perHour: 490_000 })
  world.pass(40 * SECOND)
  world.add({ type: 'pod.stage_reached', podId: 'pod-0001', stage: 'ssh' })
  world.pass(12 * SECOND)
  return world
}

/** A pod that does not end, and one that is not heard of. */
export function troubledWorld(): World {
  const world = busyWorld()
  world.add({ type: 'pod.release_requested', podId: 'pod-0004', cause: 'never became ready' })
  world.pass(2 * MINUTE)
  world.add({ type: 'pod.link_lost', podId: 'pod-0002', fault: LINK })
  world.pass(MINUTE)
  return world
}

/** The first attempt died; the job waits to be tried again. */
export function secondAttempt(isUnderWay: boolean): World {
  const world = twoAtWork()
  world.pass(MINUTE)
  const fault = { kind: 'pod' as const, code: 'tunnel_dead', message: 'the tunnel died' }
  world.add({ type: 'attempt.failed', jobKey: key('job-001'), attempt: 1, fault })
  world.add({ type: 'job.delayed', jobKey: key('job-001'), dueAt: world.now() + 10_000, why: 'tried again in 10 s' })
  world.pass(2 * SECOND)
  if (!isUnderWay) return world
  world.pass(8 * SECOND)
  world.startJob('job-001', 'pod-0001', 2)
  world.pass(10 * MINUTE)
  world.jobGauge('job-001', { fraction: 0.42, attempt: 2 })
  return world
}

const ENDS: FaultData = { kind: 'pod', code: 'boot_late', message: 'ComfyUI did not answer within 15 minutes' }

/** A job in each state that jobs can be in, named after it, and a pod in each that pods can be in. */
export function everyState(): World {
  const world = newWorld()
  queue(world, 'rendering sending saving stuck unknown cancelling starting done failed cancelled again next'.split(' '))
  for (let n = 1; n <= 13; n++) world.podReady(`pod-00${String(n).padStart(2, '0')}`, 8187 + n)
  const work: [string, string][] = [
    ['rendering', 'pod-0001'],
    ['sending', 'pod-0002'],
    ['saving', 'pod-0003'],
    ['stuck', 'pod-0004'],
    ['unknown', 'pod-0005'],
    ['cancelling', 'pod-0006'],
    ['done', 'pod-0007'],
    ['failed', 'pod-0008'],
    ['again', 'pod-0009'],
  ]
  for (const [jobId, podId] of work) world.startJob(jobId, podId)
  const since = world.now()
  world.add({ type: 'attempt.succeeded', jobKey: key('done'), attempt: 1 })
  world.add({ type: 'job.completed', jobKey: key('done'), published: [] })
  const fault = { kind: 'job' as const, code: 'x', message: 'node 3 CLIPLoader: no such file', hint: 'Name the model.' }
  world.add({ type: 'attempt.failed', jobKey: key('failed'), attempt: 1, fault })
  world.add({ type: 'job.failed', jobKey: key('failed'), fault })
  world.add({ type: 'attempt.failed', jobKey: key('again'), attempt: 1, fault: ENDS })
  world.add({ type: 'pod.broken', podId: 'pod-0009', fault: ENDS })
  world.add(
    { type: 'job.cancel_requested', jobKey: key('cancelled') },
    { type: 'job.cancelled', jobKey: key('cancelled') },
  )
  world.add({ type: 'pod.drain_requested', podId: 'pod-0007' })
  world.add({ type: 'attempt.requested', jobKey: key('starting'), attempt: 1, podId: 'pod-0010', promptId: 'p' })
  world.add({ type: 'pod.stop_requested', podId: 'pod-0011' })
  world.add({ type: 'pod.stop_requested', podId: 'pod-0012' })
  world.add({ type: 'pod.stopped', podId: 'pod-0012', perHour: 10_000 })
  world.add({ type: 'pod.release_requested', podId: 'pod-0013', cause: 'idle for 5:00' })
  for (const podId of ['pod-0014', 'pod-0015', 'pod-0016', 'pod-0017', 'pod-0018'])
    world.add({ type: 'pod.requested', podId, runId: RUN, name: `autopod-a-b-${podId}`, offer: A40 })
  world.add({
    type: 'pod.refused',
    podId: 'pod-0018',
    fault: { kind: 'capacity', code: 'x', message: 'no A40 is free' },
  })
  for (const podId of ['pod-0015', 'pod-0016', 'pod-0017'])
    world.add({ type: 'pod.created', podId, ref: `ref-${podId}`, perHour: 490_000 })
  world.add({ type: 'pod.stage_reached', podId: 'pod-0015', stage: 'gpu' })
  world.add({ type: 'pod.broken', podId: 'pod-0016', fault: ENDS })
  world.add({ type: 'pod.release_requested', podId: 'pod-0017', cause: 'no job is left for it' })
  world.add({ type: 'pod.gone', podId: 'pod-0017', billedUntil: world.now() })
  world.pass(5 * MINUTE)
  world.add({ type: 'job.delayed', jobKey: key('again'), dueAt: world.now() + MINUTE, why: 'tried again in 1:00' })
  const silent = ['message', 'gpu', 'log', 'file'] as const
  const reason = 'no message for 5:00, GPU 0 %, no log line, no file'
  world.add({ type: 'attempt.stuck_warned', jobKey: key('stuck'), attempt: 1, since, silent: [...silent], reason })
  world.add({ type: 'pod.link_lost', podId: 'pod-0005', fault: LINK })
  world.add({ type: 'job.cancel_requested', jobKey: key('cancelling') })
  world.pass(30 * SECOND)
  world.jobGauge('rendering', { fraction: 0.67, nodeId: '7', nodeTitle: 'KSampler' })
  world.jobGauge('sending', { phase: 'inputs', fraction: 0.4, bytes: 93_000_000, bytesTotal: 234_000_000 })
  world.jobGauge('saving', { phase: 'outputs', fraction: 0.8, bytes: 8_000_000, bytesTotal: 10_000_000 })
  for (const n of [1, 2, 3, 4])
    world.podGauge(`pod-000${n}`, { gpuUtil: n * 20, vramUsedMiB: 30_000, history: [n, 99] })
  return world
}
