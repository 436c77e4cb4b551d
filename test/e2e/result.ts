// The result document as the command line promises it, version 1.
import * as z from 'zod'

/** Money in whole micro-dollars, whatever a float makes of it. */
const usd = z
  .number()
  .min(0)
  .refine(value => Math.abs(value * 1e6 - Math.round(value * 1e6)) < 1e-6, 'is not a whole number of micro-dollars')
const seconds = z.number().min(0)
const port = z.int().min(1024).max(65_535)
const time = z.iso.datetime()
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

export const result = z.strictObject({
  version: z.literal(1),
  run_id: z.string().regex(/^run_\d{8}_\d{6}_[0-9a-f]{8}$/),
  status: z.enum(['completed', 'failed', 'cancelled', 'budget_reached', 'needs_operator']),
  started_at: time,
  finished_at: time,
  duration_s: seconds,
  cost_usd: usd,
  jobs: z.array(
    z.strictObject({
      job_id: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/),
      status: z.enum(['waiting', 'running', 'completed', 'failed', 'cancelled']),
      attempts: z.int().min(0),
      pod_id: z.string().nullable(),
      local_port: port.nullable(),
      duration_s: seconds,
      cost_usd: usd,
      outputs: z.array(
        z.strictObject({
          name: z.string(),
          path: z.string().nullable(),
          url: z.string().nullable(),
          bytes: z.int().positive(),
          sha256,
        }),
      ),
      error: z
        .strictObject({
          kind: z.enum(['transient', 'capacity', 'pod', 'job', 'operator']),
          code: z.string(),
          message: z.string(),
          hint: z.string().nullable(),
          node: z.strictObject({ id: z.string(), class_type: z.string() }).nullable(),
        })
        .nullable(),
    }),
  ),
  pods: z.array(
    z.strictObject({
      pod_id: z.string().nullable(),
      name: z.string(),
      provider: z.string(),
      gpu_type: z.string(),
      gpu_count: z.int().positive(),
      price_usd_per_hour: usd,
      billed_s: seconds,
      cost_usd: usd,
      local_port: port.nullable(),
      status: z.string(),
    }),
  ),
})
export type Result = z.infer<typeof result>

export function micro(dollars: number): number {
  return Math.round(dollars * 1e6)
}
