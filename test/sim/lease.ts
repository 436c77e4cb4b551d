// The agent on each simulated pod: it ends its pod when nobody renews, after it saved what was done; and the owner's side of it.
// All of it in the world's virtual time: whoever sleeps here waits for no real clock.
import type { Attempt } from '../../src/domain/job.ts'
import type { Farewell, Guard } from '../../src/ports.ts'
import type { CloudPod } from './cloud.ts'
import { fault } from './cloud.ts'
import type { SimMachine } from './pod.ts'
import type { World } from './world.ts'

/** What runs at the end of a lease may go on for so long. */
const GRACE_MS = 3000
const LATENCY_MS = 40

/** In the bucket, by the name of the pod; by its ref once it was reached. */
export type Saved = { podId: string; at: number; partedAt: number; reason: 'lease' | 'deadline'; done: string[] }

/** The life of the agent on `pod`, from the start of its container on; each start is a whole new lease. */
export async function watchOver(world: World, pod: CloudPod): Promise<void> {
  const { clock, cloud, limits } = world
  while (cloud.alive(pod)) {
    if (!cloud.running(pod)) {
      pod.seenAt = null
      await clock.sleep(500)
      continue
    }
    pod.seenAt ??= clock.now()
    const leftMs = pod.seenAt + limits.leaseMs - clock.now()
    if (leftMs > 0) await clock.sleep(leftMs)
    else if (await mayFinish(world, pod)) return await part(world, pod)
  }
}

/** Whether nobody renewed while the running prompt had its grace. */
async function mayFinish(world: World, pod: CloudPod): Promise<boolean> {
  const { clock } = world
  const seenAt = pod.seenAt
  const graceBy = clock.now() + GRACE_MS
  judgeEnd(world, pod)
  for (;;) {
    if (pod.seenAt !== seenAt || !world.cloud.running(pod)) return false
    const running = [...pod.prompts.values()].find(prompt => prompt.state === 'running' && prompt.doneAt > clock.now())
    if (!running) return true
    if (clock.now() >= graceBy) {
      running.state = 'interrupted'
      return true
    }
    await clock.sleep(300)
  }
}

/** Past the point of no return: saved, then terminated, however often that takes. */
async function part(world: World, pod: CloudPod): Promise<void> {
  const { chance, clock, cloud, limits, saved } = world
  pod.parting = true
  const done = [...pod.prompts.values()].filter(({ state, doneAt }) => state !== 'interrupted' && doneAt <= clock.now())
  const partedAt = clock.now()
  const patientUntil = partedAt + limits.leaseMs
  do await clock.sleep(chance.between(200, 2000))
  while (world.bucketRefuses && clock.now() < patientUntil)
  if (!cloud.running(pod)) return
  if (!world.bucketRefuses)
    saved.set(pod.reached ? pod.ref : pod.name, {
      podId: pod.ref,
      at: clock.now(),
      partedAt,
      reason: 'lease',
      done: done.map(({ id }) => id),
    })
  while (cloud.alive(pod)) {
    await clock.sleep(chance.between(100, 1000))
    if (chance.happens(cloud.weather.destroyFails) || !cloud.alive(pod)) continue
    pod.destroyedAt = clock.now()
    pod.listedUntil = clock.now() + chance.between(0, 2000)
  }
}

/** A pod whose owner was there all the time and could tell it so must not end. */
function judgeEnd(world: World, { ref, reached }: CloudPod): void {
  const { clock, cloud, fleet, limits, ownerSince } = world
  const since = clock.now() - limits.leaseMs
  if (
    ownerSince === null ||
    ownerSince > since ||
    world.troubledUntil > since ||
    world.setBacks > 0 ||
    world.bucketRefuses ||
    // While the journal takes nothing, a pod that is on its way up is not renewed: a minute, against leases of ten.
    world.refusals > 0
  )
    return
  const isMute =
    !reached || cloud.weather.renewFails > 0 || cloud.weather.linkLost > 0 || cloud.weather.connectFails > 0
  if (isMute && cloud.weather.bucketLeaseFails > 0) return
  for (const pod of fleet.pods.values())
    if (pod.ref === ref && ['booting', 'ready'].includes(pod.status) && !pod.broken && (pod.createdAt ?? 0) < since)
      world.forbid(`${pod.id} ends itself although its owner lives`)
}

export function createGuard(world: World): Guard {
  const { chance, clock, cloud, saved } = world
  const overSsh = async (any: Parameters<Guard['renew']>[0]) => {
    const machine = any as SimMachine
    await clock.sleep(LATENCY_MS, machine.link)
    if (!machine.up) throw fault('pod', 'connection_lost')
    if (chance.happens(cloud.weather.renewFails))
      throw chance.happens(0.5) ? fault('transient', 'command_timed_out') : fault('pod', 'guard_failed')
    if (machine.pod.parting) throw fault('pod', 'pod_ends_itself')
    Object.assign(machine.pod, { seenAt: clock.now(), reached: true })
  }
  const bucket = async () => {
    await clock.sleep(LATENCY_MS)
    if (world.bucketRefuses) throw fault('operator', 'bucket_key_refused')
  }
  return {
    boot: async () => ({ env: {}, args: null }),
    attach: overSsh,
    renew: overSsh,
    async renewByBucket(podName) {
      await bucket()
      if (chance.happens(cloud.weather.bucketLeaseFails)) throw fault('transient', 'bucket_busy')
      world.leases.add(podName)
      for (const pod of cloud.pods.values()) if (pod.name === podName && pod.seenAt !== null) pod.seenAt = clock.now()
    },
    async sweep(prefix, isOver) {
      if (world.bucketRefuses) throw fault('operator', 'bucket_key_refused')
      for (const podName of world.leases)
        if (podName.startsWith(prefix) && isOver(podName)) world.leases.delete(podName)
    },
    async farewell(podName, ref = '') {
      await bucket()
      const found = saved.get(ref) ?? saved.get(podName)
      return found ? farewellOf(podName, found) : null
    },
  }
}

function farewellOf(pod: string, { podId, reason, done }: Saved): Farewell {
  const rest = {
    ageMs: 0,
    silentMs: 0,
    tar: null,
    tarAt: null,
    tarKey: null,
    files: [],
    log: '',
    comfyLog: null,
  } as const
  return { pod, podId, reason, prompt: 'none', ...rest, files: [], history: done }
}

/** Between the look into the bucket and the end of an attempt. */
const LOOK_MS = 1500

/** A prompt whose outputs were saved in time, or are about to be by a pod that said so, is not given to anybody else. */
export function isSaved({ saved }: World, { promptId, endedAt, fault }: Attempt): boolean {
  for (const { done, at, partedAt } of saved.values()) {
    const knownAt = fault?.code === 'pod_ends_itself' ? partedAt : at + LOOK_MS
    if (done.includes(promptId) && knownAt < (endedAt ?? 0)) return true
  }
  return false
}
