// Puts the simulated world together: state, pods, provider API, bucket; and takes it down again. What runs as a pod and as
// a bucket is handed in.
import { randomBytes, randomInt } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { gpuKind } from './catalog.ts'
import { advance, due, resume, topUp } from './cloud.ts'
import { parseFaults } from './faults.ts'
import { openKeeper } from './keeper.ts'
import { runMachines, type StartPod } from './machines.ts'
import { type Limits, wideLimits } from './provider-api/limits.ts'
import { startProviderApi } from './provider-api/server.ts'
import { calm } from './state.ts'

export type SandboxOptions = {
  /** Folder of this sandbox's own; made when missing. Never two sandboxes on one folder at a time. */
  stateDir: string
  /** Of the provider API; the one it had before, or any, when not given. */
  port?: number
  /** Of all chance; a different world each time when not given. */
  seed?: number
  /** Switches as in `faultChances`, each with an own chance if wanted (`429=0.5`). */
  faults?: string[]
  /** From create to ComfyUI answering, 3000. */
  bootMs?: number
  /** Time of one sampling step of a simulated GPU, 100. */
  stepMs?: number
  /** When set: stops by itself once there is no pod and no request came for that long. */
  idleExitMs?: number
  /** Multiplies all prices, 1. */
  priceScale?: number
  /** On the account at the first start, in micro-dollars, 25_000_000; what is rented goes off it. */
  balanceMicro?: number
  /** Requests allowed in each window; far more than anyone sends when not given. */
  limits?: Partial<Limits>
}
export type SandboxDescription = {
  /** Stands for https://api.runpod.io/v2. */
  runpod_url: string
  graphql_url: string
  s3_endpoint: string
  api_key: string
  s3_access_key_id: string
  s3_secret_access_key: string
  bucket: string
}
export type Sandbox = {
  description: SandboxDescription
  /** Resolves when everything is down, whether by `stop` or by idleness. */
  stopped: Promise<void>
  /** Closes every server and every pod's servers; the state stays, and running pods go on being billed. Idempotent. */
  stop(): Promise<void>
}
export type Parts = {
  startPod: StartPod
  startBucket(options: {
    dir: string
    accessKeyId: string
    secretAccessKey: string
    buckets: string[]
    port?: number
  }): Promise<{ port: number; url: string; stop(): Promise<void>; requests(): number }>
}

const bucket = 'autopod'
const text = (bytes: number) => randomBytes(bytes).toString('hex')

export async function assembleSandbox(options: SandboxOptions, parts: Parts): Promise<Sandbox> {
  const { stateDir, seed = randomInt(2 ** 32), bootMs = 3000, stepMs = 100, priceScale = 1, idleExitMs } = options
  const stages = { addressMs: Math.round(bootMs * 0.4), sshdMs: Math.round(bootMs * 0.6), comfyMs: bootMs }
  const balanceMicro = options.balanceMicro ?? calm.balanceMicro
  const settings = { ...calm, ...stages, priceScale, balanceMicro, faults: parseFaults(options.faults ?? []) }
  const fresh = {
    apiKey: `rpa_${text(20).toUpperCase()}`,
    s3AccessKeyId: text(10),
    s3SecretAccessKey: text(20),
    apiPort: 0,
    s3Port: 0,
  }
  const keeper = openKeeper(stateDir, seed, settings, fresh)
  keeper.move((cloud, nowMs) => [resume(topUp(advance(cloud, nowMs), nowMs), nowMs), undefined])
  await removeStrays(stateDir, new Set(Object.keys(keeper.cloud().pods)))

  const papers = keeper.papers()
  let apiUrl = ''
  const machines = runMachines(keeper, {
    stateDir,
    stepMs,
    apiUrl: () => apiUrl,
    memoryGb: id => gpuKind(id, true)?.memory ?? 0,
    startPod: parts.startPod,
  })
  const api =
    options.port === undefined
      ? await onPort(papers.apiPort, port => startProviderApi(keeper, machines, { port, limits: limitsOf(options) }))
      : await startProviderApi(keeper, machines, { port: options.port, limits: limitsOf(options) })
  apiUrl = `http://127.0.0.1:${api.port}/v2`
  const objects = await onPort(papers.s3Port, port =>
    parts.startBucket({
      dir: join(stateDir, 'buckets'),
      accessKeyId: papers.s3AccessKeyId,
      secretAccessKey: papers.s3SecretAccessKey,
      buckets: [bucket],
      port,
    }),
  ).catch(async (error: unknown) => {
    await api.stop()
    throw error
  })
  keeper.note({ apiPort: api.port, s3Port: objects.port })

  const clock = openClock()
  const follow = () => {
    machines.settle().catch(() => {})
    const nowMs = Date.now()
    clock.set('due', due(keeper.cloud(), nowMs), () => {
      keeper.move((cloud, atMs) => [advance(cloud, atMs), undefined])
      follow()
    })
  }
  keeper.onChange(follow)

  const { promise: stopped, resolve: tellStopped } = Promise.withResolvers<void>()
  let stopping = false
  const stop = async () => {
    if (stopping) return stopped
    stopping = true
    clock.close()
    await api.stop()
    await machines.stop()
    await objects.stop()
    tellStopped()
  }

  if (idleExitMs !== undefined) {
    let seen = -1
    let quietSinceMs = Date.now()
    const look = () => {
      const nowMs = Date.now()
      const requests = api.requests() + objects.requests()
      if (requests !== seen || Object.keys(keeper.cloud().pods).length) quietSinceMs = nowMs
      seen = requests
      if (nowMs - quietSinceMs >= idleExitMs) return void stop().catch(() => {})
      clock.set('idle', Math.min(quietSinceMs + idleExitMs, nowMs + 1000), look)
    }
    look()
  }

  await machines.settle()
  follow()
  return {
    description: {
      runpod_url: apiUrl,
      graphql_url: `http://127.0.0.1:${api.port}/graphql`,
      s3_endpoint: objects.url,
      api_key: papers.apiKey,
      s3_access_key_id: papers.s3AccessKeyId,
      s3_secret_access_key: papers.s3SecretAccessKey,
      bucket,
    },
    stopped,
    stop,
  }
}

const limitsOf = (options: SandboxOptions): Limits => ({ ...wideLimits, ...options.limits })

/** Takes the wanted port, so that addresses survive a restart, or any other when it is taken meanwhile. */
async function onPort<T>(wanted: number, open: (port: number) => Promise<T>): Promise<T> {
  try {
    return await open(wanted)
  } catch (error) {
    if (wanted === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    return open(0)
  }
}

/** Folders of pods that ended while nobody could remove them. */
async function removeStrays(stateDir: string, alive: Set<string>): Promise<void> {
  for (const parent of [join(stateDir, 'pods'), join(stateDir, 'disks')]) {
    await mkdir(parent, { recursive: true })
    for (const name of await readdir(parent))
      if (!alive.has(name)) await rm(join(parent, name), { recursive: true, force: true })
  }
}

/** Named timers, at most one of a name; none is left after `close`. */
function openClock() {
  const timers = new Map<string, NodeJS.Timeout>()
  let open = true
  return {
    set: (name: string, atMs: number | null, ring: () => void) => {
      clearTimeout(timers.get(name))
      timers.delete(name)
      // A timer's delay is at most 2^31 - 1 ms; whoever rings early looks again.
      if (open && atMs !== null)
        timers.set(name, setTimeout(ring, Math.min(2 ** 31 - 1, Math.max(1, atMs - Date.now()))))
    },
    close: () => {
      open = false
      for (const timer of timers.values()) clearTimeout(timer)
    },
  }
}
