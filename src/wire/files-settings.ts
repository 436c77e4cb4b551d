// The settings file as a schema: one shape for config.json, autopod.json, the environment and the flags (version 1, 2026-11).
import * as z from 'zod'
import { secretOf } from './secret.ts'

const usd = z.number().positive().max(1_000_000)
const names = z.array(z.string().min(1).max(100)).max(50)

/** Keys go into headers, where a line break (of `echo`, of a copied file) is refused by Node with a stack trace. */
const key = z
  .string()
  .trim()
  .regex(/^[\x21-\x7e]+$/, 'must be plain letters, digits and signs, without spaces')

/** From here on it is told to nobody by mistake. */
const secret = key.transform(secretOf)

/** What we can speak: another scheme is a mistake, and would fail in the middle of a run. */
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an address that begins with http:// or https://' })

/** Addresses for a pod's last words are signed when it is ordered, for seven days at most (S3 and R2, 2026-08): grace and spare fit in. */
const DEADLINE_HOURS_MAX = 140

/** Who can rent in this version. */
export const PROVIDERS = ['runpod', 'sandbox'] as const

export const settingsFile = z.strictObject({
  $schema: z.string().optional(),
  provider: z.enum(PROVIDERS).optional().describe('Who rents.'),
  runpod: z
    .strictObject({
      api_key: secret.optional().describe('RUNPOD_API_KEY'),
      api_url: httpUrl.optional().describe('RUNPOD_API_URL; default the public REST v2 base.'),
      graphql_url: httpUrl.optional().describe('RUNPOD_GRAPHQL_URL; only for the balance.'),
    })
    .optional(),
  vast: z.strictObject({ api_key: secret.optional().describe('VAST_API_KEY') }).optional(),
  pod: z
    .strictObject({
      gpu_types: names.optional().describe('Order of preference, where the job file names none.'),
      gpu_count: z.int().min(1).max(16).optional(),
      regions: names.optional(),
      cloud: z.enum(['secure', 'community']).optional(),
      image: z.string().min(1).optional().describe('Container image with sshd and ComfyUI.'),
      disk_gb: z.int().min(5).max(4096).optional().describe('Container disk.'),
      volume_name: z.string().min(1).optional().describe('Network volume, by name.'),
      volume_path: z.string().regex(/^\//, { error: 'must begin with /' }).optional().describe('Where it is mounted.'),
      boot_minutes: z.number().positive().max(120).optional().describe('Longest way from the order to a usable pod.'),
      lease_minutes: z
        .number()
        .positive()
        .max(240)
        .optional()
        .describe('A pod that nobody renews for so long saves its outputs and ends itself.'),
      grace_minutes: z
        .number()
        .min(0)
        .max(600)
        .optional()
        .describe('What runs at the end of a lease may go on for so long before it is interrupted.'),
      deadline_hours: z
        .number()
        .positive()
        .max(DEADLINE_HOURS_MAX)
        .optional()
        .describe('Longest life of a pod, whoever renews.'),
      start_command: z
        .string()
        .max(500)
        .optional()
        .describe("The image's own start command, run after what ends the pod; empty: the image takes no arguments."),
    })
    .optional(),
  ssh: z
    .strictObject({
      private_key_path: z.string().min(1).optional(),
      public_key_path: z.string().min(1).optional(),
    })
    .optional(),
  bucket: z
    .enum(['r2', 'none'])
    .optional()
    .describe('Where files go between this machine and the pods; none = over SSH.'),
  r2: z
    .strictObject({
      account_id: z.string().min(1).optional(),
      endpoint: httpUrl.optional(),
      access_key_id: secret.optional(),
      secret_access_key: secret.optional(),
      bucket: z.string().min(1).optional(),
    })
    .optional(),
  run: z
    .strictObject({
      max_pods: z.int().min(1).max(500).optional(),
      max_cost_usd: usd
        .optional()
        .describe('Of a whole run, the end of its pods included: told at 50 and 80 %, nothing new from 90 % on.'),
      max_hourly_usd: usd.optional().describe('All pods of a run together, at the price that is really taken.'),
      timeout_minutes: z.number().positive().optional(),
      retries: z
        .int()
        .min(0)
        .max(20)
        .optional()
        .describe('Tries on another pod after the first, for bad hosts and for pods that break each.'),
      capacity_wait_minutes: z
        .number()
        .positive()
        .optional()
        .describe('How long jobs wait in line when nothing is to be had.'),
      stuck_warn_minutes: z
        .number()
        .positive()
        .optional()
        .describe(
          'A job without a message, GPU work, log line or new file (three of the four) for so long is warned of.',
        ),
      stuck_act_minutes: z
        .number()
        .positive()
        .optional()
        .describe('The same: then it is interrupted, ComfyUI is started anew, at last the pod is changed.'),
      first_port: z.int().min(1024).max(65_000).optional().describe('Local port of the first tunnel.'),
    })
    .optional(),
  notify: z
    .strictObject({
      webhook: z
        .url()
        .transform(secretOf)
        .optional()
        .describe(
          'Told when a run is over, a job failed, a step of a cap or a low balance is reached, a pod does not end, you are needed.',
        ),
      shape: z.enum(['json', 'slack', 'discord', 'ntfy']).optional().describe('By the address where absent.'),
      desktop: z.boolean().optional(),
    })
    .optional(),
  sandbox: z
    .strictObject({
      boot_ms: z.int().min(0).max(600_000).optional().describe('From the order to a ComfyUI that answers.'),
      step_ms: z.int().min(0).max(10_000).optional().describe('One progress step of a node.'),
      seed: z.int().optional(),
      faults: z.array(z.string()).optional(),
    })
    .optional(),
})

export type Settings = z.infer<typeof settingsFile>

/** Environment names that users of these services already have, and the settings they stand for. */
export const ENVIRONMENT: Record<string, { path: string; as: 'text' | 'number' | 'list' }> = {
  RUNPOD_API_KEY: { path: 'runpod.api_key', as: 'text' },
  RUNPOD_API_URL: { path: 'runpod.api_url', as: 'text' },
  RUNPOD_GRAPHQL_URL: { path: 'runpod.graphql_url', as: 'text' },
  RUNPOD_GPU_TYPE: { path: 'pod.gpu_types', as: 'list' },
  RUNPOD_WORKER_IMAGE: { path: 'pod.image', as: 'text' },
  RUNPOD_STORAGE_NAME: { path: 'pod.volume_name', as: 'text' },
  RUNPOD_VOLUME_MOUNT_PATH: { path: 'pod.volume_path', as: 'text' },
  // One disk is ordered; where both are set, the container's own name says it better.
  RUNPOD_DISK_SIZE_GB: { path: 'pod.disk_gb', as: 'number' },
  RUNPOD_CONTAINER_DISK_GB: { path: 'pod.disk_gb', as: 'number' },
  RUNPOD_SSH_PRIVATE_KEY_PATH: { path: 'ssh.private_key_path', as: 'text' },
  RUNPOD_SSH_PUBLIC_KEY_PATH: { path: 'ssh.public_key_path', as: 'text' },
  VAST_API_KEY: { path: 'vast.api_key', as: 'text' },
  R2_ACCOUNT_ID: { path: 'r2.account_id', as: 'text' },
  R2_ENDPOINT: { path: 'r2.endpoint', as: 'text' },
  R2_ACCESS_KEY_ID: { path: 'r2.access_key_id', as: 'text' },
  R2_SECRET_ACCESS_KEY: { path: 'r2.secret_access_key', as: 'text' },
  R2_BUCKET: { path: 'r2.bucket', as: 'text' },
}
