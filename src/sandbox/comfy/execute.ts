// Runs one prompt: nodes in order, results cached, every message in the recorded order (recordings 01, 02, 07, 08, 09).
// A prompt ends as success, error or interrupt; or never, when the process hangs or dies under it.
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { exceptionType, type FaultKind, interrupted, isInterrupt, oomTips, outOfMemory, traceback } from './faults.ts'
import type { Folders } from './folders.ts'
import { cacheKeys, executionOrder, isLink } from './graph.ts'
import type { Logs } from './logs.ts'
import { fingerprint, type NodeContext, type NodeResult, nodeRuns, pythonError } from './nodes.ts'
import { type Pictures, previewJpeg } from './pixels.ts'
import type { Finished, QueueItem, StatusMessage } from './queue.ts'
import { nodeSpec } from './signatures.ts'
import type { Hub } from './sockets.ts'

export type Worker = {
  folders: Folders
  hub: Hub
  logs: Logs
  cache: Map<string, NodeResult>
  vramBytes: number
  stepMs: number
  fault: FaultKind | null
  /** Set by /interrupt, read at steps and between nodes. */
  isInterrupted(): boolean
  /** Tells which node runs, for clients that come back. */
  at(node: string | null): void
  /** Told at every step; `share` is how much of the prompt's nodes ran, 0–1. */
  load(share: number): void
  /** Told when the GPU has nothing to do although the prompt is not over. */
  rest(): void
  crash(): void
  /** Aborts when the process ends; nothing after that is told to anybody. */
  ended: AbortSignal
}

type NodeProgress = { value: number; max: number; state: 'running' | 'finished' }

/** Progress messages come at most this often and in steps of at least half a percent (since ComfyUI 0.9.1). */
const progressEveryMs = 100
/** Timers may fire a little early; without this a 100 ms step would be shown only every second time. */
const timerSlackMs = 5
/** How soon a node that waits for something sees an interrupt. */
const stallLookMs = 50

