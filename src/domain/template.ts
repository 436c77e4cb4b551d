// A template: a ComfyUI graph with placeholders, what they may be, and how a job's values are put in their place.
// Left out: files and their formats (edge/jobdir-template), and which node an output means (template-output).
import type { Graph, Model } from './job.ts'
import { didYouMean } from './nearest.ts'
import { linkProblems, nodePlace } from './template-links.ts'

export type ParamValue = string | number | boolean

export type Param = {
  type: 'int' | 'float' | 'string' | 'boolean' | 'enum'
  /** Absent: the job must give a value. */
  default?: ParamValue
  /** Bounds of a number, inclusive; of a string, its length. */
  min?: number
  max?: number
  /** Of an enum. */
  choices?: ParamValue[]
  /** Accepted and not used, so that the job file of another template runs with this one unchanged. */
  unused?: boolean
  description: string
}

export type InputKind = 'image' | 'video' | 'audio'
export type OutputKind = InputKind | 'text' | 'model'

export type Template = {
  /** The file's stem. */
  name: string
  /** Absolute path. */
  path: string
  description: string
  /** null: a bare graph without a header; then every placeholder that appears is a param or an input of any type. */
  params: Record<string, Param> | null
  inputs: Record<string, { kind: InputKind | null; unused?: boolean; description: string }> | null
  outputs: Record<string, { node: string; kind: OutputKind | null }>
  requires: { models: Model[]; nodes: string[]; vramGb: number }
  graph: Graph
}

/** One thing that is wrong, and in whose file. */
export type Problem = { in: 'job' | 'template'; place: string; what: string; remedy: string }

type Use = { placeholder: string; nodeId: string; classType: string; field: string }

// Only what looks like a name: `{red|blue}` and `{"a": 1}` in a prompt are text.
const placeholders = /\{([A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_.-]*)?)\}/g

function usesIn(value: unknown, field: string, found: (placeholder: string, field: string) => void): void {
  if (typeof value === 'string') for (const match of value.matchAll(placeholders)) found(match[1] ?? '', field)
  else if (Array.isArray(value)) value.forEach((item, index) => void usesIn(item, `${field}[${index}]`, found))
  else if (value !== null && typeof value === 'object')
    for (const [key, item] of Object.entries(value)) usesIn(item, field === '' ? key : `${field}.${key}`, found)
}

/** Every placeholder of the graph and the node and field it stands in. */
function placeholdersOf(graph: Graph): Use[] {
  const uses: Use[] = []
  for (const [nodeId, node] of Object.entries(graph)) {
    usesIn(node.inputs, '', (placeholder, field) =>
      uses.push({ placeholder, nodeId, classType: node.class_type, field }),
    )
  }
  return uses
}

/** `input.image` → ['input', 'image']; null for a placeholder nobody fills. */
function split(placeholder: string): ['input' | 'param', string] | ['job_id', ''] | null {
  if (placeholder === 'job_id') return ['job_id', '']
  const match = /^(input|param)\.([A-Za-z][A-Za-z0-9_-]*)$/.exec(placeholder)
  return match ? [match[1] as 'input' | 'param', match[2] ?? ''] : null
}

/** Why the value is not one of this param, or null when it is. */
export function paramFault(param: Param, value: ParamValue): string | null {
  const shown = typeof value === 'string' ? `text ${JSON.stringify(value)}` : String(value)
  if (param.type === 'enum') {
    const choices = param.choices ?? []
    if (choices.includes(value)) return null
    const listed = choices.map(choice => JSON.stringify(choice)).join(', ')
    return `must be one of ${listed}, not ${JSON.stringify(value)}${didYouMean(String(value), choices.map(String))}`
  }
  if (param.type === 'boolean') return typeof value === 'boolean' ? null : `must be true or false, not ${shown}`
  if (param.type === 'string') {
    if (typeof value !== 'string') return `must be text, not ${shown}`
    if (param.min !== undefined && value.length < param.min) return `must have at least ${param.min} characters`
    if (param.max !== undefined && value.length > param.max) return `must have at most ${param.max} characters`
    return null
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    return `must be a ${param.type === 'int' ? 'whole number' : 'number'}, not ${shown}`
  }
  if (param.type === 'int' && !Number.isInteger(value)) return `must be a whole number, not ${shown}`
  if (param.type === 'int' && !Number.isSafeInteger(value)) {
    return `must be at most ${Number.MAX_SAFE_INTEGER}: larger whole numbers do not survive JSON unchanged`
  }
  if (param.min !== undefined && value < param.min) return `must be at least ${param.min}, not ${shown}`
  if (param.max !== undefined && value > param.max) return `must be at most ${param.max}, not ${shown}`
  return null
}

/** A job may name a param `constructor`. */
function own<T>(record: Record<string, T> | null, name: string): T | undefined {
  return record && Object.hasOwn(record, name) ? record[name] : undefined
}

