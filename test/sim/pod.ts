// What an engine reaches on a simulated pod: connections that drop, and a ComfyUI that runs each prompt it is given.
import type { FaultKind } from '../../src/domain/fault.ts'
import type { Artifact } from '../../src/domain/job.ts'
import type { Sign } from '../../src/domain/stuck.ts'
import type { Courier, Dialer, Executor, Machine, Sampler, Task, TaskOn, Tunnel } from '../../src/ports.ts'
import type { Chance, VirtualClock } from './clock.ts'
import { type Cloud, type CloudPod, fault, type Prompt } from './cloud.ts'

/** Keys of everything stored; it outlives engines. */
export type Shelf = Map<string, string>

export type PodWorld = {
  chance: Chance
  clock: VirtualClock
  cloud: Cloud
  shelf: Shelf
  /** Something the world must never see. */
  forbid(what: string): void
  /** Set by scenarios: sshd refuses every key. */
  keyRefused: boolean
  /** Set by scenarios: the target of this job cannot be written. */
  refusedTarget: string | null
  /** Set by scenarios: this job finds out that a person is needed. */
  strandedJob: string | null
  /** Set by scenarios: somebody changes what the first attempt of this job put into the bucket. */
  changedJob: string | null
  /** Set by scenarios: the bucket refuses the key. */
  bucketRefuses: boolean
  jobMs: [low: number, high: number]
  /** How often links and prompts are looked at. */
  lookMs: number
  /** Every prompt there was, whatever its server remembers. */
  prompts: Map<string, Prompt>
  /** A prompt is in a server's queue. */
  submitted(task: Task): void
  /** What is so of a job on any pod, by its id; chance decides when it first runs. */
  natures: Map<string, { needsGb: number; isPoison: boolean }>
  /** What was brought to its target: path → sha256. */
  targets: Map<string, string>
}

export const AT_THE_END: Parameters<TaskOn['gauge']>[0] = {
  phase: 'outputs',
  fraction: 1,
  nodeId: null,
  nodeTitle: null,
  step: null,
  steps: null,
  perSecond: null,
  bytes: null,
  bytesTotal: null,
}

/** Signs of a prompt that works as most do. */
const LIVELY: readonly Sign[] = ['message', 'gpu']
/** Slow ones: each shows enough to be left alone for as long as it takes. */
const SLOW_LIVES: readonly (readonly Sign[])[] = [
  ['message'],
  ['gpu', 'log'],
  ['gpu', 'file'],
  ['log', 'file'],
  ['gpu'],
]

/** Output files of each job. */
export const FILES = 2

export type SimMachine = Machine & {
  pod: CloudPod
  drop(error: Error): void
  up: boolean
  /** Aborts with the connection. */
  link: AbortSignal
}

/** `open` counts tunnels that are held, so that a world can see that all were closed. */
export function createDialer(world: PodWorld, open: Set<number>): Dialer {
  const { chance, clock, cloud } = world
  return {
    async hold(preferred) {
      let localPort = preferred
      while (open.has(localPort) || chance.happens(cloud.weather.portTaken)) localPort++
      open.add(localPort)
      const tunnel: Tunnel = {
        localPort,
        async close() {
          open.delete(localPort)
        },
      }
      return tunnel
    },
    async connect(address, { pinned, signal }) {
      await clock.sleep(chance.between(20, 300), signal)
      const pod = cloud.pods.get(address.host)
      if (chance.happens(cloud.weather.connectFails)) {
        if (chance.happens(0.5)) throw fault('pod', 'ssh_refused')
        await clock.sleep(3000, signal)
        throw fault('pod', 'ssh_timed_out')
      }
      if (!pod || !cloud.running(pod)) throw fault('pod', 'ssh_refused')
      if (pinned !== null && chance.happens(cloud.weather.keyChanges)) throw fault('pod', 'host_key_changed')
      if (world.keyRefused) throw fault('operator', 'key_refused')
      return createMachine(world, pod)
    },
  }
}

