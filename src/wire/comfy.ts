// What ComfyUI's server says over HTTP and its WebSocket. Unknown keys, message types and node ids are always allowed.
// Sources: ComfyUI v0.33.0 (2026-08) and v0.3.64 (2025-10), their code and transcripts of both servers (2026-11).
import { z } from 'zod'

/**
 * JSON as ComfyUI writes it: a node's own output may hold bare NaN and Infinity (seen on 0.33.0), which become null here.
 * Throws SyntaxError for anything else that is not JSON.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const finite = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\bInfinity\b|\bNaN\b/gs, token =>
      token.startsWith('"') ? token : 'null',
    )
    if (finite === text) throw error
    return JSON.parse(finite)
  }
}

// ---------------------------------------------------------------- HTTP

/** GET /system_stats. `argv` is the server's own command line, without the interpreter. */
export const systemStats = z.looseObject({
  system: z.looseObject({ comfyui_version: z.string().default(''), argv: z.array(z.string()).default([]) }),
})

/** GET /internal/logs/raw: the last 300 writes (recording 25). */
export const logLines = z.looseObject({ entries: z.array(z.looseObject({ t: z.string(), m: z.string() })) })

const nodeError = z.looseObject({
  type: z.string().default(''),
  message: z.string().default(''),
  details: z.string().default(''),
  extra_info: z.looseObject({ input_name: z.string().optional() }).nullish().catch(null),
})
/** Node id → what is wrong with it. Older servers write `[]` for none. */
const nodeErrors = z.preprocess(
  value => (Array.isArray(value) || value === null || value === undefined ? {} : value),
  z.record(z.string(), z.looseObject({ class_type: z.string().default('?'), errors: z.array(nodeError).default([]) })),
)
export type NodeErrors = z.infer<typeof nodeErrors>

/** POST /prompt, 200. Non-empty `node_errors` means that outputs were dropped, not that all is well. */
export const promptAccepted = z.looseObject({ prompt_id: z.string(), node_errors: nodeErrors })

/** POST /prompt, 400. `extra_info` names the node when its class is missing (since 0.11.1). */
export const promptRefused = z.looseObject({
  error: z.looseObject({
    type: z.string().default(''),
    message: z.string().default(''),
    details: z.string().default(''),
    extra_info: z
      .looseObject({ node_id: z.string().nullish(), class_type: z.string().nullish() })
      .nullish()
      .catch(null),
  }),
  node_errors: nodeErrors,
})

const queueItem = z.tuple([z.number(), z.string()]).rest(z.unknown())
/** GET /queue. An item is [number, prompt id, graph, extra_data, output node ids]. */
export const queue = z.looseObject({ queue_running: z.array(queueItem), queue_pending: z.array(queueItem) })
export type QueueItem = z.infer<typeof queueItem>

const outputs = z.record(z.string(), z.unknown())
const executionStatus = z.looseObject({
  status_str: z.string(),
  messages: z.array(z.tuple([z.string(), z.looseObject({})]).rest(z.unknown())).default([]),
})
export type ExecutionStatus = z.infer<typeof executionStatus>

/** GET /history/{id}: `{}` while the prompt is pending, running, unknown or lost. */
export const history = z.record(
  z.string(),
  z.looseObject({ outputs: outputs.default({}), status: executionStatus.nullish() }),
)

/** GET /api/jobs/{id} (since 0.5.1). `cancelled` exists since 0.8.2, before it was `failed`. */
export const job = z.looseObject({
  id: z.string(),
  status: z.string(),
  outputs: outputs.nullish(),
  execution_status: executionStatus.nullish(),
})

/** POST /api/jobs/{id}/cancel (since 0.25). false: it was already over, or is unknown. */
export const cancelled = z.looseObject({ cancelled: z.boolean() })

/** GET /object_info/{class}: `{}` for a class that is not installed. */
export const objectInfo = z.record(z.string(), z.looseObject({ output_node: z.boolean().default(false).catch(false) }))

/** GET /models/{folder}: paths below that folder, with forward slashes on Linux. */
export const modelNames = z.array(z.string())

/** Data of `execution_error`, on the socket and as the last message of a failed prompt's history. */
export const executionError = z.looseObject({
  node_id: z.string().default('?').catch('?'),
  node_type: z.string().default('?').catch('?'),
  exception_type: z.string().default('').catch(''),
  exception_message: z.string().default('').catch(''),
})
export type ExecutionError = z.infer<typeof executionError>

export type OutputFile = { nodeId: string; filename: string; subfolder: string; type: 'output' | 'temp' | 'input' }
const outputFile = z.looseObject({
  filename: z.string().min(1),
  subfolder: z.string().nullish(),
  type: z.enum(['output', 'temp', 'input']),
})