/** What is wrong with the template itself, whatever job uses it. */
export function checkTemplate(template: Template): Problem[] {
  const problems = linkProblems(template.graph)
  const say = (place: string, what: string, remedy: string) => problems.push({ in: 'template', place, what, remedy })
  const used = new Set<string>()
  const declared = { input: template.inputs, param: template.params }
  const known = [
    'job_id',
    ...(['input', 'param'] as const).flatMap(side => Object.keys(declared[side] ?? {}).map(name => `${side}.${name}`)),
  ]
  for (const use of placeholdersOf(template.graph)) {
    const place = nodePlace(use.nodeId, use.classType, use.field)
    const parts = split(use.placeholder)
    used.add(use.placeholder)
    if (!parts) {
      say(
        place,
        `unknown placeholder {${use.placeholder}}${didYouMean(use.placeholder, known)}`,
        'Use {input.NAME}, {param.NAME} or {job_id}.',
      )
    } else if (parts[0] !== 'job_id' && declared[parts[0]] && !Object.hasOwn(declared[parts[0]] ?? {}, parts[1])) {
      say(
        place,
        `placeholder {${use.placeholder}} is not declared under autopod.${parts[0]}s${didYouMean(use.placeholder, known)}`,
        `Declare ${parts[1]} under autopod.${parts[0]}s, or correct the placeholder.`,
      )
    }
  }
  for (const name of known.slice(1)) {
    const [side, bare] = split(name) ?? ['job_id', '']
    if (used.has(name) || side === 'job_id' || own<{ unused?: boolean }>(declared[side], bare)?.unused) continue
    say(
      `autopod.${name.replace('.', 's.')}`,
      'is declared, but no node uses it',
      `Put {${name}} into a node, or remove it.`,
    )
  }
  for (const [name, param] of Object.entries(template.params ?? {})) {
    const place = `autopod.params.${name}`
    if (param.type === 'enum' && !param.choices?.length) say(place, 'is an enum without choices', 'Add "choices".')
    else if (param.default !== undefined) {
      const fault = paramFault(param, param.default)
      if (fault !== null) say(`${place}.default`, fault, 'Make the default a value that the param allows.')
    }
  }
  for (const [name, output] of Object.entries(template.outputs)) {
    if (Object.hasOwn(template.graph, output.node)) continue
    say(`autopod.outputs.${name}`, `names node "${output.node}", which does not exist`, 'Name a node of this workflow.')
  }
  return problems
}

function fillValue(value: unknown, lookup: (placeholder: string) => ParamValue): unknown {
  if (typeof value === 'string') {
    const whole = [...value.matchAll(placeholders)]
    if (whole.length === 1 && whole[0]?.[0] === value) return lookup(whole[0][1] ?? '')
    return value.replace(placeholders, (_, placeholder: string) => String(lookup(placeholder)))
  }
  if (Array.isArray(value)) return value.map(item => fillValue(item, lookup))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillValue(item, lookup)]))
}

export type JobValues = { jobId: string; inputs: Record<string, string>; params: Record<string, ParamValue> }

/**
 * The graph with every placeholder replaced. A string that is only one placeholder takes the value's own type.
 * @param template has passed `checkTemplate`
 * @param values `inputs` are paths below ComfyUI's input folder
 */
export function fillTemplate(template: Template, values: JobValues): { graph: Graph; problems: Problem[] } {
  const problems: Problem[] = []
  const uses = placeholdersOf(template.graph)
  const declared = { input: template.inputs, param: template.params }
  const filled = new Map<string, ParamValue>([['job_id', values.jobId]])
  for (const side of ['input', 'param'] as const) {
    const given: Record<string, ParamValue> = side === 'input' ? values.inputs : values.params
    const names = new Set(
      uses.flatMap(use => (use.placeholder.startsWith(`${side}.`) ? [use.placeholder.slice(side.length + 1)] : [])),
    )
    const unused = Object.entries(declared[side] ?? {}).flatMap(([name, { unused }]) => (unused ? [name] : []))
    for (const [name, value] of Object.entries(given)) {
      const param = side === 'param' ? own(template.params, name) : undefined
      const fault = param ? paramFault(param, value) : null
      if (!names.has(name) && !unused.includes(name)) {
        problems.push({
          in: 'job',
          place: `${side}s.${name}`,
          what: `is not used: template "${template.name}" has no ${side} "${name}"${didYouMean(name, [...names, ...unused])}`,
          remedy: names.size > 0 ? `Its ${side}s are: ${[...names].join(', ')}.` : `It takes no ${side}s: remove it.`,
        })
      } else if (fault !== null) {
        problems.push({ in: 'job', place: `params.${name}`, what: fault, remedy: param?.description ?? '' })
      } else filled.set(`${side}.${name}`, value)
    }
    for (const name of names) {
      const fallback = side === 'param' ? own(template.params, name)?.default : undefined
      if (Object.hasOwn(given, name)) continue
      if (fallback !== undefined) {
        filled.set(`${side}.${name}`, fallback)
        continue
      }
      const use = uses.find(found => found.placeholder === `${side}.${name}`)
      problems.push({
        in: 'job',
        place: `${side}s.${name}`,
        what: `is missing: ${use ? nodePlace(use.nodeId, use.classType, use.field) : 'a node'} of template "${template.name}" needs it`,
        remedy: `Add "${name}" under "${side}s".`,
      })
    }
  }
  if (problems.length > 0) return { graph: template.graph, problems }
  const lookup = (placeholder: string): ParamValue => {
    const value = filled.get(placeholder)
    if (value === undefined) throw new Error(`bug: placeholder {${placeholder}} of ${template.path} was not checked`)
    return value
  }
  const graph: Graph = Object.fromEntries(
    Object.entries(template.graph).map(([id, node]) => [
      id,
      { ...node, inputs: fillValue(node.inputs, lookup) as Record<string, unknown> },
    ]),
  )
  return { graph, problems }
}