function createMachine({ chance, clock, cloud, lookMs }: PodWorld, pod: CloudPod): SimMachine {
  const closed = Promise.withResolvers<Error | null>()
  const over = new AbortController()
  const end = (error: Error | null) => {
    machine.up = false
    over.abort('closed')
    closed.resolve(error)
  }
  const machine: SimMachine = {
    pod,
    up: true,
    link: over.signal,
    hostKey: `SHA256:${pod.ref}`,
    closed: closed.promise,
    drop: end,
    close: () => end(null),
    reach: port => `http://127.0.0.1:${port}`,
    async exec(command, options = {}) {
      await clock.sleep(chance.between(10, 100), over.signal)
      if (command === 'nvidia-smi -L' && machine.up)
        return { code: 0, stdout: pod.hasGpu ? 'GPU 0: SIM (UUID: GPU-0)\n' : 'No devices were found\n', stderr: '' }
      // The sampler's stream: it ends with the connection or its reader.
      if (machine.up) await quiet(over.signal, options.signal)
      throw fault('pod', 'connection_lost')
    },
    put: () => Promise.reject(new Error('bug: the simulated executor moves the files')),
    get: () => Promise.reject(new Error('bug: the simulated executor moves the files')),
  }
  void watchLink()
  return machine

  /** A pod that goes takes its connections along; weather takes some of the others. */
  async function watchLink(): Promise<void> {
    const lostAt = chance.happens(cloud.weather.linkLost) ? clock.now() + chance.between(500, 20_000) : null
    while (machine.up) {
      await clock.sleep(lookMs, over.signal)
      if (!machine.up) return
      const lost = !cloud.running(pod) || (lostAt !== null && clock.now() >= lostAt)
      if (lost) end(fault('pod', 'connection_lost'))
    }
  }
}

/** What the prompts of a pod show of this sign. */
function shows(pod: CloudPod, sign: Sign, now: number): boolean {
  return [...pod.prompts.values()].some(
    prompt => prompt.state === 'running' && now < Math.min(prompt.hangsAt, prompt.doneAt) && prompt.life.includes(sign),
  )
}

function hangs(prompt: Prompt, now: number): boolean {
  return prompt.state === 'running' && now >= prompt.hangsAt
}

/** A connection without nvidia-smi gives no figures. */
export function createSampler({ chance, clock, cloud }: PodWorld): Sampler {
  return async (machine, _gpuCount, everyMs, on, signal) => {
    if (chance.happens(cloud.weather.blind)) return quiet(signal)
    while (!signal.aborted) {
      const gpuUtil = shows((machine as SimMachine).pod, 'gpu', clock.now()) ? 95 : 0
      on({ gpuUtil, memUtil: 0, vramUsedMiB: 1000, vramTotalMiB: 24_000 })
      await clock.sleep(everyMs, signal)
    }
  }
}

async function quiet(...signals: (AbortSignal | undefined)[]): Promise<void> {
  if (signals.some(signal => signal?.aborted)) return
  await new Promise(resolve => {
    for (const signal of signals) signal?.addEventListener('abort', resolve, { once: true })
  })
}

const folderOf = ({ runId, jobId, attempt }: Task) => `out/${runId}/${jobId}/${attempt}`
const manifestOf = (task: Task) => `${folderOf(task)}/manifest.json`

function artifactOf(task: Task, index: number): Artifact {
  const file = `picture-${index}.png`
  const key = `${folderOf(task)}/${file}`
  return { name: 'picture', nodeId: '9', file, index, key, sha256: `sha of ${key}`, bytes: 1000 }
}

