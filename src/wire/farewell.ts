// The manifest that a pod leaves when it ends itself, as the agent of edge/guard writes it (version 1).
import { z } from 'zod'

export const FarewellFile = z.object({
  version: z.literal(1),
  pod: z.string(),
  podId: z.string(),
  /** lease: nobody renewed · deadline: it lived as long as it was allowed to. */
  reason: z.enum(['lease', 'deadline']),
  /** What became of the prompt that ran: none did · it came to its end within the grace · interrupted. */
  prompt: z.enum(['none', 'finished', 'interrupted']),
  /** Since the agent's first start, and since the last renewal it saw. */
  ageMs: z.number().int(),
  silentMs: z.number().int(),
  tar: z.object({ bytes: z.number().int(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }).nullable(),
  /** Where the tar (on a volume: or the outputs themselves) is to be found; pod: nowhere any more, once the pod is gone. */
  tarAt: z.enum(['bucket', 'volume', 'pod']).nullable(),
  /** Newest first; paths below ComfyUI's output folder, as the pod names them. `saved`: it is in the tar. */
  files: z.array(
    z.object({
      path: z.string(),
      bytes: z.number().int(),
      sha256: z.string().regex(/^([0-9a-f]{64})?$/),
      saved: z.boolean(),
    }),
  ),
  /** The agent's own lines, and ComfyUI's last 300. */
  log: z.string(),
  comfyLog: z.string().nullable(),
  /** ComfyUI's GET /history, the last prompts only. */
  history: z.record(z.string(), z.unknown()).nullable(),
})
export type FarewellFile = z.infer<typeof FarewellFile>
