// GPU figures of one pod as one long-lived stream: one command for hours instead of one every few seconds.
import type { Machine } from '../ports.ts'
import type { Context } from './context.ts'
import { settle } from './settle.ts'

/** The query of the first versions; every driver since 2015 answers it. */
const QUERY = 'nvidia-smi --query-gpu=utilization.gpu,utilization.memory,memory.used,memory.total --format=csv,noheader'

/** Samples until `signal` aborts or the machine closes; a stream that ends is begun again after two periods. */
export async function sample(context: Context, podId: string, machine: Machine, signal: AbortSignal): Promise<void> {
  const { clock, limits, gauges } = context
  const seconds = Math.max(1, Math.round(limits.sampleMs / 1000))
  while (!signal.aborted) {
    const rows: number[][] = []
    let rowsAt = 0
    await settle(() =>
      machine.exec(`${QUERY} -l ${seconds}`, {
        signal,
        onLine(line) {
          const figures = parse(line)
          if (!figures) return
          // Lines of one sample come together, one a GPU.
          if (clock.now() - rowsAt > limits.sampleMs / 2) rows.length = 0
          rowsAt = clock.now()
          rows.push(figures)
          const mean = (at: number) => rows.reduce((sum, row) => sum + (row[at] ?? 0), 0) / rows.length
          const total = (at: number) => rows.reduce((sum, row) => sum + (row[at] ?? 0), 0)
          gauges.pod(podId, { gpuUtil: mean(0), memUtil: mean(1), vramUsedMiB: total(2), vramTotalMiB: total(3) })
        },
      }),
    ).catch(() => undefined)
    await clock.sleep(limits.sampleMs * 2, signal)
  }
}

/** `98 %, 41 %, 38912 MiB, 46068 MiB` → [98, 41, 38912, 46068]; null for anything else (`[N/A]`, errors). */
function parse(line: string): number[] | null {
  const parts = line.split(',').map(part => Number.parseFloat(part))
  return parts.length === 4 && parts.every(Number.isFinite) ? parts : null
}
