// Makes what runs agree with what the cloud's state says: one running pod a container, folders kept, wiped or removed.
// For each pod one chain of steps, so that start and stop never overlap:
//
//   RUNNING, new container ─▶ stop the old one ─▶ wipe if the disk is a new one ─▶ start ─▶ tell the cloud the real ports
//   EXITED ─▶ stop, wipe        gone ─▶ stop, remove the folder and the volume disk

import { mkdir, rm, symlink } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { promptFate, readdress } from './cloud.ts'
import type { PromptFailure } from './faults.ts'
import type { Keeper } from './keeper.ts'
import { newPodLog, type PodLog } from './pod-log.ts'
import type { Pod } from './state.ts'

export type PodPlan = {
  pod: Pod
  /** The container's file system; exists, with the mounts linked in. */
  dir: string
  /** Moments at which the stages are reached. */
  sshdAtMs: number
  comfyAtMs: number
  stepMs: number
  gpuMemoryGb: number
  accountKeys: string[]
  apiUrl: string
  log: PodLog
  promptFails(tag: string): PromptFailure | null
}
export type RunningPod = {
  /** Real public port for each declared tcp port. */
  publicPorts: Record<string, number>
  /** Percent of the GPU and of its memory that are in use. */
  gauge(): { util: number; memoryUtil: number }
  promptCounts(): Map<string, number>
  stop(): Promise<void>
}
/** Resolves as soon as the ports are chosen; the stages follow by themselves. */
export type StartPod = (plan: PodPlan) => Promise<RunningPod>

export type Machines = {
  /** Begins to bring about what the state says; resolves when that pod (or every pod) is there. */
  settle(id?: string): Promise<void>
  running(id: string): RunningPod | undefined
  log(id: string): PodLog
  stop(): Promise<void>
}
type Slot = { container: number; disks: number; running: RunningPod | null; chain: Promise<void>; gone: boolean }

export function runMachines(
  keeper: Keeper,
  how: { stateDir: string; stepMs: number; apiUrl(): string; memoryGb(gpuId: string): number; startPod: StartPod },
): Machines {
  const slots = new Map<string, Slot>()
  const logs = new Map<string, PodLog>()
  let stopping = false
  const log = (id: string) => {
    const known = logs.get(id) ?? newPodLog()
    logs.set(id, known)
    return known
  }
  const dirOf = (id: string) => join(how.stateDir, 'pods', id)
  const diskOf = (id: string) => join(how.stateDir, 'disks', id)

  const linkMounts = async (pod: Pod) => {
    const dir = dirOf(pod.id)
    await mkdir(dir, { recursive: true })
    const [network] = pod.mounts.network ?? []
    const target = network
      ? join(how.stateDir, 'volumes', network.volumeId)
      : pod.mounts.persistent
        ? diskOf(pod.id)
        : null
    const path = network?.path ?? pod.mounts.persistent?.path
    if (!target || !path) return
    await mkdir(target, { recursive: true })
    // Joined as from the root, so that no path leads out of the pod's folder.
    const link = join(dir, normalize(`/${path}`))
    await mkdir(dirname(link), { recursive: true })
    await symlink(target, link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }

  const halt = async (slot: Slot) => {
    const { running } = slot
    slot.running = null
    if (!running) return
    const counts = running.promptCounts()
    if (counts.size)
      keeper.move(cloud => {
        const prompts = { ...cloud.prompts }
        for (const [id, count] of counts) prompts[id] = (prompts[id] ?? 0) + count
        return [{ ...cloud, prompts }, undefined]
      })
    await running.stop()
  }

  const start = async (slot: Slot, pod: Pod) => {
    const { sshdMs, comfyMs } = keeper.cloud().settings
    await linkMounts(pod)
    slot.running = await how.startPod({
      pod,
      dir: dirOf(pod.id),
      sshdAtMs: pod.startedAtMs + sshdMs,
      comfyAtMs: pod.startedAtMs + comfyMs,
      stepMs: how.stepMs,
      gpuMemoryGb: pod.gpu ? how.memoryGb(pod.gpu.id) : 0,
      accountKeys: keeper.cloud().sshKeys,
      apiUrl: how.apiUrl(),
      log: log(pod.id),
      promptFails: tag => keeper.move(cloud => promptFate(cloud, tag)),
    })
    const { publicPorts } = slot.running
    keeper.move(cloud => [readdress(cloud, pod.id, pod.container, publicPorts), undefined])
  }

  const bringAbout = async (id: string, slot: Slot) => {
    const pod = keeper.cloud().pods[id]
    if (stopping || !pod || pod.status !== 'RUNNING' || pod.container !== slot.container) await halt(slot)
    if (stopping) return
    if (!pod || pod.status === 'TERMINATED') {
      if (slot.gone) return
      slot.gone = true
      await rm(dirOf(id), { recursive: true, force: true })
      await rm(diskOf(id), { recursive: true, force: true })
      return
    }
    if (pod.disks !== slot.disks) await rm(dirOf(id), { recursive: true, force: true })
    slot.disks = pod.disks
    if (pod.status === 'RUNNING' && !slot.running) {
      slot.container = pod.container
      await start(slot, pod)
    }
  }

  const settleOne = (id: string): Promise<void> => {
    const pod = keeper.cloud().pods[id]
    let slot = slots.get(id)
    if (!slot) {
      if (!pod) return Promise.resolve()
      slot = { container: 0, disks: pod.disks, running: null, chain: Promise.resolve(), gone: false }
      slots.set(id, slot)
    }
    const mine = slot
    mine.chain = mine.chain
      .then(() => bringAbout(id, mine))
      .catch((error: Error) => log(id).add('system', `the host failed: ${error.message}`))
    return mine.chain.then(() => {
      if (!mine.gone) return
      slots.delete(id)
      logs.delete(id)
    })
  }
  const settle = async (id?: string) => {
    const ids = id === undefined ? new Set([...slots.keys(), ...Object.keys(keeper.cloud().pods)]) : [id]
    await Promise.all([...ids].map(settleOne))
  }

  return {
    settle,
    running: id => slots.get(id)?.running ?? undefined,
    log,
    stop: async () => {
      stopping = true
      await settle()
    },
  }
}
