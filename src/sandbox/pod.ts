// One running simulated pod: its folder, tools, SSH server and ComfyUI, started stage by stage on real loopback ports.
//
//   ports chosen ─▶ (sshdAtMs) start command runs, sshd listens, /etc/rp_environment written ─▶ (comfyAtMs) ComfyUI answers ─▶ stop
//
// What a pod never does is decided by its fate; what happens to it later by the moments in its troubles.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Comfy, startComfy } from './comfy/server.ts'
import type { PodPlan, RunningPod } from './machines.ts'
import { environmentFile, podEnvironment } from './pod-environment.ts'
import { openProcesses } from './pod-process.ts'
import { releasePort, reservePort } from './ports.ts'
import { type PodSsh, startPodSsh } from './ssh/server.ts'
import { writeTools } from './ssh/tools.ts'
import { openSupervisor, type Supervisor } from './supervisor.ts'

const comfyPort = 8188 // ComfyUI's default port, inside the pod
const mebibyte = 1024 * 1024

export async function startPod(plan: PodPlan): Promise<RunningPod> {
  const { pod, dir, log } = plan
  const publicPorts: Record<string, number> = {}
  for (const port of pod.ports) if (port.endsWith('/tcp')) publicPorts[port.slice(0, -4)] = await reservePort()
  const declared = publicPorts[String(comfyPort)]
  const comfyLocal = declared ?? (await reservePort())

  const comfyUrl = `http://127.0.0.1:${comfyLocal}`
  const env = podEnvironment(pod, { publicPorts, accountKeys: plan.accountKeys, apiUrl: plan.apiUrl, comfyUrl })
  const memoryMiB = plan.gpuMemoryGb * 1024
  const gauges = openGauges(join(dir, 'run', 'gpu'), memoryMiB)
  const binDir = join(dir, 'usr', 'local', 'bin')
  const gpuName = pod.gpu?.id ?? 'none'
  const processes = await openProcesses(pod.id, { dir, binDir, log: line => log.add('container', line) })

  let ssh: PodSsh | null = null
  let comfy: Comfy | null = null
  let supervisor: Supervisor | null = null
  let stopped = false
  const timers = new Set<NodeJS.Timeout>()
  const steps = new Set<Promise<void>>()
  const at = (moment: number, what: string, step: () => Promise<void>) => {
    const timer = setTimeout(
      () => {
        timers.delete(timer)
        const running = step()
          .catch((error: Error) => log.add('system', `${what}: ${error.message}`))
          .finally(() => steps.delete(running))
        steps.add(running)
      },
      Math.max(0, moment - Date.now()),
    )
    timers.add(timer)
  }

  const openContainer = async () => {
    log.add('system', `start container for ${pod.image}: begin`)
    for (const folder of [binDir, join(dir, 'etc', 'ssh'), join(dir, 'run')]) await mkdir(folder, { recursive: true })
    await gauges.write()
    if (pod.gpu) await writeTools(binDir, { name: gpuName, memoryMiB, count: pod.gpu.count }, gauges.file)
    await processes.start(pod.args, env)
    if (pod.fate !== 'no-sshd') await openSshd()
    await writeFile(join(dir, 'etc', 'rp_environment'), environmentFile(env))
  }
  const openSshd = async () => {
    // Images of RunPod start sshd only when PUBLIC_KEY is set (start.sh of runpod/containers, 2026-08).
    if (env.PUBLIC_KEY && publicPorts['22'] !== undefined) {
      ssh = await startPodSsh({
        root: dir,
        authorizedKeys: env.PUBLIC_KEY.split('\n'),
        hostKeyPath: join(dir, 'etc', 'ssh', 'ssh_host_ed25519_key'),
        env,
        binDir,
        port: publicPorts['22'],
        reach: port => (port === comfyPort ? (comfy?.port ?? null) : null),
      })
    }
  }
  const openComfy = async () => {
    comfy = await startComfy({
      root: join(dir, 'ComfyUI'),
      log: line => log.add('container', line),
      gpu: { name: gpuName, vramBytes: memoryMiB * mebibyte },
      stepMs: plan.stepMs,
      load: gauges.take,
      port: comfyLocal,
      faults: ({ tag }) => plan.promptFails(tag),
    })
    const failed = (error: Error) => log.add('system', `ComfyUI: ${error.message}`)
    supervisor = await openSupervisor(dir, binDir, async () => comfy?.restart(), failed)
  }

  log.add('system', `create container ${pod.image}`)
  log.add('system', `still fetching image ${pod.image}`)
  if (pod.fate !== 'never-boots') {
    at(plan.sshdAtMs, 'container', openContainer)
    if (pod.fate === 'well') at(plan.comfyAtMs, 'ComfyUI', openComfy)
    for (const trouble of pod.troubles) {
      if (trouble.what === 'ssh-cut') at(trouble.atMs, 'network', async () => ssh?.cut())
      if (trouble.what === 'comfy-crash') at(trouble.atMs, 'ComfyUI', async () => comfy?.die())
    }
  }

  return {
    publicPorts,
    gauge: gauges.percent,
    promptCounts: () => comfy?.promptCounts() ?? new Map(),
    stop: async () => {
      if (stopped) return
      stopped = true
      for (const timer of timers) clearTimeout(timer)
      await Promise.all(steps)
      supervisor?.close()
      await Promise.all([comfy?.stop(), ssh?.stop(), processes.stop()])
      gauges.close()
      for (const port of [comfyLocal, ...Object.values(publicPorts)]) releasePort(port)
    },
  }
}

/** Last reading of the GPU, and the file from which the pod's `nvidia-smi` reads it: one line `util memUtil usedMiB`. */
function openGauges(file: string, memoryMiB: number) {
  let now = { util: 0, memoryUtil: 0, usedMiB: 0 }
  let writing = false
  let stale = false
  let open = true
  const write = () => writeFile(file, `${now.util} ${now.memoryUtil} ${now.usedMiB}\n`)
  const flush = async () => {
    writing = true
    while (stale && open) {
      stale = false
      await write().catch(() => {}) // the folder goes away with the pod
    }
    writing = false
  }
  return {
    file,
    write,
    percent: () => ({ util: now.util, memoryUtil: now.memoryUtil }),
    take: ({ util, vramUsedBytes }: { util: number; vramUsedBytes: number }) => {
      const usedMiB = Math.round(vramUsedBytes / mebibyte)
      const memoryUtil = memoryMiB > 0 ? Math.min(100, Math.round((usedMiB * 100) / memoryMiB)) : 0
      now = { util: Math.round(util), memoryUtil, usedMiB }
      stale = true
      if (!writing) flush().catch(() => {})
    },
    close: () => {
      open = false
    },
  }
}
