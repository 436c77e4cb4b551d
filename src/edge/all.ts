// Every implementation of a port there is: adding one is a line here and a line in its contract test.
import { createDisk } from './buckets/disk.ts'
import { createR2 } from './buckets/r2.ts'
import { createComfyExecutor } from './executors/comfy.ts'
import { createRunpod } from './providers/runpod.ts'

export const providers = { runpod: createRunpod }
export const executors = { comfy: createComfyExecutor }
export const buckets = { r2: createR2, disk: createDisk }
