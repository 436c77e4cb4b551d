// POST /prompt's checks, error by error and word by word as ComfyUI 0.33.0 gives them (recordings 05, 06, 2026-11).
import { isLink, type Prompt } from './graph.ts'
import type { InputSpec, NodeSpec } from './signatures.ts'

export type Problem = { type: string; message: string; details: string; extra_info: Record<string, unknown> }
export type NodeErrors = Record<string, { errors: Problem[]; dependent_outputs: string[]; class_type: string }>
export type Verdict = { error: Problem | null; outputs: string[]; nodeErrors: NodeErrors }

export type Rules = {
  spec(className: string): NodeSpec | undefined
  /** A node's own check of one input: true, or what is wrong with it. Undefined: there is none. */
  custom(className: string, inputName: string): ((value: unknown) => true | string) | undefined
}

/** A bug of the request that the real server does not catch: HTTP 500 there and here. */
const uncaught = (message: string) => new TypeError(message)

const problem = (type: string, message: string, details = '', extra_info: Record<string, unknown> = {}): Problem => ({
  type,
  message,
  details,
  extra_info,
})

const pythonRepr = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`
  return typeof value === 'string' ? `'${value}'` : pythonText(value)
}
const pythonText = (value: unknown): string => {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

const typeNames: Record<string, string> = { object: 'dict', string: 'str', boolean: 'bool', number: 'float' }
const pythonType = (value: unknown) => (value === null ? 'NoneType' : (typeNames[typeof value] ?? 'object'))

/** The value as Python's int(), float(), str() or bool() would make it; throws with Python's words. */
function coerced(type: string, value: unknown): unknown {
  if (type === 'STRING') return typeof value === 'string' ? value : pythonText(value)
  if (type === 'BOOLEAN') return typeof value === 'object' && value !== null ? true : Boolean(value)
  if (type !== 'INT' && type !== 'FLOAT') return value
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'number') return type === 'INT' ? Math.trunc(value) : value
  const name = type === 'INT' ? 'int' : 'float'
  if (typeof value !== 'string') {
    const needs =
      type === 'INT'
        ? 'int() argument must be a string, a bytes-like object or a real number'
        : 'float() argument must be a string or a real number'
    throw new Error(`${needs}, not '${pythonType(value)}'`)
  }
  const pattern = type === 'INT' ? /^\s*[+-]?\d+\s*$/ : /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i
  if (pattern.test(value)) return Number(value)
  throw new Error(
    name === 'int'
      ? `invalid literal for int() with base 10: '${value}'`
      : `could not convert string to float: '${value}'`,
  )
}

type Result = { valid: boolean; problems: Problem[] }

/** Literals are coerced in place, so /queue and /history show the coerced prompt. */
export function validatePrompt(prompt: unknown, targets: string[] | null, rules: Rules): Verdict {
  if (typeof prompt !== 'object' || prompt === null || Array.isArray(prompt)) throw uncaught('prompt is not a mapping')
  const nodes = prompt as Prompt
  const refused = (error: Problem): Verdict => ({ error, outputs: [], nodeErrors: {} })
  const outputs: string[] = []
  for (const [id, node] of Object.entries(nodes)) {
    if (typeof node !== 'object' || node === null || Array.isArray(node)) throw uncaught('node is not a mapping')
    const missing = missingType(id, node, rules)
    if (missing) return refused(missing)
    if (rules.spec(node.class_type)?.output_node && (targets === null || targets.includes(id))) outputs.push(id)
  }
  if (outputs.length === 0) return refused(problem('prompt_no_outputs', 'Prompt has no outputs'))
  return judge(nodes, outputs, rules)
}

function missingType(id: string, node: Prompt[string], rules: Rules): Problem | null {
  const details = `Node ID '#${id}'`
  const title = node._meta?.title ?? null
  if (node.class_type === undefined) {
    const message = `Node '${title ?? `ID #${id}`}' has no class_type. The workflow may be corrupted or a custom node is missing.`
    return problem('missing_node_type', message, details, { node_id: id, class_type: null, node_title: title })
  }
  if (rules.spec(node.class_type)) return null
  const node_title = title ?? node.class_type
  const message = `Node '${node_title}' not found. The custom node may not be installed.`
  return problem('missing_node_type', message, details, { node_id: id, class_type: node.class_type, node_title })
}

function judge(nodes: Prompt, outputs: string[], rules: Rules): Verdict {
  const results = new Map<string, Result>()
  const nodeErrors: NodeErrors = {}
  const good: string[] = []
  const lines: string[] = []
  for (const output of outputs) {
    let result: Result
    try {
      result = validateNode(nodes, output, results, [], rules)
    } catch (error) {
      result = { valid: false, problems: [exceptionProblem('exception_during_validation', error)] }
      results.set(output, result)
    }
    if (result.valid) {
      good.push(output)
      continue
    }
    lines.push(...result.problems.map(({ message, details }) => `${message}: ${details}`))
    for (const [id, { valid, problems }] of results) {
      if (valid || problems.length === 0) continue
      const entry = nodeErrors[id] ?? { errors: problems, dependent_outputs: [], class_type: nodes[id]!.class_type }
      nodeErrors[id] = entry
      entry.dependent_outputs.push(output)
    }
  }
  if (good.length > 0) return { error: null, outputs: good, nodeErrors }
  const error = problem('prompt_outputs_failed_validation', 'Prompt outputs failed validation', lines.join('\n'))
  return { error, outputs: [], nodeErrors }
}

type Thrown = Error & { exceptionType?: string }
const pythonThrow = (exceptionType: string, message: string): Thrown =>
  Object.assign(new Error(message), { exceptionType })

const traceback = [
  '  File "/workspace/ComfyUI/execution.py", line 1184, in validate_prompt\n    m = await validate_inputs(prompt_id, prompt, o, validated)\n',
  '  File "/workspace/ComfyUI/execution.py", line 933, in validate_inputs\n    o_class_type = prompt[o_id]["class_type"]\n',
]

function exceptionProblem(type: string, error: unknown, extra: Record<string, unknown> = {}): Problem {
  const thrown = error as Thrown
  const inner = type === 'exception_during_inner_validation'
  return problem(type, `Exception when validating ${inner ? 'inner ' : ''}node`, thrown.message, {
    ...extra,
    ...(inner ? { exception_message: thrown.message } : {}),
    exception_type: thrown.exceptionType ?? 'Exception',
    traceback,
  })
}

function validateNode(nodes: Prompt, id: string, results: Map<string, Result>, path: string[], rules: Rules): Result {
  const known = results.get(id)
  if (known) return known
  const node = nodes[id]!
  if (path.includes(id)) return markCycle(nodes, path.slice(path.indexOf(id)), results)
  const spec = rules.spec(node.class_type)!
  if (typeof node.inputs !== 'object' || node.inputs === null) throw pythonThrow('KeyError', "'inputs'")
  const problems: Problem[] = []
  let valid = true
  const check = (name: string, input: InputSpec, required: boolean) => {
    if (!(name in node.inputs)) {
      if (required) {
        problems.push(problem('required_input_missing', 'Required input is missing', name, { input_name: name }))
      }
      return
    }
    const value = node.inputs[name]
    if (!Array.isArray(value)) {
      const custom = rules.custom(node.class_type, name)
      const wrong = literalProblem(node.inputs, name, input, custom === undefined)
      if (wrong) problems.push(wrong)
      else if (custom) {
        const answer = custom(node.inputs[name])
        if (answer !== true) {
          const message = 'Custom validation failed for node'
          problems.push(problem('custom_validation_failed', message, `${name} - ${answer}`, { input_name: name }))
        }
      }
      return
    }
    const wrong = linkProblem(nodes, name, input, value, rules)
    if (wrong) {
      problems.push(wrong)
      return
    }
    const from = String(value[0])
    try {
      if (!validateNode(nodes, from, results, [...path, id], rules).valid) valid = false
    } catch (error) {
      valid = false
      const extra = { input_name: name, input_config: configOf(input), linked_node: value }
      const inner = exceptionProblem('exception_during_inner_validation', error, extra)
      results.set(from, { valid: false, problems: [inner] })
    }
  }
  for (const [name, input] of Object.entries(spec.input.required)) check(name, input, true)
  for (const [name, input] of Object.entries(spec.input.optional ?? {})) check(name, input, false)
  // A cycle may have judged this very node meanwhile; that verdict stands.
  const result = results.get(id) ?? { valid: valid && problems.length === 0, problems }
  results.set(id, result)
  return result
}

function linkProblem(nodes: Prompt, name: string, input: InputSpec, value: unknown[], rules: Rules): Problem | null {
  const about = { input_name: name, input_config: configOf(input) }
  if (value.length !== 2) {
    const message = 'Bad linked input, must be a length-2 list of [node_id, slot_index]'
    return problem('bad_linked_input', message, name, { ...about, received_value: value })
  }
  const origin = nodes[String(value[0])]
  if (!isLink(value) || !origin) throw pythonThrow('KeyError', pythonRepr(value[0]))
  const received = rules.spec(origin.class_type)?.output[value[1]]
  if (received === undefined) throw pythonThrow('IndexError', 'tuple index out of range')
  const wanted = input[0]
  if (received === wanted || wanted === '*') return null
  const details = `${name}, received_type(${received}) mismatch input_type(${pythonText(wanted)})`
  return problem('return_type_mismatch', 'Return type mismatch between linked nodes', details, {
    ...about,
    received_type: received,
    linked_node: value,
  })
}

// The real server always shows a pair, also for an input that has no options of its own.
const configOf = (input: InputSpec) => [input[0], input[1] ?? {}]

function literalProblem(inputs: Record<string, unknown>, name: string, input: InputSpec, ranges: boolean) {
  const [type, options = {}] = input
  const about = { input_name: name, input_config: configOf(input) }
  const given = inputs[name]
  const value = typeof given === 'object' && given !== null && '__value__' in given ? given.__value__ : given
  try {
    inputs[name] = typeof type === 'string' ? coerced(type, value) : value
  } catch (error) {
    const { message } = error as Error
    return problem(
      'invalid_input_type',
      `Failed to convert an input value to a ${type} value`,
      `${name}, ${pythonText(value)}, ${message}`,
      { ...about, received_value: value, exception_message: message },
    )
  }
  if (!ranges) return null
  const received_value = inputs[name]
  const shown = pythonText(received_value)
  if (typeof options.min === 'number' && Number(received_value) < options.min) {
    const message = `Value ${shown} smaller than min of ${options.min}`
    return problem('value_smaller_than_min', message, name, { ...about, received_value })
  }
  if (typeof options.max === 'number' && Number(received_value) > options.max) {
    const message = `Value ${shown} bigger than max of ${options.max}`
    return problem('value_bigger_than_max', message, name, { ...about, received_value })
  }
  const choices = Array.isArray(type) ? type : type === 'COMBO' ? (options.options as string[]) : null
  if (!choices || choices.includes(received_value as string)) return null
  // Long lists are not sent back.
  const long = choices.length > 20
  const list = long ? `(list of length ${choices.length})` : pythonRepr(choices)
  return problem('value_not_in_list', 'Value not in list', `${name}: '${shown}' not in ${list}`, {
    input_name: name,
    input_config: long ? null : about.input_config,
    received_value,
  })
}

function markCycle(nodes: Prompt, cycle: string[], results: Map<string, Result>): Result {
  const label = (id: string) => `${id} (${nodes[id]?.class_type})`
  const details = [...cycle, cycle[0]!].map(label).join(' -> ')
  for (const id of cycle) {
    const extra = { node_id: id, cycle_nodes: cycle }
    results.set(id, {
      valid: false,
      problems: [problem('dependency_cycle', 'Dependency cycle detected', details, extra)],
    })
  }
  return results.get(cycle.at(-1)!)!
}