export async function runPrompt(item: QueueItem, worker: Worker): Promise<Finished> {
  const [, promptId, prompt, extraData, outputs] = item
  const { hub, cache } = worker
  const clientId = typeof extraData.client_id === 'string' ? extraData.client_id : null
  const ids = Object.keys(prompt)
  const finished: Finished = { outputs: {}, meta: {}, status: { status_str: 'success', completed: true, messages: [] } }
  const progress = new Map<string, NodeProgress>()
  const executed: string[] = []
  let fault = worker.fault

  const toClient = (type: string, data: unknown) => {
    if (clientId !== null) hub.send(type, data, clientId)
  }
  const told = (event: string, data: Record<string, unknown>, broadcast = false) => {
    const message: StatusMessage = [event, { ...data, timestamp: Date.now() }]
    finished.status.messages.push(message)
    if (broadcast || clientId !== null) hub.send(event, message[1], clientId)
  }
  const names = (id: string) => ({
    node_id: id,
    prompt_id: promptId,
    display_node_id: id,
    parent_node_id: null,
    real_node_id: id,
  })
  const setProgress = (id: string, value: number, max: number, state: NodeProgress['state']) => {
    progress.set(id, { value, max, state })
    const nodes = Object.fromEntries([...progress].map(([node, now]) => [node, { ...now, ...names(node) }]))
    hub.send('progress_state', { prompt_id: promptId, nodes }, clientId)
  }
  const strike = async (kind: FaultKind): Promise<never> => {
    fault = null
    if (kind === 'oom') throw outOfMemory(worker.vramBytes)
    if (kind === 'error') throw pythonError('RuntimeError', 'simulated failure inside the node')
    if (kind === 'crash') worker.crash()
    worker.rest()
    while (kind === 'stall') {
      await sleep(stallLookMs, undefined, { signal: worker.ended })
      if (worker.isInterrupted()) throw interrupted()
    }
    // A hung worker thread does not see interrupts; only the end of the process ends it (recording 31).
    return await new Promise<never>((_, reject) => {
      if (worker.ended.aborted) reject(interrupted())
      worker.ended.addEventListener('abort', () => reject(interrupted()), { once: true })
    })
  }
  const previews = extraData.preview_method !== 'none'

  const stepper = (id: string): NodeContext['step'] => {
    let [toldAt, toldValue] = [Number.NEGATIVE_INFINITY, 0]
    return async (done: number, total: number, image: Pictures, frame: Buffer) => {
      await sleep(worker.stepMs, undefined, { signal: worker.ended })
      if (fault && done * 2 >= total) await strike(fault)
      if (worker.isInterrupted()) throw interrupted()
      worker.load((progress.size - 1 + done / total) / ids.length)
      const now = performance.now()
      const isDue = now - toldAt >= progressEveryMs - timerSlackMs && (done - toldValue) / total >= 0.005
      if (!isDue && done !== total) return
      ;[toldAt, toldValue] = [now, done]
      const jpeg = previews && hub.hears(clientId) ? await previewJpeg(image, frame) : null
      const metadata = hub.wantsMetadata(clientId) ? names(id) : null
      setProgress(id, done, total, 'running')
      if (jpeg && metadata) hub.preview(jpeg, metadata, clientId)
      hub.send('progress', { value: done, max: total, prompt_id: promptId, node: id }, clientId)
      if (jpeg && !metadata) hub.preview(jpeg, null, clientId)
    }
  }

  const show = (id: string, ui: Record<string, unknown[]> | undefined) => {
    if (!ui) return
    finished.outputs[id] = ui
    finished.meta[id] = { node_id: id, display_node: id, parent_node: null, real_node_id: id }
  }

  told('execution_start', { prompt_id: promptId })
  const keys = await cacheKeys(prompt, node => fingerprint(node, worker.folders))
  // Only what the latest prompt uses is kept (the real server's default since 2026, recording 26).
  for (const key of [...cache.keys()]) if (![...keys.values()].includes(key)) cache.delete(key)
  const hit = (id: string) => cache.get(keys.get(id) ?? '')
  told('execution_cached', { nodes: ids.filter(id => hit(id)), prompt_id: promptId })

  const isOutput = (id: string) => nodeSpec(prompt[id]?.class_type ?? '', () => [])?.output_node === true
  const order = executionOrder(prompt, outputs, isOutput, id => hit(id) !== undefined)
  const runNode = async (id: string) => {
    const known = hit(id)
    if (known) {
      toClient('executed', { node: id, display_node: id, output: known.ui ?? null, prompt_id: promptId })
      show(id, known.ui)
      setProgress(id, 1, 1, 'finished')
      return
    }
    const node = prompt[id]!
    worker.at(id)
    setProgress(id, 0, 1, 'running')
    toClient('executing', { node: id, display_node: id, prompt_id: promptId })
    worker.load((progress.size - 1) / ids.length)
    if (worker.isInterrupted()) throw interrupted()
    if (fault && isOutput(id)) await strike(fault)
    const inputs: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(node.inputs)) {
      inputs[name] = isLink(value) ? hit(value[0])?.values[value[1]] : value
    }
    const pngInfo = (extraData.extra_pnginfo ?? {}) as Record<string, unknown>
    const context = { folders: worker.folders, prompt, pngInfo, step: stepper(id) }
    const result = await nodeRuns[node.class_type]!(inputs, context)
    cache.set(keys.get(id)!, result)
    show(id, result.ui)
    if (result.ui) toClient('executed', { node: id, display_node: id, output: result.ui, prompt_id: promptId })
    executed.push(id)
    const { max } = progress.get(id)!
    setProgress(id, max, max, 'finished')
  }

  let current = ''
  try {
    for (let id = order.next(); id !== undefined; id = order.next()) {
      current = id
      await runNode(id)
      order.done(id)
    }
    told('execution_success', { prompt_id: promptId })
  } catch (error) {
    if (worker.ended.aborted) throw error
    finished.status = { ...finished.status, status_str: 'error', completed: false }
    const node_type = prompt[current]?.class_type ?? ''
    const about = { prompt_id: promptId, node_id: current, node_type, executed: [...executed] }
    if (isInterrupt(error)) {
      worker.logs.add('INFO', 'Processing interrupted')
      told('execution_interrupted', about, true)
    } else {
      const report = { ...about, ...describeFailure(error, worker, prompt[current]?.inputs ?? {}) }
      told('execution_error', { ...report, current_outputs: ids })
    }
  } finally {
    worker.at(null)
  }
  return finished
}

function describeFailure(error: unknown, worker: Worker, inputs: Record<string, unknown>) {
  const type = exceptionType(error)
  const isOom = type === 'torch.OutOfMemoryError'
  const message = (error as Error).message
  const frames = traceback(worker.folders.root)
  worker.logs.add('ERROR', `!!! Exception during processing !!! ${message}`)
  worker.logs.add('ERROR', `Traceback (most recent call last):\n${frames.join('')}${type}: ${message}`)
  if (isOom) worker.logs.add('ERROR', 'Got an OOM, unloading all loaded models.')
  const shown = Object.entries(inputs).map(([name, value]) => [
    name,
    // The real server prints the whole tensor here; nobody reads it.
    [isLink(value) ? 'tensor([[[[...]]]])' : typeof value === 'object' ? JSON.stringify(value) : value],
  ])
  return {
    exception_message: `${message}\n${isOom ? oomTips : ''}`,
    exception_type: type,
    traceback: frames,
    current_inputs: Object.fromEntries(shown),
  }
}
