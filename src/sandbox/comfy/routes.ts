// The HTTP routes of one ComfyUI process (contract of 0.33.0, sections 1–6): a table, no state of its own.
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { totalmem } from 'node:os'
import { listFiles, upload, view } from './files.ts'
import { annotatedPath, type Folders, imagesIn, modelFolders, modelPaths, modelsIn } from './folders.ts'
import type { Prompt } from './graph.ts'
import { bodyMaxBytes, empty, json, jsonBody, type Reply, type Request, type Routes } from './http.ts'
import { jobDetails, jobList } from './jobs.ts'
import type { Logs } from './logs.ts'
import type { PromptQueue } from './queue.ts'
import { nodeNames, nodeSpec } from './signatures.ts'
import type { Hub } from './sockets.ts'
import { validatePrompt } from './validate.ts'

export type Site = {
  folders: Folders
  hub: Hub
  logs: Logs
  queue: PromptQueue
  gpu: { name: string; vramBytes: number }
  vramUsedBytes(): number
  port(): number
  /** Asks the running prompt to stop at its next step; false: `promptId` is given and is not the one that runs. */
  interrupt(promptId: string | null): boolean
  free(request: { unload_models?: unknown; free_memory?: unknown }): void
  queued(promptId: string): void
}

/** Flags of GET /features and of the `feature_flags` answer (ComfyUI 0.33.0). */
export const features = {
  supports_preview_metadata: true,
  supports_model_type_tags: true,
  max_upload_size: bodyMaxBytes,
  extension: { manager: { supports_v4: true } },
  node_replacements: true,
  assets: false,
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function createRoutes(site: Site): Routes {
  const { folders, hub, logs, queue } = site
  let counter = 0
  const execInfo = () => ({ exec_info: { queue_remaining: queue.remaining() } })
  const spec = (name: string) => nodeSpec(name, () => imagesIn(folders.input))
  const rules = {
    spec,
    custom: (className: string) => {
      if (className !== 'LoadImage') return undefined
      return (value: unknown) => {
        const path = annotatedPath(folders, String(value))
        return path !== null && existsSync(path) ? (true as const) : `Invalid image file: ${value}`
      }
    },
  }

  const refuse = (error: unknown, node_errors: unknown = {}): Reply => {
    logs.add('WARNING', `invalid prompt: ${JSON.stringify(error)}`)
    return json({ error, node_errors }, 400)
  }
  const plainError = (type: string, message: string, details: string) =>
    refuse({ type, message, details, extra_info: {} })

  const postPrompt = (request: Request): Reply => {
    logs.add('INFO', 'got prompt')
    const body = jsonBody(request)
    const number = 'number' in body ? Number(body.number) : body.front ? -counter : counter
    if (Number.isNaN(number)) throw new Error('could not convert string to float')
    if (!('number' in body)) counter += 1
    if (!('prompt' in body)) return plainError('no_prompt', 'No prompt provided', 'No prompt provided')
    const promptId = body.prompt_id === undefined || body.prompt_id === null ? randomUUID() : body.prompt_id
    if (typeof promptId !== 'string' || !uuid.test(promptId)) {
      const details =
        'prompt_id must be a UUID string in canonical lowercase hyphenated form; omit it to let the server generate one'
      return plainError('invalid_prompt_id', 'prompt_id must be a valid UUID', details)
    }
    const targets = (body.partial_execution_targets as string[] | undefined) ?? null
    const { error, outputs, nodeErrors } = validatePrompt(body.prompt, targets, rules)
    for (const [id, { class_type, errors }] of Object.entries(nodeErrors)) {
      const lines = errors.map(({ message, details }) => `  - ${message}: ${details}`)
      logs.add('ERROR', `* ${class_type} ${id}:\n${lines.join('\n')}`)
    }
    if (error) return refuse(error, nodeErrors)
    // Credentials are never stored (since ComfyUI 0.3.67).
    const { auth_token_comfy_org, api_key_comfy_org, ...given } = (body.extra_data ?? {}) as Record<string, unknown>
    const extraData = {
      ...given,
      ...('client_id' in body ? { client_id: body.client_id } : {}),
      create_time: Date.now(),
    }
    site.queued(promptId)
    queue.put([number, promptId, body.prompt as Prompt, extraData, outputs])
    return json({ prompt_id: promptId, number, node_errors: nodeErrors })
  }

  const getHistory = ({ query }: Request): Reply => {
    const max = integer(query.get('max_items'))
    const all = [...queue.history()]
    const from = integer(query.get('offset')) ?? -1
    const offset = from < 0 && max !== null ? Math.max(0, all.length - max) : Math.max(0, from)
    return json(Object.fromEntries(all.slice(offset, max === null ? undefined : offset + max)))
  }

  const postHistory = (request: Request): Reply => {
    const body = jsonBody(request)
    if (body.clear) queue.history().clear()
    for (const id of (body.delete as string[] | undefined) ?? []) queue.history().delete(id)
    return empty()
  }

  const postQueue = (request: Request): Reply => {
    const body = jsonBody(request)
    if (body.clear) queue.clear()
    for (const id of (body.delete as string[] | undefined) ?? []) queue.remove(id)
    return empty()
  }

  const postInterrupt = (request: Request): Reply => {
    const body = request.body.length === 0 ? {} : jsonBody(request)
    site.interrupt(typeof body.prompt_id === 'string' ? body.prompt_id : null)
    return empty()
  }

  const cancel = (id: string) => site.interrupt(id) || queue.remove(id)

  const cancelMany = (request: Request): Reply => {
    const ids = jsonBody(request).job_ids
    if (!Array.isArray(ids) || ids.length === 0) return json({ error: 'job_ids must be a non-empty list' }, 400)
    const invalid_ids = ids.filter(id => typeof id !== 'string' || !uuid.test(id))
    if (invalid_ids.length > 0) return json({ error: 'job_ids contains invalid id(s)', invalid_ids }, 400)
    return json({ cancelled: ids.map(cancel).some(done => done) })
  }

  const getJobs = ({ query }: Request): Reply => {
    const list = jobList(queue, query)
    return json(list, 'error' in list ? 400 : 200)
  }

  const getJob = ({ params }: Request): Reply => {
    const job = jobDetails(queue, params.id ?? '')
    return job ? json(job) : json({ error: 'Job not found' }, 404)
  }

  const objectInfo = ({ params }: Request): Reply => {
    const names = params.name === undefined ? nodeNames() : [params.name]
    return json(Object.fromEntries(names.map(name => [name, spec(name)])))
  }

  const getModels = async ({ params }: Request): Promise<Reply> => {
    const files = await modelsIn(folders, params.folder ?? '')
    return files ? json(files) : empty(404)
  }

  const subscribe = (request: Request): Reply => {
    const { clientId, enabled } = jsonBody(request)
    hub.subscribe(String(clientId), enabled === true)
    return empty()
  }

  return {
    '/prompt': { GET: () => json(execInfo()), POST: postPrompt },
    '/queue': {
      GET: () => {
        const running = queue.running()
        return json({ queue_running: running ? [running] : [], queue_pending: queue.pending() })
      },
      POST: postQueue,
    },
    '/interrupt': { POST: postInterrupt },
    '/free': {
      POST: request => {
        site.free(jsonBody(request))
        return empty()
      },
    },
    '/history': { GET: getHistory, POST: postHistory },
    '/history/{id}': {
      GET: ({ params }) => {
        const entry = queue.history().get(params.id ?? '')
        return json(entry ? { [params.id ?? '']: entry } : {})
      },
    },
    '/api/jobs': { GET: getJobs },
    '/api/jobs/cancel': { POST: cancelMany },
    '/api/jobs/{id}': { GET: getJob },
    '/api/jobs/{id}/cancel': { POST: ({ params }) => json({ cancelled: cancel(params.id ?? '') }) },
    '/upload/image': { POST: request => upload(folders, request, false) },
    '/upload/mask': { POST: request => upload(folders, request, true) },
    '/view': { GET: request => view(folders, request) },
    '/object_info': { GET: objectInfo },
    '/object_info/{name}': {
      GET: request => (spec(request.params.name ?? '') ? objectInfo(request) : json({})),
    },
    '/system_stats': { GET: () => json(systemStats(site)) },
    '/features': { GET: () => json(features) },
    '/models': { GET: () => json(modelFolders) },
    '/models/{folder}': { GET: getModels },
    '/embeddings': {
      GET: async () => {
        const files = (await modelsIn(folders, 'embeddings')) ?? []
        return json(files.map(file => file.replace(/\.[^.]*$/, '')))
      },
    },
    '/extensions': { GET: () => json([]) },
    '/users': { GET: () => json({ storage: 'server', migrated: false }) },
    '/internal/logs': { GET: () => json(logs.text()) },
    '/internal/logs/raw': { GET: () => json({ entries: logs.entries(), size: { cols: 80, rows: 24 } }) },
    '/internal/logs/subscribe': { PATCH: subscribe },
    '/internal/folder_paths': { GET: () => json(modelPaths(folders)) },
    '/internal/files/{type}': { GET: ({ params }) => listFiles(folders, params.type ?? '') },
  }
}

/** Python's int(): null for an absent one, throws for what is no number, which becomes a 500 (recording 17). */
function integer(text: string | null): number | null {
  if (text === null) return null
  if (!/^-?\d+$/.test(text)) throw new Error(`invalid literal for int() with base 10: '${text}'`)
  return Number(text)
}

function systemStats({ folders, gpu, port, vramUsedBytes }: Site) {
  const free = Math.max(0, gpu.vramBytes - vramUsedBytes())
  const needs = (name: string, required: string) => ({ name, installed: required, required })
  return {
    system: {
      os: 'linux',
      ram_total: totalmem(),
      ram_free: Math.round(totalmem() * 0.8),
      comfyui_version: '0.33.0',
      required_frontend_version: '1.49.6',
      installed_templates_version: '0.11.44',
      required_templates_version: '0.11.44',
      comfy_package_versions: [
        needs('comfyui-frontend-package', '1.49.6'),
        needs('comfyui-workflow-templates', '0.11.44'),
      ],
      python_version: '3.11.2 (main, Apr 28 2025, 14:11:48) [GCC 12.2.0]',
      pytorch_version: '2.13.0+cu130',
      embedded_python: false,
      deploy_environment: 'local-git',
      argv: [
        'main.py',
        ...['--listen', '127.0.0.1', '--port', String(port()), '--preview-method', 'auto'],
        ...['--base-directory', folders.root],
      ],
    },
    devices: [
      {
        name: `cuda:0 ${gpu.name} : cudaMallocAsync`,
        type: 'cuda',
        index: 0,
        vram_total: gpu.vramBytes,
        vram_free: free,
        torch_vram_total: vramUsedBytes(),
        torch_vram_free: 0,
      },
    ],
  }
}
