// A template file as schemas: a bare ComfyUI graph in API format, or one with our header (version 1, 2026-11).
import * as z from 'zod'
import { fieldName } from './files-job.ts'

const value = z.union([z.string(), z.number(), z.boolean()], { error: 'must be text, a number, true or false' })
const text = z.string().max(2000)

/** ComfyUI's API format: node id → node (Save (API Format), seen on ComfyUI 0.33.0). Unknown keys of a node are let pass. */
export const graph = z.record(
  z.string().min(1),
  z.looseObject(
    {
      class_type: z.string({ error: 'must be the name of a node class' }).min(1),
      inputs: z.record(z.string(), z.unknown(), { error: 'must be an object' }),
      _meta: z.looseObject({ title: z.string().optional() }).optional(),
    },
    { error: 'must be a node with class_type and inputs' },
  ),
)

const unused = z
  .literal(true, { error: 'can only be true' })
  .optional()
  .describe('Accepted and not used, so that the job file of another template runs with this one unchanged.')

const param = z.strictObject({
  type: z.enum(['int', 'float', 'string', 'boolean', 'enum'], { error: 'must be int, float, string, boolean or enum' }),
  default: value.optional(),
  min: z.number().optional().describe('Smallest number, or shortest text.'),
  max: z.number().optional().describe('Largest number, or longest text.'),
  choices: z.array(value).max(200).optional().describe('Of an enum.'),
  unused,
  description: text.default(''),
})

const model = z.strictObject({
  name: z
    .string()
    .max(255)
    // The name becomes a path on a pod.
    .regex(/^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./ -]*$/, { error: 'must be a file name without ".." or a leading "/"' })
    .describe('As the node names it.'),
  folder: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: 'must be the name of a folder below models/' })
    .describe('Below ComfyUI/models/, e.g. checkpoints.'),
  bytes: z.int({ error: 'must be a whole number of bytes' }).positive(),
  url: z.url({ protocol: /^https$/, error: 'must be an https address' }),
})

export const outputKind = z.enum(['image', 'video', 'audio', 'text', 'model'])

export const header = z.strictObject({
  description: text.min(1, { error: 'must not be empty' }),
  params: z.record(fieldName, param).default({}),
  inputs: z
    .record(
      fieldName,
      z.strictObject({ kind: z.enum(['image', 'video', 'audio']), unused, description: text.default('') }),
    )
    .default({}),
  outputs: z
    .record(
      fieldName,
      z.union([z.string(), z.strictObject({ node: z.string(), kind: outputKind.optional() })], {
        error: 'must be a node id, or {"node", "kind"}',
      }),
    )
    .default({}),
  requires: z
    .strictObject({
      models: z.array(model).max(50).default([]),
      nodes: z.array(z.string()).max(200).default([]).describe('Node classes that are not part of ComfyUI itself.'),
      vram_gb: z.number().min(0).max(10_000).default(0),
      note: text.optional(),
    })
    .default({ models: [], nodes: [], vram_gb: 0 }),
})

export const templateFile = z.strictObject({ $schema: z.string().optional(), autopod: header, workflow: graph })

export type TemplateFile = z.infer<typeof templateFile>
