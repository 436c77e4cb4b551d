// A night as an operator dreads it, told as facts: many jobs on eight pods, one in twenty fails, one pod never gets ready, one breaks.
import type { FaultData } from '../../src/domain/fault.ts'
import { keyOf, offerOf, RUN, type Story, specOf, story } from './fleet-story.ts'

const MEMORY: FaultData = {
  kind: 'job',
  code: 'memory_exhausted',
  message: 'out of memory at node 12 KSampler: tried to allocate 5.1 GiB',
  hint: 'Take a GPU with more than 48 GB, or a smaller picture.',
  node: { id: '12', classType: 'KSampler' },
}
const MODEL: FaultData = {
  kind: 'job',
  code: 'model_missing',
  message: 'the pod has no checkpoint sd_xl_base_1.0.safetensors',
  hint: 'Put it on the network volume, or name it in the template’s models.',
}
const LINK: FaultData = { kind: 'pod', code: 'link_dead', message: 'the SSH connection to pod-0003 is dead' }
const BOOT: FaultData = {
  kind: 'pod',
  code: 'boot_late',
  message: 'ComfyUI did not answer within 15 minutes',
  hint: 'Look at the log of the pod.',
}

/** `pod-0008` is not proven gone when `isLeft`. */
export function longNight(count: number, isLeft = false): Story {
  const s = story().run({ podsMax: 8, costMax: 50_000_000 })
  const names = Array.from({ length: count }, (_, index) => `shot-${String(index + 1).padStart(4, '0')}`)
  s.jobs(
    ...names.map(name =>
      specOf(name, { outputs: [{ name: 'film', nodeId: '9', target: `/home/ada/film/out/${name}.{ext}` }] }),
    ),
  )
  const pods = Array.from({ length: 8 }, (_, index) => `pod-000${index + 1}`)
  for (const pod of pods) {
    s.tell({
      type: 'pod.requested',
      podId: pod,
      runId: RUN,
      name: `autopod-home-${pod}`,
      offer: offerOf({ perHour: 490_000 }),
    }).wait(1700)
    s.tell({ type: 'pod.created', podId: pod, ref: `ref-${pod}`, perHour: 490_000 }).wait(11_000)
  }
  s.wait(80_000)
  for (const pod of pods.slice(1)) s.tell({ type: 'pod.ready', podId: pod }).wait(2000)
  let turn = 0
  for (const [index, name] of names.entries()) {
    const jobKey = keyOf(name)
    const podId = pods[1 + (turn++ % 7)] as string
    const isFirst = index === 10
    const fault = index % 20 === 7 ? (index % 40 === 7 ? MEMORY : MODEL) : isFirst ? LINK : null
    s.tell({ type: 'attempt.requested', jobKey, attempt: 1, podId, promptId: `p-${name}` }).wait(900)
    s.tell({ type: 'attempt.started', jobKey, attempt: 1 }).wait(index % 7 === 3 ? 24_000 : 6000)
    if (fault) s.tell({ type: 'attempt.failed', jobKey, attempt: 1, fault }).wait(100)
    if (fault && !isFirst) s.tell({ type: 'job.failed', jobKey, fault })
    if (isFirst) {
      s.tell({ type: 'attempt.requested', jobKey, attempt: 2, podId: 'pod-0005', promptId: 'again' }).wait(500)
      s.tell({ type: 'attempt.started', jobKey, attempt: 2 }).wait(9000)
    }
    if (fault && !isFirst) continue
    const attempt = isFirst ? 2 : 1
    const published = [
      { name: 'film', path: `/home/ada/film/out/${name}.webp`, url: null, bytes: 1_234_567 + index, sha256: 'ab' },
    ]
    s.tell({ type: 'attempt.rendered', jobKey, attempt }).wait(700)
    s.tell({ type: 'attempt.succeeded', jobKey, attempt }, { type: 'job.completed', jobKey, published })
    if (index === 60) s.tell({ type: 'pod.broken', podId: 'pod-0001', fault: BOOT })
  }
  const leaving = isLeft ? pods.slice(0, 7) : pods
  for (const podId of pods) s.tell({ type: 'pod.release_requested', podId, cause: 'no job left for it' }).wait(300)
  s.wait(9000)
  for (const podId of leaving) s.tell({ type: 'pod.gone', podId, billedUntil: s.now }).wait(400)
  return s.tell({ type: 'run.closed', runId: RUN, status: count >= 20 ? 'failed' : 'completed' })
}
