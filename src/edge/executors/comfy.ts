// Runs jobs on a pod's ComfyUI: files in, one prompt, followed to its end, files out.
//
// find folders → (resumed: look) → preflight → inputs → forget the one before → submit → follow → outputs. The socket is a hint,
// HTTP decides; the prompt id was chosen and stored before, so that every step can be asked about again after a crash on either side.
import { Fault } from '../../domain/fault.ts'
import type { JobGauge } from '../../domain/gauge.ts'
import type { Artifact } from '../../domain/job.ts'
import type { Clock, Courier, Executor, Machine, Task, TaskOn } from '../../ports.ts'
import { executionError } from '../../wire/comfy.ts'
import { holdByHand } from './by-hand.ts'
import { type ComfyApi, createComfyApi } from './comfy-api.ts'
import { endFault, namingInputs } from './comfy-faults.ts'
import { type ComfyFolders, findFolders } from './comfy-folders.ts'
import { type Finished, followPrompt, lost } from './comfy-follow.ts'
import { neededNodes, outputPrefix } from './comfy-graph.ts'
import { leftFiles } from './comfy-left.ts'
import { fileMark } from './comfy-marks.ts'
import { freeMemory } from './comfy-memory.ts'
import { missingFiles, selectFiles } from './comfy-outputs.ts'
import { type KnownClasses, preflight } from './comfy-preflight.ts'
import { createProgress } from './comfy-progress.ts'
import { cancelPrompt, lookBefore } from './comfy-prompt.ts'
import { rememberComfy, restartComfy } from './comfy-restart.ts'
import { openScope, type Scope } from './comfy-scope.ts'
import { submit } from './comfy-submit.ts'
import { watchPrompt } from './comfy-watch.ts'

/** A starting ComfyUI that takes a connection but does not answer is asked again after this. */
const READY_CALL_MS = 5_000
const READY_PAUSE_MS = 500
export type ComfyExecutorOptions = {
  courier: Courier
  clock: Clock
  /** ComfyUI's port on the pod. */
  port?: number
  /** Between two looks at a running prompt; sooner when the socket says that it ended. */
  pollMs?: number
  /** How long ComfyUI may refuse connections in mid-job while the machine lives, before the pod is given up. */
  goneMs?: number
}

