// What `nvidia-smi` says about the GPUs of a pod. Format: nvidia-smi 535 to 580, `--help-query-gpu` (2025).

/** Arguments of the sampler; one line a GPU comes back, in the order of their index. */
export const gpuQuery = '--query-gpu=utilization.gpu,utilization.memory,memory.used,memory.total --format=csv,noheader'

/** One GPU at one moment; null where the card, its MIG mode or the container does not tell. */
export type GpuSample = {
  /** Per cent, 0..100. */
  gpuUtil: number | null
  memUtil: number | null
  vramUsedMiB: number | null
  vramTotalMiB: number | null
}

export type GpuLine = { kind: 'sample'; sample: GpuSample } | { kind: 'trouble'; text: string } | { kind: 'blank' }

/** `98 %, 41 %, 38912 MiB, 46068 MiB` → a sample; any other words (`No devices were found`, a driver's error) → trouble. */
export function readGpuLine(line: string): GpuLine {
  const text = line.trim()
  if (text === '') return { kind: 'blank' }
  const fields = text.split(',').map(field => readField(field.trim()))
  const [gpuUtil, memUtil, vramUsedMiB, vramTotalMiB] = fields
  if (
    fields.length !== 4 ||
    gpuUtil === undefined ||
    memUtil === undefined ||
    vramUsedMiB === undefined ||
    vramTotalMiB === undefined
  )
    return { kind: 'trouble', text }
  return { kind: 'sample', sample: { gpuUtil, memUtil, vramUsedMiB, vramTotalMiB } }
}

/** A number, null for a value in brackets (`[N/A]`, `[Not Supported]`, `[Unknown Error]`), undefined for no field at all. */
function readField(field: string): number | null | undefined {
  if (field === 'N/A' || /^\[.*\]$/.test(field)) return null
  const match = /^(\d+(?:\.\d+)?)(?: (?:%|MiB))?$/.exec(field)
  return match ? Number(match[1]) : undefined
}

/** A pod's GPUs as one: utilisation is their mean, memory their sum; 0 for what none of them tells. null without a sample. */
export function sumGpus(
  samples: GpuSample[],
): { gpuUtil: number; memUtil: number; vramUsedMiB: number; vramTotalMiB: number } | null {
  if (samples.length === 0) return null
  const told = (key: keyof GpuSample) => samples.map(sample => sample[key]).filter(value => value !== null)
  const sum = (key: keyof GpuSample) => told(key).reduce((total, value) => total + value, 0)
  const mean = (key: keyof GpuSample) => Math.round(sum(key) / Math.max(1, told(key).length))
  return {
    gpuUtil: mean('gpuUtil'),
    memUtil: mean('memUtil'),
    vramUsedMiB: sum('vramUsedMiB'),
    vramTotalMiB: sum('vramTotalMiB'),
  }
}
