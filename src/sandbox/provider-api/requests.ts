// The bodies that the simulated provider accepts: closed schemas, and complaints in the words of the live service
// (RunPod REST v2 OpenAPI, 2026-08; texts recorded 2026-08 for enums and unknown keys, others by the same validator's habit).
import { z } from 'zod'

const cudaVersion = z.string().regex(/^\d+\.\d+$/)
const mounts = z.strictObject({
  persistent: z.strictObject({ size: z.int().min(10), path: z.string() }).optional(),
  network: z
    .array(z.strictObject({ volumeId: z.string(), path: z.string() }))
    .max(1)
    .optional(),
})
const container = {
  args: z.string().optional(),
  disk: z.int().min(1).optional(),
  env: z.record(z.string(), z.string()).optional(),
  image: z.string().optional(),
  ports: z.array(z.string()).optional(),
  registry: z.string().nullable().optional(),
}

export const createPod = z.strictObject({
  ...container,
  name: z.string().min(1),
  cloud: z.enum(['SECURE', 'COMMUNITY']).optional(),
  cpu: z.strictObject({ id: z.string().min(1), vcpuCount: z.int().min(2) }).optional(),
  dataCenterIds: z.array(z.string()).optional(),
  globalNetworking: z.boolean().optional(),
  gpu: z
    .strictObject({
      id: z.string(),
      count: z.int().min(1).optional(),
      allowedCudaVersions: z.array(cudaVersion).optional(),
      minCudaVersion: cudaVersion.optional(),
    })
    .optional(),
  mounts: mounts.optional(),
  startJupyter: z.boolean().optional(),
  startSsh: z.boolean().optional(),
  templateId: z.string().min(1).optional(),
})
export const updatePod = z.strictObject({
  ...container,
  globalNetworking: z.boolean().optional(),
  locked: z.boolean().optional(),
  mounts: mounts.optional(),
  name: z.string().min(1).optional(),
  templateId: z.string().optional(),
})
export const podAction = z.strictObject({ action: z.enum(['start', 'stop', 'restart', 'terminate']) })
export const sshKeys = z.strictObject({
  keys: z.array(z.string().regex(/^(ssh|ecdsa|sk)-[^\s]+ [^\s]+([ \t][^\n\r]*)?$/)),
})
export const createVolume = z.strictObject({
  dataCenter: z.string().min(1),
  name: z.string().min(1),
  size: z.int().min(10).max(4096),
  type: z.enum(['STANDARD', 'HIGH_PERFORMANCE']).optional(),
})
export const updateVolume = z.strictObject({
  name: z.string().min(1).optional(),
  size: z.int().min(10).max(4096).optional(),
})

type Issue = z.core.$ZodIssue & { input?: unknown }
const pathOf = (issue: Issue) =>
  `$${issue.path.map(part => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')}`
const quoted = (values: readonly unknown[]) => values.map(value => `'${String(value)}'`).join(', ')
const kindOf = (value: unknown) =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value === 'object' ? 'object' : typeof value

// All numbers of these bodies are integers.
const wantedKind = (expected: string) =>
  expected === 'int' || expected === 'number' ? 'integer' : expected === 'record' ? 'object' : expected

/** One line for each broken rule, as `errors[]` of a 422 carries them. */
export function complaints(error: z.ZodError): string[] {
  return error.issues.map(issue => {
    const path = pathOf(issue)
    const input = (issue as Issue).input
    const parent = pathOf({ ...issue, path: issue.path.slice(0, -1) })
    if (issue.code === 'unrecognized_keys') return `${path}: additional properties ${quoted(issue.keys)} not allowed`
    if (input === undefined && issue.code !== 'custom')
      return `${parent}: missing property '${String(issue.path.at(-1) ?? '')}'`
    switch (issue.code) {
      case 'invalid_value':
        return `${path}: value must be one of ${quoted(issue.values)}`
      case 'invalid_type':
        return `${path}: got ${kindOf(input)}, want ${wantedKind(issue.expected)}`
      case 'too_small':
        return issue.origin === 'string'
          ? `${path}: minLength: got ${String(input).length}, want ${issue.minimum}`
          : `${path}: minimum: got ${String(input)}, want ${issue.minimum}`
      case 'too_big':
        return Array.isArray(input)
          ? `${path}: maxItems: got ${input.length}, want ${issue.maximum}`
          : `${path}: maximum: got ${String(input)}, want ${issue.maximum}`
      case 'invalid_format':
        return `${path}: '${String(input)}' does not match pattern '${(issue as { pattern?: string }).pattern ?? issue.format}'`
      default:
        return `${path}: ${issue.message}`
    }
  })
}
