// A pod's GPU figures into the gauges, for as long as its connection lives.
import { podOf } from '../domain/lookup.ts'
import type { Machine } from '../ports.ts'
import type { Context } from './context.ts'
import { settle } from './settle.ts'

/** Until `signal` aborts; a stream that ends is begun again after two periods. */
export async function sample(context: Context, podId: string, machine: Machine, signal: AbortSignal): Promise<void> {
  const { clock, limits, gauges, journal, sampler } = context
  const { gpuCount } = podOf(journal.fleet, podId).offer
  while (!signal.aborted) {
    await settle(() => sampler(machine, gpuCount, limits.sampleMs, figures => gauges.pod(podId, figures), signal))
    await clock.sleep(limits.sampleMs * 2, signal)
  }
}
