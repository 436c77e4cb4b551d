// What an executor is given, small and real: this machine as the pod, a courier that copies files, a task, a record of what it told.
import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { Fault, type FaultData } from '../../src/domain/fault.ts'
import { type Artifact, bareSpec, type Graph, type JobSpec } from '../../src/domain/job.ts'
import { systemClock } from '../../src/edge/clock.ts'
import type { Clock, Courier, Executor, Machine, Task, TaskOn } from '../../src/ports.ts'

/** A folder of its own, removed when the test ends. */
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'executor-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

/** A process that stood still for longer lost that time: it is nobody's silence. */
const STALL_MS = 5

/** Time `factor` times as fast, so that graces and backoffs pass without being waited for. */
export function fastClock(factor: number): Clock {
  let virtual = Date.now()
  let last = Date.now()
  const now = () => {
    const real = Date.now()
    virtual += Math.min(real - last, STALL_MS) * factor
    last = real
    return virtual
  }
  return {
    now,
    async sleep(ms, signal) {
      const until = now() + ms
      await systemClock.sleep(ms / factor, signal)
      if (!signal?.aborted) virtual = Math.max(now(), until)
    },
    uuid: () => randomUUID(),
  }
}

/** This machine; `lose` is the end of its connection. */
export function localMachine(url: string, env: Record<string, string> = {}): Machine & { lose(error: Error): void } {
  const closed = Promise.withResolvers<Error | null>()
  const no = () => Promise.reject(new Error('the executor leaves files to the courier'))
  return {
    async exec(command, options = {}) {
      const child = spawn('/bin/sh', ['-c', command], { env: { ...process.env, ...env } })
      // A command that reads nothing may be over before this is written.
      child.stdin.on('error', () => {}).end(options.stdin ?? '')
      const [stdout, stderr, code] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        new Promise<number>(resolve => child.on('close', status => resolve(status ?? -1))),
      ])
      return { code, stdout, stderr }
    },
    put: no,
    get: no,
    reach: () => url,
    hostKey: 'SHA256:local',
    closed: closed.promise,
    close: () => closed.resolve(null),
    lose: error => closed.resolve(error),
  }
}

/** Copies; `kept` is where collected files go. `failNext` makes one collection fail. */
export function localCourier(kept: string): Courier & { failNext: Fault | null } {
  return {
    failNext: null,
    async deliver(inputs, _machine, target, on) {
      for (const input of inputs) {
        await mkdir(dirname(join(target, input.podPath)), { recursive: true })
        await cp(input.source, join(target, input.podPath))
        on({ phase: 'inputs', bytes: 1, bytesTotal: 1 })
      }
    },
    async collect(task, files, _machine, on) {
      const fault = this.failNext
      this.failNext = null
      if (fault) throw fault
      const artifacts: Artifact[] = []
      for (const { podPath, nodeId, file } of files) {
        const key = `out/${task.runId}/${task.jobId}/${task.attempt}/${file}`
        await mkdir(dirname(join(kept, key)), { recursive: true })
        await cp(podPath, join(kept, key), { errorOnExist: true, force: false })
        const content = await readFile(join(kept, key))
        const sha256 = createHash('sha256').update(content).digest('hex')
        const name = task.spec.outputs.find(target => target.nodeId === nodeId)?.name ?? null
        const index = artifacts.filter(artifact => artifact.nodeId === nodeId).length
        artifacts.push({ name, nodeId, file, index, key, sha256, bytes: content.length })
        on.stored(artifacts.at(-1)!)
      }
      return artifacts
    },
    adopt: () => Promise.reject(new Error('the executor adopts nothing')),
    publish: () => Promise.reject(new Error('the executor publishes nothing')),
  }
}

export function taskOf(graph: Graph, spec: Partial<JobSpec> = {}, task: Partial<Task> = {}): Task {
  return {
    runId: 'run_1',
    jobId: 'job-1',
    attempt: 1,
    promptId: randomUUID(),
    freeFirst: false,
    resumed: false,
    isTaken: false,
    ...task,
    spec: bareSpec({
      jobId: 'job-1',
      digest: '0'.repeat(64),
      source: '/jobs/job-1.json',
      executor: 'comfy',
      template: 'test',
      graph,
      ...spec,
    }),
  }
}

export type Told = {
  started: number
  heard: number
  stored: Artifact[]
  gauges: Parameters<TaskOn['gauge']>[0][]
  previews: Uint8Array[]
  log: string[]
}
export type Ended = Told & ({ artifacts: Artifact[]; fault: null } | { artifacts: null; fault: FaultData })

/** Runs one task to its end; anything thrown that is no Fault is thrown on. `when` is called with all that was told so far. */
export async function runTask(
  executor: Executor,
  task: Task,
  machine: Machine,
  { signal = new AbortController().signal, when }: { signal?: AbortSignal; when?: (told: Told) => void } = {},
): Promise<Ended> {
  const told: Told = { started: 0, heard: 0, stored: [], gauges: [], previews: [], log: [] }
  const note =
    <T>(keep: (value: T) => unknown) =>
    (value: T) => {
      keep(value)
      when?.(told)
    }
  const on: TaskOn = {
    started: () => note(() => told.started++)(undefined),
    heard: () => void told.heard++,
    stored: note(artifact => told.stored.push(artifact)),
    gauge: note(gauge => told.gauges.push(gauge)),
    preview: note(image => told.previews.push(image)),
    log: note(line => told.log.push(line)),
  }
  try {
    return {
      ...told,
      artifacts: await executor.run(task, machine, on, signal),
      fault: null,
      heard: told.heard,
      started: told.started,
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { ...told, artifacts: null, fault: error.data, heard: told.heard, started: told.started }
  }
}