/**
 * Files that nodes name in `outputs` of a finished prompt, in their order. Keys are no closed set (`images` also holds mp4,
 * VideoHelperSuite writes `gifs`, others `audio`, `3d`, `latents`), so every array of every node is walked.
 */
export function outputFiles(outputs: Record<string, unknown>): OutputFile[] {
  const files: OutputFile[] = []
  for (const [nodeId, node] of Object.entries(outputs)) {
    if (typeof node !== 'object' || node === null) continue
    for (const items of Object.values(node)) {
      if (!Array.isArray(items)) continue
      for (const item of items) {
        const file = outputFile.safeParse(item)
        if (!file.success) continue
        const { filename, subfolder, type } = file.data
        files.push({ nodeId, filename, subfolder: subfolder ?? '', type })
      }
    }
  }
  return files
}

// ---------------------------------------------------------------- WebSocket, text frames

const promptId = z.string().nullish()
const nodeId = z.union([z.string(), z.number().transform(String)])
const nodeProgress = z.looseObject({
  value: z.number().nullable().default(0),
  max: z.number().nullable().default(1),
  state: z.string(),
})
export type NodeProgress = z.infer<typeof nodeProgress>

const messages = {
  status: z.looseObject({
    status: z.looseObject({ exec_info: z.looseObject({ queue_remaining: z.number() }) }),
    sid: z.string().nullish(),
  }),
  execution_start: z.looseObject({ prompt_id: promptId }),
  execution_cached: z.looseObject({ prompt_id: promptId, nodes: z.array(nodeId).default([]) }),
  progress_state: z.looseObject({ prompt_id: promptId, nodes: z.record(z.string(), nodeProgress) }),
  /** `node: null`: the prompt is over, well or not, and already in the history. */
  executing: z.looseObject({ prompt_id: promptId, node: nodeId.nullish(), display_node: nodeId.nullish() }),
  progress: z.looseObject({ prompt_id: promptId, node: nodeId.nullish(), value: z.number(), max: z.number() }),
  executed: z.looseObject({ prompt_id: promptId, node: nodeId }),
  /** Comes up to 0.3 s before the history has the prompt. */
  execution_success: z.looseObject({ prompt_id: promptId }),
  /** Not the end of the prompt when `exception_type` is `ExecutionBlocked`. */
  execution_error: executionError.extend({ prompt_id: promptId }),
  execution_interrupted: z.looseObject({ prompt_id: promptId }),
}
type Messages = typeof messages
export type Message =
  | { [T in keyof Messages]: { type: T; data: z.infer<Messages[T]> } }[keyof Messages]
  /** Custom nodes may add any type. */
  | { type: 'other'; name: string }

const envelope = z.looseObject({ type: z.string(), data: z.unknown() })

/** One text frame; whatever does not fit is `other`, because a frame is a hint and never worth a failure. */
export function readMessage(text: string): Message {
  let frame: z.infer<typeof envelope>
  try {
    frame = envelope.parse(parseJson(text))
  } catch {
    return { type: 'other', name: '' }
  }
  if (!Object.hasOwn(messages, frame.type)) return { type: 'other', name: frame.type }
  const type = frame.type as keyof Messages
  const data = messages[type].safeParse(frame.data)
  return data.success ? ({ type, data: data.data } as Message) : { type: 'other', name: frame.type }
}

/** Must be the first frame a client sends: previews then carry their prompt's id (frame type 4). */
export const featureFlags = JSON.stringify({ type: 'feature_flags', data: { supports_preview_metadata: true } })

// ---------------------------------------------------------------- WebSocket, binary frames

export type Frame =
  | { kind: 'preview'; image: Uint8Array; promptId: string | null }
  | { kind: 'text'; nodeId: string; text: string }
  | { kind: 'other'; type: number }

const previewMeta = z.looseObject({ prompt_id: z.string().nullish() })

/** One binary frame: big-endian uint32 type (1 preview, 3 text, 4 preview with metadata), then its own layout. */
export function readFrame(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.byteLength < 8) return { kind: 'other', type: -1 }
  const type = view.getUint32(0)
  const length = view.getUint32(4)
  if (type === 1) return { kind: 'preview', image: bytes.subarray(8), promptId: null }
  if ((type !== 3 && type !== 4) || 8 + length > bytes.byteLength) return { kind: 'other', type }
  const head = new TextDecoder().decode(bytes.subarray(8, 8 + length))
  const rest = bytes.subarray(8 + length)
  if (type === 3) return { kind: 'text', nodeId: head, text: new TextDecoder().decode(rest) }
  try {
    return { kind: 'preview', image: rest, promptId: previewMeta.parse(parseJson(head)).prompt_id ?? null }
  } catch {
    return { kind: 'other', type }
  }
}
