// Queue and history in one list, as GET /api/jobs tells it (since ComfyUI 0.5.1; recordings 01, 07, 10, 17).
import type { HistoryEntry, PromptQueue, QueueItem } from './queue.ts'

export type Job = Record<string, unknown> & { id: string; status: string; create_time?: number }

const statuses = ['pending', 'in_progress', 'completed', 'failed', 'cancelled']
const previewable = new Set(['images', 'video', 'audio', '3d', 'text'])

const withoutNulls = (job: Job): Job =>
  Object.fromEntries(Object.entries(job).filter(([, value]) => value !== undefined && value !== null)) as Job

function base([number, id, , extraData]: QueueItem, status: string): Job {
  const info = extraData.extra_pnginfo as { workflow?: { id?: string } } | undefined
  return {
    id,
    status,
    priority: number,
    create_time: extraData.create_time as number,
    outputs_count: 0,
    previewable_outputs_count: 0,
    workflow_id: info?.workflow?.id,
  }
}

function outputsOf(entry: HistoryEntry) {
  const files = Object.entries(entry.outputs).flatMap(([nodeId, ui]) =>
    Object.entries(ui).flatMap(([mediaType, items]) =>
      items.filter(item => typeof item === 'object' && item !== null).map(item => ({ ...item, nodeId, mediaType })),
    ),
  )
  const shown = files.filter(file => previewable.has(file.mediaType))
  const first = shown.find(file => (file as { type?: string }).type === 'output') ?? shown[0]
  return { outputs_count: files.length, previewable_outputs_count: shown.length, preview_output: first }
}

function finishedJob(entry: HistoryEntry): Job {
  const messages = new Map(entry.status.messages)
  const failed = messages.has('execution_interrupted') ? 'cancelled' : 'failed'
  const start = messages.get('execution_start')?.timestamp
  const end = entry.status.messages.at(-1)?.[1].timestamp
  const { priority, workflow_id, ...head } = base(entry.prompt, entry.status.completed ? 'completed' : failed)
  return {
    ...head,
    priority,
    execution_start_time: start,
    execution_end_time: end,
    execution_error: messages.get('execution_error'),
    ...outputsOf(entry),
    workflow_id,
  } as Job
}

function allJobs(queue: PromptQueue): Job[] {
  const running = queue.running()
  return [
    ...(running ? [base(running, 'in_progress')] : []),
    ...queue.pending().map(item => base(item, 'pending')),
    ...[...queue.history().values()].map(finishedJob),
  ].map(withoutNulls)
}

/** One job with everything known of it; undefined: no such job. */
export function jobDetails(queue: PromptQueue, id: string): Job | undefined {
  const waiting = allJobs(queue).find(
    job => job.id === id && (job.status === 'pending' || job.status === 'in_progress'),
  )
  if (waiting) return waiting
  const entry = queue.history().get(id)
  if (!entry) return undefined
  const [, , prompt, extra_data] = entry.prompt
  const { outputs, status } = entry
  return withoutNulls({ ...finishedJob(entry), outputs, execution_status: status, workflow: { prompt, extra_data } })
}

/** The list for a query, or what is wrong with the query. */
export function jobList(queue: PromptQueue, query: URLSearchParams): { error: string } | Record<string, unknown> {
  const wanted = (query.get('status') ?? '').split(',').filter(text => text !== '')
  const bad = wanted.filter(status => !statuses.includes(status))
  if (bad.length > 0) {
    return { error: `Invalid status value(s): ${bad.join(', ')}. Valid values: ${statuses.join(', ')}` }
  }
  const sortBy = query.get('sort_by') ?? 'created_at'
  if (sortBy !== 'created_at' && sortBy !== 'execution_duration') {
    return { error: 'sort_by must be one of: created_at, execution_duration' }
  }
  const sortOrder = query.get('sort_order') ?? 'desc'
  if (sortOrder !== 'asc' && sortOrder !== 'desc') return { error: 'sort_order must be one of: asc, desc' }
  const limit = query.has('limit') ? Number(query.get('limit')) : null
  if (limit !== null && !(Number.isInteger(limit) && limit > 0)) return { error: 'limit must be a positive integer' }
  const offset = Math.max(0, Number(query.get('offset') ?? 0))
  if (!Number.isInteger(offset)) return { error: 'offset must be an integer' }
  const workflow = query.get('workflow_id')
  const key = (job: Job) =>
    sortBy === 'created_at'
      ? (job.create_time ?? 0)
      : Number(job.execution_end_time ?? 0) - Number(job.execution_start_time ?? 0)
  const sign = sortOrder === 'asc' ? 1 : -1
  const matching = allJobs(queue)
    .filter(job => wanted.length === 0 || wanted.includes(job.status))
    .filter(job => workflow === null || job.workflow_id === workflow)
    .sort((a, b) => sign * (key(a) - key(b)))
  const jobs = matching.slice(offset, limit === null ? undefined : offset + limit)
  const has_more = offset + jobs.length < matching.length
  return { jobs, pagination: { offset, limit, total: matching.length, has_more } }
}