export function createExecutor(world: PodWorld): Executor {
  const { chance, clock, cloud, shelf } = world
  const step = async (machine: SimMachine, signal: AbortSignal, ms: number) => {
    await clock.sleepUnless(ms, signal, machine.link)
    signal.throwIfAborted()
    if (!machine.up || !cloud.running(machine.pod)) throw fault('pod', 'connection_lost')
  }
  const natureOf = (jobId: string) => {
    const known = world.natures.get(jobId)
    if (known) return known
    const needsGb = chance.happens(cloud.weather.hungry) ? chance.pick([30, 60]) : 10
    const nature = { needsGb, isPoison: chance.happens(cloud.weather.poison) }
    world.natures.set(jobId, nature)
    return nature
  }
  const submit = (task: Task, pod: CloudPod): Prompt => {
    const { promptId: id, jobId } = task
    if (pod.prompts.has(id)) world.forbid(`prompt ${id} of ${jobId} runs twice`)
    for (const other of cloud.pods.values())
      if (other !== pod && other.prompts.has(id)) world.forbid(`prompt ${id} of ${jobId} is on ${other.ref} already`)
    const beside = [...pod.prompts.values()].find(prompt => prompt.state === 'running' && prompt.doneAt > clock.now())
    if (beside) world.forbid(`${jobId} is put beside ${beside.jobId} on ${pod.ref}`)
    world.submitted(task)
    const { weather } = cloud
    const hangs = chance.happens(weather.hangs)
    const isDeaf = hangs && chance.happens(weather.deaf)
    const heeds = !isDeaf ? 'interrupt' : chance.happens(weather.deaf * 0.5) ? 'nothing' : 'restart'
    const life = chance.happens(weather.slow) ? chance.pick(SLOW_LIVES) : LIVELY
    const tookMs = life === LIVELY ? chance.between(...world.jobMs) : chance.between(20_000, 50_000)
    const never = Number.POSITIVE_INFINITY
    const doneAt = hangs ? never : clock.now() + tookMs
    const hangsAt = hangs ? clock.now() + chance.between(0, 5000) : never
    const prompt: Prompt = { id, jobId, doneAt, state: 'running', hangsAt, heeds, life }
    pod.prompts.set(id, prompt)
    world.prompts.set(id, prompt)
    if (chance.happens(weather.crashes))
      void clock.sleep(chance.between(100, 4000)).then(() => {
        pod.prompts.clear()
        pod.comfyAt = never
      })
    // The process starts again: all is forgotten, and some seconds later it answers as if nothing had been.
    if (chance.happens(cloud.weather.forgets))
      void clock.sleep(chance.between(100, 4000)).then(() => {
        pod.prompts.clear()
        pod.comfyAt = clock.now() + chance.between(500, 3000)
      })
    return prompt
  }
  /** Until the prompt is done; a fault when the server no longer knows it. */
  const follow = async (prompt: Prompt, machine: SimMachine, on: TaskOn, signal: AbortSignal) => {
    let steps = 0
    while (clock.now() < prompt.doneAt) {
      await step(machine, signal, Math.min(world.lookMs + 200, prompt.doneAt - clock.now() + 1))
      if (prompt.life.includes('message') && clock.now() < prompt.hangsAt) {
        on.heard()
        // A service says how far it is in what it does now, not how far it was when somebody else listened.
        steps++
        on.gauge({ ...AT_THE_END, phase: 'running', fraction: steps / (steps + 5) })
      }
      if (!machine.pod.prompts.has(prompt.id)) throw fault('pod', 'prompt_lost')
      if (prompt.state === 'interrupted') throw fault('job', 'interrupted')
    }
    prompt.state = 'done'
  }
  return {
    name: 'sim',
    port: 8188,
    async ready(machine, signal, absent = () => {}) {
      const { pod } = machine as SimMachine
      while (!(clock.now() >= pod.comfyAt)) {
        absent(true)
        await step(machine as SimMachine, signal, 250)
      }
    },
    async marks(machine, signal) {
      await step(machine as SimMachine, signal, chance.between(10, 100))
      const mark = (sign: Sign) =>
        shows((machine as SimMachine).pod, sign, clock.now()) ? `${clock.now()}` : 'as ever'
      return { log: mark('log'), file: mark('file') }
    },
    free: (machine, signal) => step(machine as SimMachine, signal, chance.between(10, 100)),
    async restart(machine, signal) {
      const { pod } = machine as SimMachine
      await step(machine as SimMachine, signal, chance.between(50, 2000))
      const isBeyond = [...pod.prompts.values()].some(
        prompt => hangs(prompt, clock.now()) && prompt.heeds === 'nothing',
      )
      pod.prompts.clear()
      if (isBeyond && chance.happens(0.5)) throw fault('pod', 'restart_impossible')
      pod.comfyAt = isBeyond ? Number.POSITIVE_INFINITY : clock.now() + chance.between(500, 3000)
    },
    async run(task, anyMachine, on, signal) {
      const machine = anyMachine as SimMachine
      const { pod } = machine
      const { weather } = cloud
      let submitted = task.resumed
      try {
        await step(machine, signal, chance.between(50, 600))
        // Before the prompt is there: what fails later and leaves it running is a fault of the pod.
        let prompt = task.resumed ? pod.prompts.get(task.promptId) : undefined
        if (!prompt && task.isTaken) throw fault('pod', 'prompt_lost')
        if (!prompt && chance.happens(weather.transientFault)) throw fault('transient', 'upload_timed_out')
        if (!prompt) {
          submitted = true
          prompt = submit(task, pod)
          await step(machine, signal, chance.between(20, 200))
        }
        if (!chance.happens(weather.silent)) on.started()
        const ends = (kind: FaultKind, code: string) => {
          prompt.state = 'interrupted'
          return fault(kind, code)
        }
        if (chance.happens(weather.jobFault)) throw ends('job', 'node_failed')
        if (chance.happens(weather.operatorFault) || world.strandedJob === task.jobId)
          throw ends('operator', 'bucket_key_refused')
        if (pod.hostId === 'bad') throw fault('pod', 'cuda_error')
        if (chance.happens(weather.podFault)) throw fault('pod', chance.pick(['disk_full', 'cuda_error']))
        const { needsGb, isPoison } = natureOf(task.jobId)
        if (isPoison) throw fault('pod', 'prompt_lost', `prompt ${task.promptId} was lost on ${pod.ref}`)
        if (task.freeFirst) pod.heldGb = 0
        if (needsGb + pod.heldGb > pod.offer.vramGb) throw ends('job', 'out_of_memory')
        if (chance.happens(weather.leaks)) pod.heldGb = 20
        await follow(prompt, machine, on, signal)
        on.gauge(AT_THE_END)
        const artifacts: Artifact[] = []
        for (let index = 0; index < FILES; index++) {
          await step(machine, signal, chance.between(50, 500))
          const artifact = artifactOf(task, index)
          shelf.set(artifact.key, artifact.sha256)
          on.stored(artifact)
          artifacts.push(artifact)
        }
        shelf.set(manifestOf(task), task.promptId)
        return artifacts
      } catch (error) {
        if (!signal.aborted || signal.reason !== 'cancel') throw error
        if (chance.happens(weather.cancelIgnored)) return await new Promise<never>(() => {})
        await clock.sleep(chance.between(50, 300))
        const prompt = pod.prompts.get(task.promptId)
        // Without a link nothing can be stopped: whoever asked must know that it may still run.
        if (submitted && prompt && !machine.up) throw fault('pod', 'connection_lost')
        if (submitted && prompt && hangs(prompt, clock.now()) && prompt.heeds !== 'interrupt')
          throw fault('pod', 'cancel_ignored')
        if (submitted && prompt) prompt.state = 'interrupted'
        throw fault('transient', 'cancelled')
      }
    },
    left: ({ promptId }, { history }) =>
      (history as string[]).includes(promptId) ? { tar: { key: '', bytes: 0, sha256: '' }, files: [] } : null,
  }
}

