// The job file as a schema: what `autopod schema job` prints and what every job file is read with (version 1, 2026-11).
import * as z from 'zod'

/** Names of inputs, params and outputs. A letter first, so that no name can be a key with a meaning of its own. */
export const fieldName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, {
  error: 'a name is a letter followed by letters, digits, "_" or "-", 64 at most',
})

const gpuName = z.string().min(1, { error: 'must not be empty' }).max(100, { error: 'is longer than 100 characters' })
const place = z.string().min(1, { error: 'must not be empty' }).max(4096, { error: 'is longer than 4096 characters' })

export const jobFile = z.strictObject({
  $schema: z.string().optional(),
  job_id: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, { error: 'must be 1 to 64 of A-Z a-z 0-9 . _ -' })
    .refine(id => id !== '.' && id !== '..', { error: 'must not be "." or ".."' })
    .optional()
    .describe("Unique within a run; the file's stem when absent."),
  workflow_template: z
    .string()
    .min(1, { error: 'must not be empty' })
    .max(4096)
    .describe('Name of a template (see `autopod template list`), or a path to a .json file.'),
  inputs: z
    .record(fieldName, place)
    .optional()
    .describe(
      'Files by name: a local path or r2://bucket/key. Relative to the folder of the command, then of this file.',
    ),
  params: z
    .record(
      fieldName,
      z.union([z.string(), z.number(), z.boolean()], { error: 'must be text, a number, true or false' }),
    )
    .optional()
    .describe("Values for the template's params."),
  outputs: z
    .record(fieldName, place)
    .refine(outputs => Object.keys(outputs).length > 0, { error: 'must name at least one output' })
    .describe('Where results go: a path, a folder (ends in /) or r2://…; {job_id}, {name}, {index}, {ext}.'),
  pod_config: z
    .strictObject({
      gpu_type: z
        .union([gpuName, z.array(gpuName).min(1).max(20)], {
          error: 'must be a GPU name, or a list of 1 to 20 of them',
        })
        .optional()
        .describe('Provider id or short name (A40, RTX 4090, 4090); a list is an order of preference.'),
      gpu_count: z
        .int({ error: 'must be a whole number' })
        .min(1, { error: 'must be at least 1' })
        .max(16, { error: 'must be at most 16' })
        .optional(),
      max_cost_usd: z
        .number({ error: 'must be a number of US dollars' })
        .positive({ error: 'must be more than 0' })
        .max(100_000, { error: 'must be at most 100000' })
        .optional()
        .describe('Hard limit of this job, in US dollars.'),
      timeout_minutes: z
        .number({ error: 'must be a number of minutes' })
        .positive({ error: 'must be more than 0' })
        .max(43_200, { error: 'must be at most 43200 (30 days)' })
        .optional(),
    })
    .optional(),
})

export type JobFile = z.infer<typeof jobFile>
