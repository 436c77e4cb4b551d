// ComfyUI's complaints as faults: what a person reads, and whether another pod could do better.
import type { z } from 'zod'
import { Fault } from '../../domain/fault.ts'
import type { InputFile } from '../../domain/job.ts'
import type { ExecutionError, ExecutionStatus, NodeErrors, promptRefused } from '../../wire/comfy.ts'

/** Every node's complaints, the first node's at the head. The status code and `error.details` often say nothing. */
export function nodeErrorsFault(errors: NodeErrors): Fault {
  const lines = Object.entries(errors).flatMap(([id, node]) =>
    node.errors.map(error => {
      const input = error.extra_info?.input_name
      const details = [error.message, error.details].filter(Boolean).join(': ')
      return { id, node, error, text: `node ${id} (${node.class_type})${input ? `, input ${input}` : ''}: ${details}` }
    }),
  )
  const first = lines[0]
  const isMissingChoice = first?.error.type === 'value_not_in_list'
  return new Fault({
    kind: 'job',
    code: 'prompt_invalid',
    message: plain(`ComfyUI refused the workflow: ${lines.map(line => line.text).join('; ') || 'it did not say why'}`),
    hint: isMissingChoice
      ? 'The value is not among those this ComfyUI offers; for a model, put the file on the pod or declare it in the template.'
      : 'Correct the named input in the template or the job file; `autopod check` shows the filled-in workflow.',
    ...(first && { node: nodeOf(first.id, first.node.class_type) }),
  })
}

/** A 400 of POST /prompt. */
export function refusalFault(refusal: z.infer<typeof promptRefused>): Fault {
  if (Object.keys(refusal.node_errors).length > 0) return nodeErrorsFault(refusal.node_errors)
  const { type, message, details, extra_info } = refusal.error
  const id = extra_info?.node_id
  const classType = extra_info?.class_type
  // Before 0.11.1 a missing class was `invalid_prompt` with no more than words.
  const isMissing = type === 'missing_node_type' || /does not exist|has no class_type/.test(message)
  return new Fault({
    kind: 'job',
    code: isMissing ? 'node_missing' : 'prompt_invalid',
    message: plain(`ComfyUI refused the workflow: ${[message, details].filter(Boolean).join(' · ') || type}`),
    hint: isMissing
      ? 'Use an image or a volume that has the custom node installed.'
      : 'Check the workflow: it must be in API format and hold at least one node that saves something.',
    ...(id && { node: nodeOf(id, classType ?? '?') }),
  })
}

type Sort = { kind: 'pod' | 'job'; code: string; what: string; hint: string }

/**
 * First match wins. Patterns: PyTorch 2.x and safetensors, seen in ComfyUI's transcripts and public reports to 2026. Of the card's
 * memory: `torch.OutOfMemoryError` (older torch: `torch.cuda.OutOfMemoryError`) with "Allocation on device" or "CUDA out of memory"
 * (ComfyUI 0.3.64 and 0.33.0, recordings `08_oom`).
 */
const sorts: [test: RegExp, sort: Sort][] = [
  [
    /OutOfMemoryError|ran out of memory on your GPU|Allocation on device|(CUDA|HIP) (error: )?out of memory/i,
    {
      // The pod is whole: what did not fit is the job, in this card, beside what was in it.
      kind: 'job',
      code: 'out_of_memory',
      what: 'ran out of GPU memory',
      hint: 'Ask for a GPU with more memory (gpu_type), or lower resolution, frames or batch size.',
    },
  ],
  [
    /DefaultCPUAllocator: can't allocate memory|\bMemoryError\b/,
    {
      kind: 'pod',
      code: 'host_out_of_memory',
      what: 'ran out of main memory',
      hint: 'Take a pod with more memory, or lower resolution, frames or batch size.',
    },
  ],
  [
    /(CUDA|HIP|cuDNN|CUBLAS) error|CUDNN_STATUS|CUBLAS_STATUS/i,
    {
      kind: 'pod',
      code: 'cuda_error',
      what: 'hit a CUDA error',
      hint: 'The GPU or its driver is in a bad state; another pod is used.',
    },
  ],
  [
    /SafetensorError|MetadataIncompleteBuffer/,
    {
      kind: 'pod',
      code: 'model_damaged',
      what: 'read a damaged model file',
      hint: 'The file on the pod is incomplete; on a network volume, delete it and fetch it again.',
    },
  ],
  [
    /No space left on device/,
    { kind: 'pod', code: 'disk_full', what: 'found the disk full', hint: 'Ask for more disk space in the settings.' },
  ],
]

export function executionFault(error: ExecutionError): Fault {
  const node = nodeOf(error.node_id, error.node_type)
  const type = plain(error.exception_type)
  const said = plain(error.exception_message) || 'it gave no reason'
  const sort = sorts.find(([test]) => test.test(`${type} ${error.exception_message}`))?.[1]
  if (sort) {
    const message = `node ${node.id} (${node.classType}) ${sort.what}: ${said}`
    return new Fault({ kind: sort.kind, code: sort.code, message, hint: sort.hint, node })
  }
  return new Fault({
    kind: 'job',
    code: 'node_failed',
    message: `node ${node.id} (${node.classType}) failed with ${type || 'an error'}: ${said}`,
    hint: "Look at the node's inputs; `autopod logs` shows the whole traceback of the pod.",
    node,
  })
}

/** Files were sent under names made of their content: a complaint that has one is told with the job's own name for it, and its place here. */
export function namingInputs(fault: Fault, inputs: readonly InputFile[]): Fault {
  const named = inputs.filter(input => fault.data.message.includes(input.podPath))
  if (named.length === 0) return fault
  const words = named.map(({ name, podPath, source }) => `${podPath} is input ${name}, ${source}`)
  const message = `${fault.data.message} (${words.join('; ')})`
  const hint = fault.data.code === 'node_failed' ? 'Check that this file is whole and of the kind its name says.' : null
  return new Fault({ ...fault.data, message, ...(hint && { hint }) }, { cause: fault })
}

/** null when the prompt ended well. Messages decide: an interrupted prompt has the same status word as a failed one. */
export function endFault(status: ExecutionStatus | null, parse: (data: unknown) => ExecutionError): Fault | null {
  const last = status?.messages.findLast(([type]) => type === 'execution_error' || type === 'execution_interrupted')
  if (last?.[0] === 'execution_interrupted') {
    return new Fault({
      kind: 'job',
      code: 'interrupted',
      message: "the work was interrupted on the pod, from ComfyUI's own interface or by another program",
      hint: '`autopod retry` runs the job again.',
    })
  }
  if (status?.status_str !== 'error') return null
  return executionFault(parse(last?.[1] ?? {}))
}

/** As a journal may hold it, whatever a pod calls them. */
const nodeOf = (id: string, classType: string) => ({ id: plain(id), classType: plain(classType) })

/** One line without control sequences, short enough for a screen and a journal. */
export function plain(text: string): string {
  const clean = text
    .replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replace(/\s+/g, ' ')
    .replace(/[\x00-\x1f\x7f-\x9f]/g, '')
    .trim()
  return clean.length > 600 ? `${clean.slice(0, 599)}…` : clean
}