export function createCourier(world: PodWorld): Courier {
  const { chance, clock, cloud, shelf, forbid } = world
  return {
    deliver: () => Promise.reject(new Error('bug: the simulated executor moves the files')),
    collect: () => Promise.reject(new Error('bug: the simulated executor moves the files')),
    async adopt(task, left) {
      await clock.sleep(chance.between(50, 500))
      if (world.bucketRefuses) throw fault('operator', 'bucket_key_refused')
      if (shelf.get(manifestOf(task)) !== task.promptId && !left) return null
      const artifacts = Array.from({ length: FILES }, (_, index) => artifactOf(task, index))
      for (const { key, sha256 } of artifacts) shelf.set(key, sha256)
      return artifacts
    },
    async publish(spec, artifacts, replace) {
      await clock.sleep(chance.between(50, 500))
      if (chance.happens(cloud.weather.publishFails)) throw fault('transient', 'bucket_busy')
      if (world.bucketRefuses) throw fault('operator', 'bucket_key_refused')
      if (world.changedJob === spec.jobId && artifacts.some(({ key }) => key.includes('/1/')))
        throw fault('transient', 'transfer_corrupt')
      if (world.refusedTarget === spec.jobId) throw fault('job', 'target_unwritable')
      for (const artifact of artifacts)
        if (shelf.get(artifact.key) !== artifact.sha256) forbid(`${artifact.key} is published and not stored`)
      const pathOf = ({ file }: Artifact) => `/outputs/${spec.jobId}/${file}`
      for (const artifact of artifacts) {
        const there = world.targets.get(pathOf(artifact)) ?? artifact.sha256
        if (there !== artifact.sha256 && !replace(pathOf(artifact), there)) throw fault('job', 'output_exists')
      }
      return artifacts.map(artifact => {
        const { sha256, bytes } = artifact
        const path = pathOf(artifact)
        world.targets.set(path, sha256)
        return { name: 'picture', path, url: null, bytes, sha256 }
      })
    },
  }
}
