// The links of a graph: what no ComfyUI can run, whatever classes its nodes are of.
import type { Graph } from './job.ts'
import type { Problem } from './template.ts'

export function nodePlace(id: string, classType: string, field: string): string {
  return `node ${id} (${classType}), field ${field}`
}

type Link = { id: string; field: string; to: string; slot: number }

/** `[node id, slot]`; any other list is a value of the node's own. */
function linksOf(graph: Graph, id: string): Link[] {
  return Object.entries(graph[id]?.inputs ?? {}).flatMap(([field, value]): Link[] => {
    if (!Array.isArray(value) || value.length !== 2) return []
    const [to, slot] = value as unknown[]
    return typeof to === 'string' && typeof slot === 'number' ? [{ id, field, to, slot }] : []
  })
}

function linkFault(graph: Graph, { id, to, slot }: Link): string | null {
  if (!Object.hasOwn(graph, to)) return Number.isInteger(slot) ? `links to node "${to}", which does not exist` : null
  if (to === id) return 'links to its own node'
  const isSlot = Number.isInteger(slot) && slot >= 0
  return isSlot ? null : `links to output ${slot} of node "${to}"; outputs are counted from 0`
}

/** Ids that lead round in a circle, the first again at the end; null without one. */
function cycleOf(graph: Graph): string[] | null {
  const links = Object.keys(graph).map((id): [string, string[]] => {
    const sources = linksOf(graph, id).map(link => link.to)
    return [id, sources.filter(to => to !== id && Object.hasOwn(graph, to))]
  })
  const open = new Map(links)
  // Not by recursion: a chain of some thousand nodes is deeper than the stack.
  const readers = new Map(links.map(([id]): [string, string[]] => [id, []]))
  for (const [id, sources] of links) for (const to of sources) readers.get(to)?.push(id)
  const left = new Map(links.map(([id, sources]) => [id, sources.length]))
  const ready = links.flatMap(([id, sources]) => (sources.length === 0 ? [id] : []))
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    open.delete(id)
    for (const reader of readers.get(id) ?? []) {
      const waits = (left.get(reader) ?? 0) - 1
      left.set(reader, waits)
      if (waits === 0) ready.push(reader)
    }
  }
  const path = new Set<string>()
  // Whatever is still open waits for another that is: to follow it must come back.
  for (let id = open.keys().next().value; id !== undefined; id = open.get(id)?.find(to => open.has(to))) {
    if (path.has(id)) return [...[...path].slice([...path].indexOf(id)), id]
    path.add(id)
  }
  return null
}

/** What is wrong with the links of a template. */
export function linkProblems(graph: Graph): Problem[] {
  const remedy = 'Link to a node of this workflow, or export it again with Save (API Format).'
  const problems = Object.entries(graph).flatMap(([id, node]) =>
    linksOf(graph, id).flatMap((link): Problem[] => {
      const what = linkFault(graph, link)
      return what === null ? [] : [{ in: 'template', place: nodePlace(id, node.class_type, link.field), what, remedy }]
    }),
  )
  const cycle = cycleOf(graph)
  if (cycle === null) return problems
  const named = cycle.map(id => `${id} (${graph[id]?.class_type})`).join(' ← ')
  const what = `each needs the result of the next, in a circle: ${named}`
  return [...problems, { in: 'template', place: 'nodes', what, remedy: 'Take out the link that closes the circle.' }]
}
