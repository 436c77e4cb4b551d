// What can go wrong inside a node, with the names and words a real server reports (recordings 07, 08, 09).
import { pythonError } from './nodes.ts'

/** hang: for ever, until the process ends · stall: until it is interrupted. */
export type FaultKind = 'oom' | 'error' | 'hang' | 'stall' | 'crash'

const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(2)

export function outOfMemory(vramBytes: number): Error {
  const message = `CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of ${gib(vramBytes)} GiB of which 1.10 GiB is free.`
  return pythonError('torch.OutOfMemoryError', message)
}

export const oomTips =
  'This error means you ran out of memory on your GPU.\n\nTIPS: If the workflow worked before you might have accidentally set the batch_size to a large number.'

export function interrupted(): Error {
  return pythonError('comfy.model_management.InterruptProcessingException', '')
}

export function isInterrupt(error: unknown): boolean {
  return exceptionType(error).endsWith('InterruptProcessingException')
}

export function exceptionType(error: unknown): string {
  return (error as { exceptionType?: string }).exceptionType ?? 'RuntimeError'
}

/** Frames as `traceback.format_tb` gives them, for the server in this folder. */
export function traceback(root: string): string[] {
  const frames: [file: string, line: number, name: string, source: string][] = [
    [
      'execution.py',
      545,
      'execute',
      'output_data, output_ui, has_subgraph, has_pending_tasks = await get_output_data(',
    ],
    ['execution.py', 344, 'get_output_data', 'return_values = await _async_map_node_over_list('],
    ['execution.py', 318, '_async_map_node_over_list', 'await process_inputs(input_dict, i)'],
    ['execution.py', 306, 'process_inputs', 'result = f(**inputs)'],
  ]
  return frames.map(
    ([file, line, name, source]) => `  File "${root}/${file}", line ${line}, in ${name}\n    ${source}\n`,
  )
}