export function createComfyExecutor(options: ComfyExecutorOptions): Executor {
  const { courier, clock } = options
  const port = options.port ?? 8188
  const pollMs = options.pollMs ?? 2_000
  const goneMs = options.goneMs ?? 60_000
  // A machine is one connection: what was learned over it holds until the pod is reached anew.
  const knownFolders = new WeakMap<Machine, ComfyFolders>()
  const knownClasses = new WeakMap<Machine, KnownClasses>()
  /**
   * The last prompt whose files were stored. Its history entry is what a restarted engine resumes from until the journal knows
   * that it succeeded, which is sure only once another job comes: killed in between, it would render the same again.
   */
  const stored = new WeakMap<Machine, string>()

  const foldersOf = async (api: ComfyApi, machine: Machine, signal: AbortSignal) => {
    const known = knownFolders.get(machine)
    if (known) return known
    const stats = await api.systemStats(signal)
    const folders = await findFolders(stats?.system.argv ?? [], machine, signal)
    knownFolders.set(machine, folders)
    return folders
  }

  /** The work between the first look and the last file. `posted` is told once the prompt may be on the server. */
  const work = async (task: Task, machine: Machine, on: TaskOn, scope: Scope, api: ComfyApi, posted: () => void) => {
    const { spec, promptId } = task
    const { signal } = scope
    const gauge = createGauge(on)
    const classes = knownClasses.get(machine) ?? new Map()
    knownClasses.set(machine, classes)
    const folders = await foldersOf(api, machine, signal)
    const isThere = task.resumed && (await lookBefore(api, promptId, clock, signal))
    if (!isThere && task.isTaken) throw lost(promptId)
    if (isThere) {
      on.log('the pod already has this prompt; following it')
    } else {
      await preflight(spec, api, classes, on, signal)
      gauge({ phase: 'inputs' })
      const moved = (t: { bytes: number; bytesTotal: number }) =>
        gauge({ phase: 'inputs', bytes: t.bytes, bytesTotal: t.bytesTotal })
      await courier.deliver(spec.inputs, machine, folders.input, moved, signal)
    }

    const isOutput = (name: string) => classes.get(name)?.isOutput === true
    const progress = createProgress(spec.graph, neededNodes(spec.graph, isOutput), promptId)
    let phase: 'queued' | 'running' = 'queued'
    let heardState: 'pending' | 'running' | null = null
    const show = () => gauge({ phase, ...progress.reading() })
    const following = followPrompt({
      api,
      promptId,
      clock,
      pollMs,
      goneMs,
      signal,
      on: {
        log: on.log,
        state(kind) {
          if (kind !== heardState) on.heard()
          heardState = kind
          phase = kind === 'running' ? 'running' : phase
          show()
        },
      },
    })
    const moved = () => {
      phase = 'running'
      following.moved()
      show()
    }
    const watch = watchPrompt({ base: api.base, promptId, progress, clock, on, nudge: following.nudge, moved })
    let end: Finished
    try {
      if (!isThere) {
        show()
        const clientId = await watch.clientId(signal)
        const before = stored.get(machine)
        if (before !== undefined)
          await api.forget(before, signal).catch(error => on.log(`the history entry stays: ${error.message}`))
        if (task.freeFirst) await freeMemory(api, clock, on, signal)
        posted()
        await submit({ task, api, clientId, on, clock, signal: scope.letGo })
        signal.throwIfAborted()
      }
      on.started()
      show()
      end = await following.wait()
    } finally {
      watch.close()
    }
    const fault = endFault(end.status, data => executionError.parse(data))
    if (fault) throw fault
    return await store(task, end, machine, folders, gauge, on, api, signal)
  }

  const store = async (
    task: Task,
    end: Finished,
    machine: Machine,
    folders: ComfyFolders,
    gauge: Gauge,
    on: TaskOn,
    api: ComfyApi,
    signal: AbortSignal,
  ): Promise<Artifact[]> => {
    const files = selectFiles(end.outputs, task.spec, folders, outputPrefix(task), on.log)
    gauge({ phase: 'outputs', fraction: 1 })
    const missing = await missingFiles(files, machine, signal)
    if (missing[0]) {
      // The next try would get the same names from the cache.
      await api.dropCache(signal).catch(() => {})
      throw new Fault({
        kind: 'transient',
        code: 'output_file_missing',
        message: `ComfyUI names ${missing[0].podPath}, which is not there (${missing.length} of ${files.length} files)`,
        hint: 'Something on the pod removes output files, or a node names a file it did not write.',
      })
    }
    const artifacts = await courier.collect(
      task,
      files,
      machine,
      {
        stored: on.stored,
        moved: t => gauge({ phase: 'outputs', fraction: 1, bytes: t.bytes, bytesTotal: t.bytesTotal }),
      },
      signal,
    )
    stored.set(machine, task.promptId)
    return artifacts
  }

  return {
    name: 'comfy',
    port,

    async ready(machine, signal, absent = () => {}) {
      const scope = openScope(machine, signal)
      const api = createComfyApi(machine.reach(port), clock)
      try {
        for (;;) {
          const answer = await api.answers(scope.signal, READY_CALL_MS)
          if (answer === 'well') break
          scope.signal.throwIfAborted()
          absent(answer === 'absent')
          await clock.sleep(Math.min(READY_PAUSE_MS, pollMs), scope.signal)
          scope.signal.throwIfAborted()
        }
        await rememberComfy(machine, scope.signal)
      } finally {
        scope.close()
      }
    },

    async marks(machine, signal) {
      const scope = openScope(machine, signal)
      const api = createComfyApi(machine.reach(port), clock)
      const folders = knownFolders.get(machine)
      try {
        const [log, file] = await Promise.all([
          api.logMark(scope.signal),
          folders ? fileMark(folders, machine, scope.signal) : null,
        ])
        return { log, file }
      } finally {
        scope.close()
      }
    },

    async free(machine, signal) {
      const scope = openScope(machine, signal)
      try {
        await createComfyApi(machine.reach(port), clock).free(scope.signal)
      } finally {
        scope.close()
      }
    },

    restart: (machine, signal) => restartComfy(machine, signal),

    async run(task, machine, on, signal) {
      if (task.spec.executor === 'hand') return holdByHand(clock, machine, on, signal)
      const scope = openScope(machine, signal)
      const api = createComfyApi(machine.reach(port), clock)
      let mayBeThere = task.resumed
      try {
        scope.signal.throwIfAborted()
        return await work(task, machine, on, scope, api, () => {
          mayBeThere = true
        })
      } catch (error) {
        if (signal.aborted) {
          if (signal.reason !== 'cancel') throw signal.reason
          const lost = scope.lost()
          if (mayBeThere && lost) throw lost
          if (mayBeThere && !(await cancelPrompt(api, task.promptId, clock, on))) {
            const message = `ComfyUI did not stop the prompt of ${task.jobId}`
            throw new Fault({ kind: 'pod', code: 'cancel_ignored', message })
          }
          throw new Fault({ kind: 'transient', code: 'cancelled', message: `job ${task.jobId} was cancelled` })
        }
        // What failed after the connection did, failed because of it; a verdict on the job stands.
        if (error instanceof Fault && error.data.kind === 'job') throw namingInputs(error, task.spec.inputs)
        throw scope.lost() ?? error
      } finally {
        scope.close()
      }
    },

    left: leftFiles,
  }
}

type Gauge = (partial: Partial<JobGauge> & Pick<JobGauge, 'phase'>) => void

function createGauge(on: TaskOn): Gauge {
  const blank = {
    nodeId: null,
    nodeTitle: null,
    step: null,
    steps: null,
    perSecond: null,
    bytes: null,
    bytesTotal: null,
  }
  return partial => on.gauge({ fraction: null, ...blank, ...partial })
}
