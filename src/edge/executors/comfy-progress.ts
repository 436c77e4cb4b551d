// How far a prompt is, from the socket's messages: a hint for people. Nothing is decided here.
import type { JobGauge } from '../../domain/gauge.ts'
import type { Graph } from '../../domain/job.ts'
import type { Millis } from '../../domain/units.ts'
import type { Message, NodeProgress } from '../../wire/comfy.ts'
import { graphNode, nodeTitle } from './comfy-graph.ts'

/** Steps that the speed is taken over: enough to be steady, few enough to follow a change of pace. */
const SPEED_SAMPLES = 10

export type Reading = Pick<JobGauge, 'fraction' | 'nodeId' | 'nodeTitle' | 'step' | 'steps' | 'perSecond'>
export type Progress = {
  /** `over`: the prompt has ended one way or another, ask for its result. */
  read(message: Message, at: Millis): 'changed' | 'over' | 'ignored'
  reading(): Reading
}

/** @param needed nodes of `graph` that will run or be taken from the cache; each has the same share of the whole. */
export function createProgress(graph: Graph, needed: Set<string>, promptId: string): Progress {
  const done = new Set<string>()
  const running = new Map<string, number>()
  let fraction = 0
  let nodeId: string | null = null
  let step: number | null = null
  let steps: number | null = null
  let samples: { value: number; at: Millis }[] = []

  const enter = (id: string | null) => {
    if (id === nodeId) return
    nodeId = id
    step = null
    steps = null
    samples = []
  }
  const tick = (id: string, value: number, max: number, at: Millis) => {
    enter(id)
    if (max > 1) {
      step = Math.min(value, max)
      steps = max
    }
    const last = samples.at(-1)
    if (last && value < last.value) samples = []
    if (last?.value !== value) samples.push({ value, at })
    if (samples.length > SPEED_SAMPLES) samples.shift()
    running.set(id, max > 0 ? Math.min(1, value / max) : 0)
  }
  const state = (nodes: Record<string, NodeProgress>, at: Millis) => {
    running.clear()
    for (const [id, node] of Object.entries(nodes)) {
      // Nodes made at run time (`2.0.0.1`) belong to one that is itself listed.
      if (!needed.has(id)) continue
      if (node.state === 'finished') done.add(id)
      else if (node.state === 'running') tick(id, node.value ?? 0, node.max ?? 1, at)
    }
  }
  const recount = () => {
    let sum = 0
    for (const id of needed) sum += done.has(id) ? 1 : (running.get(id) ?? 0)
    // A node that starts again, or one that reports smaller numbers, must not take the bar back.
    fraction = Math.max(fraction, Math.min(1, sum / Math.max(1, needed.size)))
  }
  const apply = (message: Message, at: Millis): 'changed' | 'over' | 'ignored' => {
    if (message.type === 'other' || message.type === 'status') return 'ignored'
    // After a reconnect ComfyUI sends `executing` without a prompt id; one prompt runs at a time on a pod.
    if ((message.data.prompt_id ?? promptId) !== promptId) return 'ignored'
    switch (message.type) {
      case 'execution_start':
        return 'changed'
      case 'execution_cached':
        for (const id of message.data.nodes) done.add(id)
        return 'changed'
      case 'progress_state':
        state(message.data.nodes, at)
        return 'changed'
      case 'executing':
        if (message.data.node === null || message.data.node === undefined) return 'over'
        enter(graphNode(graph, message.data.display_node ?? message.data.node))
        return 'changed'
      case 'progress':
        if (message.data.node) tick(graphNode(graph, message.data.node), message.data.value, message.data.max, at)
        return 'changed'
      case 'executed':
        done.add(message.data.node)
        return 'changed'
      case 'execution_success':
      case 'execution_interrupted':
        return 'over'
      case 'execution_error':
        // A blocked branch is not the end: the other branches go on.
        return message.data.exception_type === 'ExecutionBlocked' ? 'changed' : 'over'
    }
  }

  return {
    read(message, at) {
      const verdict = apply(message, at)
      if (verdict === 'changed') recount()
      return verdict
    },
    reading: () => ({
      fraction,
      nodeId,
      nodeTitle: nodeId === null ? null : nodeTitle(graph, nodeId),
      step,
      steps,
      perSecond: steps === null ? null : speed(samples),
    }),
  }
}

function speed(samples: { value: number; at: Millis }[]): number | null {
  const first = samples[0]
  const last = samples.at(-1)
  if (!first || !last || last.at <= first.at || last.value <= first.value) return null
  return ((last.value - first.value) * 1000) / (last.at - first.at)
}
