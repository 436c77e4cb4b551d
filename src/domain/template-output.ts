// Which node of a graph an output name means: the template's map, else the node's title, else the only output of that kind.
import type { Graph } from './job.ts'
import { didYouMean } from './nearest.ts'
import type { OutputKind, Problem, Template } from './template.ts'

// Nodes that write files to the output folder (names seen on ComfyUI 0.33.0, and VideoHelperSuite's).
const kinds: [RegExp, OutputKind][] = [
  [/^SaveAnimated|^SaveVideo|^SaveWEBM|VideoCombine/, 'video'],
  [/^SaveAudio/, 'audio'],
  [/^SaveText/, 'text'],
  [/^SaveGLB|^Save3D/, 'model'],
  [/^Save\w*Image|^ImageSave|^SaveSVG/, 'image'],
]

const words: Record<OutputKind, RegExp> = {
  image: /^(images?|pictures?|frames?|sheet|png|jpe?g)$/,
  video: /^(videos?|animations?|clips?|movie|mp4|webm|webp|gif)$/,
  audio: /^(audio|sound|voice|music|wav|mp3)$/,
  text: /^(text|caption)$/,
  model: /^(model|mesh|glb)$/,
}

/** What a node of this class saves; null for one that is not known to save. */
export function savedKind(classType: string): OutputKind | null {
  return kinds.find(([pattern]) => pattern.test(classType))?.[1] ?? null
}

/** Files a PreviewImage shows are temporary: they are never an output. */
function isPreview(classType: string): boolean {
  return classType.startsWith('Preview')
}

/** Nodes that may leave files: known savers, and whatever nothing else reads (a custom saver looks like that); by id. */
function outputNodes(graph: Graph): { id: string; kind: OutputKind | null; title: string }[] {
  const read = new Set<string>()
  for (const node of Object.values(graph)) {
    for (const value of Object.values(node.inputs)) {
      if (Array.isArray(value) && value.length === 2 && typeof value[0] === 'string') read.add(value[0])
    }
  }
  return Object.entries(graph).flatMap(([id, node]) => {
    const kind = savedKind(node.class_type)
    if (isPreview(node.class_type) || (kind === null && read.has(id))) return []
    return [{ id, kind, title: node._meta?.title ?? node.class_type }]
  })
}

/** The node whose files output `name` of a job means, or what is wrong with that name. */
export function outputNode(template: Template, name: string): { nodeId: string } | { problem: Problem } {
  const mapped = Object.hasOwn(template.outputs, name) ? template.outputs[name] : undefined
  if (mapped) return { nodeId: mapped.node }
  const titled = Object.entries(template.graph).filter(
    ([, node]) => node._meta?.title === name && !isPreview(node.class_type),
  )
  const first = titled[0]
  if (titled.length === 1 && first) return { nodeId: first[0] }
  const nodes = outputNodes(template.graph)
  const wanted = (Object.keys(words) as OutputKind[]).find(kind => words[kind].test(name.toLowerCase())) ?? null
  const fitting = nodes.filter(node => wanted === null || node.kind === null || node.kind === wanted)
  const known = Object.keys(template.outputs)
  if (titled.length === 0 && fitting.length === 1 && fitting[0]) return { nodeId: fitting[0].id }
  const several = titled.length > 1 ? titled.map(([id]) => id) : fitting.map(node => node.id)
  const listed = nodes.map(node => `${node.id} (${node.title}${node.kind ? `, ${node.kind}` : ''})`).join(', ')
  const what =
    several.length > 1
      ? `could mean several nodes of template "${template.name}": ${several.join(', ')}`
      : `no node of template "${template.name}" writes it${didYouMean(name, known)}`
  const remedy =
    known.length > 0
      ? `Name one of its outputs: ${known.join(', ')}.`
      : `Use a node's title as the name, or add an "autopod.outputs" map; nodes that write files: ${listed || 'none'}.`
  return { problem: { in: 'job', place: `outputs.${name}`, what, remedy } }
}
