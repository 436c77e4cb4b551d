// The embedded cloud as one server: a provider API, pods with SSH and ComfyUI, and an S3 bucket, all on loopback.
import { assembleSandbox, type Sandbox, type SandboxOptions } from './assembly.ts'
import { startBucketServer } from './bucket/server.ts'
import { startPod } from './pod.ts'

export type { Sandbox, SandboxDescription, SandboxOptions } from './assembly.ts'

/**
 * Starts it, or goes on where the one that used the folder before left off: bills continue, running pods come back with
 * new ports. Rejects on a bad fault switch, an unreadable state file, or a `port` that is taken.
 */
export function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  return assembleSandbox(options, { startPod, startBucket: startBucketServer })
}
