// The graph as it is sent: the job's own, with output names that no other attempt can share.
import type { Graph } from '../../domain/job.ts'
import type { Task } from '../../ports.ts'

/**
 * Subfolder of ComfyUI's output folder that only this attempt writes to. Names there start at 00001 each time, and because
 * the prefix is an input of the saving node, ComfyUI's cache runs that node again instead of naming old files (seen on 0.33.0).
 */
export function outputPrefix(task: Pick<Task, 'runId' | 'jobId' | 'attempt'>): string {
  return `${task.runId}-${task.jobId}-${task.attempt}`.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+/, '_')
}

/** A copy in which every literal `filename_prefix` lies below `prefix`; the task's own graph stays as it is. */
export function withOutputPrefix(graph: Graph, prefix: string): Graph {
  const copy = structuredClone(graph)
  for (const node of Object.values(copy)) {
    const own = node.inputs.filename_prefix
    if (typeof own === 'string') node.inputs.filename_prefix = `${prefix}/${own.replace(/^\/+/, '')}`
  }
  return copy
}

/** Nodes that run: those that an output node needs, directly or not; every node when no class is known to be an output. */
export function neededNodes(graph: Graph, isOutput: (classType: string) => boolean): Set<string> {
  const needed = new Set<string>()
  const open = Object.keys(graph).filter(id => isOutput(graph[id]!.class_type))
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (needed.has(id)) continue
    needed.add(id)
    for (const value of Object.values(graph[id]!.inputs)) {
      const from = Array.isArray(value) && value.length === 2 ? value[0] : null
      if (typeof from === 'string' && graph[from]) open.push(from)
    }
  }
  return needed.size > 0 ? needed : new Set(Object.keys(graph))
}

/** What a person calls a node. */
export function nodeTitle(graph: Graph, id: string): string {
  const node = graph[id]
  return node?._meta?.title || node?.class_type || id
}

/** The node of the submitted graph that `id` belongs to; nodes made at run time are called `2.0.0.1` after their parent. */
export function graphNode(graph: Graph, id: string): string {
  for (let own = id; ; own = own.slice(0, own.lastIndexOf('.'))) {
    if (Object.hasOwn(graph, own)) return own
    if (!own.includes('.')) return id
  }
}
