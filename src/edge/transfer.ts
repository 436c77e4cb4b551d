// The courier: a job's files between this machine, the bucket and a pod. Signed URLs and the pod's curl where both exist, else SSH.
import type { Bucket, Clock, Courier } from '../ports.ts'
import { adopt } from './transfer-adopt.ts'
import { collect } from './transfer-collect.ts'
import { deliver } from './transfer-deliver.ts'
import { keyedLock } from './transfer-lanes.ts'
import { publish } from './transfer-publish.ts'

export type CourierOptions = {
  bucket: Bucket
  /** The bucket that `r2://NAME/key` may name; null: none is set up, and files are kept in a folder. */
  bucketName: string | null
  /** For files on their way; made when needed, and what is put there is removed. */
  tempDir: string
  clock: Clock
  /** A pod sends larger files in parts of this size, rounded up to whole MiB; R2 takes none below 5 MiB. */
  partBytes?: number
  /** Files of one job on their way at once. */
  transfersMax?: number
}

/** What the parts of the courier share. */
export type Setting = {
  bucket: Bucket
  bucketName: string | null
  tempDir: string
  clock: Clock
  partBytes: number
  transfersMax: number
  /** How long a signed URL lives. */
  signedMs: number
  lock: ReturnType<typeof keyedLock>
}

/** A broken part costs at most this much; with 10 000 parts it reaches 640 GB. */
const PART_BYTES = 64 * 1024 * 1024
/** A pod's sshd allows ten sessions; the sampler, the log and a shell need the rest. */
const TRANSFERS_MAX = 4
/** Long enough for 64 MiB on the slowest line, curl's retries included; short for a key that somebody finds in a log. */
const SIGNED_MS = 3_600_000

export function createCourier(options: CourierOptions): Courier {
  const setting: Setting = {
    ...options,
    partBytes: options.partBytes ?? PART_BYTES,
    transfersMax: options.transfersMax ?? TRANSFERS_MAX,
    signedMs: SIGNED_MS,
    lock: keyedLock(),
  }
  return {
    deliver: (inputs, machine, folder, on, signal) => deliver(setting, inputs, machine, folder, on, signal),
    collect: (task, files, machine, on, signal) => collect(setting, task, files, machine, on, signal),
    adopt: (task, left, signal) => adopt(setting, task, left, signal),
    publish: (spec, artifacts, replace) => publish(setting, spec, artifacts, replace),
  }
}
