// GPU figures of one pod as one long-lived stream: one command for hours instead of one every few seconds.
import type { Sampler } from '../ports.ts'
import { type GpuSample, gpuQuery, readGpuLine, sumGpus } from '../wire/nvidia.ts'

export const sampleGpus: Sampler = async (machine, gpuCount, everyMs, on, signal) => {
  let gpus: GpuSample[] = []
  await machine.exec(`nvidia-smi ${gpuQuery} -l ${Math.max(1, Math.round(everyMs / 1000))}`, {
    signal,
    onLine(line) {
      const read = readGpuLine(line)
      if (read.kind !== 'sample') return
      gpus.push(read.sample)
      if (gpus.length < gpuCount) return
      const isTold = gpus.some(({ gpuUtil }) => gpuUtil !== null)
      const sum = sumGpus(gpus)
      gpus = []
      // A card that does not tell how busy it is must not be taken for an idle one.
      if (sum) on(isTold ? sum : { ...sum, gpuUtil: undefined })
    },
  })
}
