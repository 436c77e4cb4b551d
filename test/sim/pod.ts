// What an engine reaches on a simulated pod: connections that drop, and a ComfyUI that runs each prompt it is given.
import type { Artifact } from '../../src/domain/job.ts'
import type { Courier, Dialer, Executor, Machine, Task, Tunnel } from '../../src/ports.ts'
import type { Chance, VirtualClock } from './clock.ts'
import { type Cloud, type CloudPod, fault } from './cloud.ts'

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
  /** Set by scenarios: the bucket refuses the key. */
  bucketRefuses: boolean
  jobMs: [low: number, high: number]
}

type SimMachine = Machine & {
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
      while (open.has(localPort)) localPort++
      open.add(localPort)
      const tunnel: Tunnel = {
        localPort,
        async close() {
          open.delete(localPort)
        },
      }
      return tunnel
    },
    async connect(address, { signal }) {
      await clock.sleep(chance.between(20, 300), signal)
      const pod = cloud.pods.get(address.host)
      if (!pod || !cloud.alive(pod) || pod.stopped || clock.now() < pod.runningAt) throw fault('pod', 'ssh_refused')
      if (world.keyRefused) throw fault('operator', 'key_refused')
      return createMachine(world, pod)
    },
  }
}

function createMachine({ chance, clock, cloud }: PodWorld, pod: CloudPod): SimMachine {
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
        return { code: 0, stdout: 'GPU 0: SIM (UUID: GPU-0)\n', stderr: '' }
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
      await clock.sleep(500, over.signal)
      if (!machine.up) return
      const lost = !cloud.alive(pod) || pod.stopped || (lostAt !== null && clock.now() >= lostAt)
      if (lost) end(fault('pod', 'connection_lost'))
    }
  }
}

async function quiet(...signals: (AbortSignal | undefined)[]): Promise<void> {
  if (signals.some(signal => signal?.aborted)) return
  await new Promise(resolve => {
    for (const signal of signals) signal?.addEventListener('abort', resolve, { once: true })
  })
}

export function createExecutor(world: PodWorld): Executor {
  const { chance, clock, cloud, shelf } = world
  const step = async (machine: SimMachine, signal: AbortSignal, ms: number) => {
    await clock.sleepUnless(ms, signal, machine.link)
    signal.throwIfAborted()
    if (!machine.up || !cloud.alive(machine.pod)) throw fault('pod', 'connection_lost')
  }
  const submit = (task: Task, pod: CloudPod) => {
    const same = pod.prompts.get(task.promptId)
    if (same) {
      same.runs++
      return world.forbid(`prompt ${task.promptId} of ${task.jobId} runs twice`)
    }
    const beside = [...pod.prompts.values()].find(prompt => prompt.state === 'running' && prompt.doneAt > clock.now())
    if (beside) world.forbid(`${task.jobId} is put beside ${beside.jobId} on ${pod.ref}`)
    const doneAt = clock.now() + chance.between(...world.jobMs)
    pod.prompts.set(task.promptId, { id: task.promptId, jobId: task.jobId, doneAt, state: 'running', runs: 1 })
  }
  return {
    name: 'sim',
    port: 8188,
    async ready(machine, signal) {
      const { pod } = machine as SimMachine
      while (!(clock.now() >= pod.comfyAt)) await step(machine as SimMachine, signal, 250)
    },
    async run(task, anyMachine, on, signal) {
      const machine = anyMachine as SimMachine
      const { pod } = machine
      let submitted = task.resumed
      try {
        await step(machine, signal, chance.between(50, 600))
        // Before the prompt is there: what fails later and leaves it running is a fault of the pod.
        const isThere = task.resumed && pod.prompts.has(task.promptId)
        if (!isThere && chance.happens(cloud.weather.transientFault)) throw fault('transient', 'upload_timed_out')
        if (!isThere) {
          submitted = true
          submit(task, pod)
          await step(machine, signal, chance.between(20, 200))
        }
        const prompt = pod.prompts.get(task.promptId)
        if (!prompt) throw new Error('bug: a prompt that was submitted is not there')
        on.started()
        if (chance.happens(cloud.weather.jobFault)) {
          prompt.state = 'interrupted'
          throw fault('job', 'node_failed')
        }
        if (chance.happens(cloud.weather.operatorFault)) {
          prompt.state = 'interrupted'
          throw fault('operator', 'bucket_key_refused')
        }
        if (chance.happens(cloud.weather.podFault)) throw fault('pod', 'out_of_memory')
        while (clock.now() < prompt.doneAt) await step(machine, signal, Math.min(700, prompt.doneAt - clock.now() + 1))
        if (prompt.state === 'interrupted') throw fault('job', 'interrupted_outside')
        prompt.state = 'done'
        const artifacts: Artifact[] = []
        for (let index = 0; index < 2; index++) {
          await step(machine, signal, chance.between(50, 500))
          const file = `picture-${index}.png`
          const key = `out/${task.runId}/${task.jobId}/${task.attempt}/${file}`
          const artifact = { name: 'picture', nodeId: '9', file, index, key, sha256: `sha of ${key}`, bytes: 1000 }
          shelf.set(key, artifact.sha256)
          on.stored(artifact)
          artifacts.push(artifact)
        }
        return artifacts
      } catch (error) {
        if (!signal.aborted || signal.reason !== 'cancel') throw error
        if (chance.happens(cloud.weather.cancelIgnored)) return await new Promise<never>(() => {})
        await clock.sleep(chance.between(50, 300))
        const prompt = pod.prompts.get(task.promptId)
        // Without a link nothing can be stopped: whoever asked must know that it may still run.
        if (submitted && prompt && !machine.up) throw fault('pod', 'connection_lost')
        if (submitted && prompt) prompt.state = 'interrupted'
        throw fault('transient', 'cancelled')
      }
    },
  }
}

export function createCourier(world: PodWorld): Courier {
  const { chance, clock, cloud, shelf, forbid } = world
  return {
    deliver: () => Promise.reject(new Error('bug: the simulated executor moves the files')),
    collect: () => Promise.reject(new Error('bug: the simulated executor moves the files')),
    async publish(spec, artifacts) {
      await clock.sleep(chance.between(50, 500))
      if (chance.happens(cloud.weather.publishFails)) throw fault('transient', 'bucket_busy')
      if (world.bucketRefuses) throw fault('operator', 'bucket_key_refused')
      if (world.refusedTarget === spec.jobId) throw fault('job', 'target_unwritable')
      for (const artifact of artifacts)
        if (shelf.get(artifact.key) !== artifact.sha256) forbid(`${artifact.key} is published and not stored`)
      return artifacts.map(({ file, sha256, bytes }) => ({
        name: 'picture',
        path: `/outputs/${spec.jobId}/${file}`,
        url: null,
        bytes,
        sha256,
      }))
    },
  }
}
