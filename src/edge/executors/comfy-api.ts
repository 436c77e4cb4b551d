// ComfyUI's HTTP interface as this program uses it. Works from 0.3.56 on; newer routes are tried first and remembered if absent.
import type { z } from 'zod'
import { Fault } from '../../domain/fault.ts'
import type { Clock } from '../../ports.ts'
import * as wire from '../../wire/comfy.ts'
import { type HttpResponse, request } from '../http.ts'
import { NOBODY_LISTENS } from '../ssh/unavailable.ts'

/** A model load can hold the interpreter, and with it every answer, for long (1.8 s seen, minutes reported). */
const CALL_MS = 30_000
/** Validation reads model folders, which is slow on network volumes. */
const SUBMIT_MS = 60_000
/** Pauses before a look-up is repeated: a tunnel that changes its connection is back within them. */
const PAUSES_MS = [250, 1_000, 3_000]

export type PromptState =
  | { kind: 'pending' }
  | { kind: 'running' }
  /** Nothing is lost yet for sure: between leaving the queue and entering the history there may be a moment. */
  | { kind: 'unknown' }
  | { kind: 'finished'; outputs: Record<string, unknown>; status: wire.ExecutionStatus | null }

export type SubmitAnswer =
  | { kind: 'accepted'; nodeErrors: wire.NodeErrors }
  | { kind: 'refused'; refusal: z.infer<typeof wire.promptRefused> }
  | { kind: 'too_large'; text: string }
  /** It may or may not be in the queue. */
  | { kind: 'unclear'; why: string }

export type ComfyApi = ReturnType<typeof createComfyApi>

/**
 * @param base `http://127.0.0.1:8188`
 * Reads are repeated three times; what still fails is Fault transient. `signal` aborts throw their reason.
 */
export function createComfyApi(base: string, clock: Clock) {
  let hasJobs = true
  let hasCancel = true

  const get = async (path: string, signal: AbortSignal, timeoutMs = CALL_MS) =>
    answerOf(await request({ url: base + path, signal, timeoutMs }))

  const post = async (path: string, body: unknown, signal: AbortSignal, timeoutMs = CALL_MS) => {
    const headers = { 'content-type': 'application/json' }
    return answerOf(
      await request({ method: 'POST', url: base + path, headers, body: JSON.stringify(body), signal, timeoutMs }),
    )
  }

  /** A read that has to succeed; `null` stands for 404. */
  const read = async <T>(path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T | null> => {
    for (let tries = 0; ; tries++) {
      try {
        const answer = await get(path, signal)
        if (answer.status === 404) return null
        return parse(`GET ${path}`, answer, schema)
      } catch (error) {
        const pauseMs = PAUSES_MS[tries]
        if (!isTransient(error) || pauseMs === undefined) throw error
        await clock.sleep(pauseMs, signal)
      }
    }
  }

  const queue = async (signal: AbortSignal) => parse('GET /queue', await get('/queue', signal), wire.queue)

  const lookInHistory = async (id: string, signal: AbortSignal): Promise<PromptState | null> => {
    const path = `/history/${id}`
    const entry = parse(`GET ${path}`, await get(path, signal), wire.history)[id]
    return entry ? { kind: 'finished', outputs: entry.outputs, status: entry.status ?? null } : null
  }

  const lookInQueue = async (id: string, signal: AbortSignal): Promise<PromptState | null> => {
    const { queue_running, queue_pending } = await queue(signal)
    if (queue_running.some(item => item[1] === id)) return { kind: 'running' }
    return queue_pending.some(item => item[1] === id) ? { kind: 'pending' } : null
  }

  return {
    base,
    systemStats: (signal: AbortSignal) => read('/system_stats', wire.systemStats, signal),
    /** well: it answers as ComfyUI does, within `timeoutMs`; absent: nothing takes the connection; busy: any other trouble. */
    async answers(signal: AbortSignal, timeoutMs: number): Promise<'well' | 'absent' | 'busy'> {
      let answer: Answer
      try {
        answer = await get('/system_stats', signal, timeoutMs)
      } catch (error) {
        // Something that takes connections and is silent holds the interpreter: a model load may do so for minutes.
        return isTransient(error) && error.data.code !== 'http_timed_out' ? 'absent' : 'busy'
      }
      if (answer.status === 503 && answer.text.includes(NOBODY_LISTENS)) return 'absent'
      try {
        return parse('GET /system_stats', answer, wire.systemStats).system === undefined ? 'busy' : 'well'
      } catch {
        return 'busy'
      }
    },
    /** Changes with each line that ComfyUI writes; null where it does not tell (an older one, or another trouble). */
    async logMark(signal: AbortSignal): Promise<string | null> {
      try {
        const entries = parse('GET /internal/logs/raw', await get('/internal/logs/raw', signal), wire.logLines).entries
        const last = entries.at(-1)
        return `${entries.length} ${last?.t ?? ''} ${last?.m ?? ''}`
      } catch (error) {
        if (isTransient(error)) return null
        throw error
      }
    },
    /** null: there is no such class. */
    async classInfo(name: string, signal: AbortSignal): Promise<{ isOutput: boolean } | null> {
      const info = await read(`/object_info/${encodeURIComponent(name)}`, wire.objectInfo, signal)
      const entry = info?.[name]
      return entry ? { isOutput: entry.output_node } : null
    },
    /** null: there is no such folder. */
    models: (folder: string, signal: AbortSignal) =>
      read(`/models/${encodeURIComponent(folder)}`, wire.modelNames, signal),
    queue,
    /** One look, not repeated. Faults: transient, also for a 500 (`comfy_trouble`). */
    async look(id: string, signal: AbortSignal): Promise<PromptState> {
      if (hasJobs) {
        const answer = await get(`/api/jobs/${id}`, signal)
        if (answer.status === 200) return stateOf(parse('GET /api/jobs', answer, wire.job))
        // Before 0.5.1 the route is missing: 404 without the JSON that says so of the job.
        if (answer.status === 404 && answer.text.includes('Job not found')) return { kind: 'unknown' }
        if (answer.status !== 404 && answer.status !== 405) throw trouble('GET /api/jobs', answer)
        hasJobs = false
      }
      // History first, the queue second and the history again: a prompt moves only in that direction.
      return (
        (await lookInHistory(id, signal)) ??
        (await lookInQueue(id, signal)) ??
        (await lookInHistory(id, signal)) ?? { kind: 'unknown' }
      )
    },
    /** Sends the prompt once. Throws only the signal's reason. */
    async submit(body: unknown, signal: AbortSignal): Promise<SubmitAnswer> {
      try {
        const answer = await post('/prompt', body, signal, SUBMIT_MS)
        if (answer.status === 200) {
          const accepted = parse('POST /prompt', answer, wire.promptAccepted)
          return { kind: 'accepted', nodeErrors: accepted.node_errors }
        }
        if (answer.status === 400)
          return { kind: 'refused', refusal: parse('POST /prompt', answer, wire.promptRefused, 400) }
        if (answer.status === 413) return { kind: 'too_large', text: answer.text }
        return { kind: 'unclear', why: trouble('POST /prompt', answer).message }
      } catch (error) {
        if (signal.aborted || !(error instanceof Fault)) throw error
        return { kind: 'unclear', why: error.message }
      }
    },
    /**
     * Takes the prompt out of the queue, or interrupts it if it is the one that runs; never another one. Takes effect at the
     * next node or progress tick. Resolves, too, when it is over or unknown.
     */
    async cancel(id: string, signal: AbortSignal): Promise<void> {
      if (hasCancel) {
        const answer = await post(`/api/jobs/${id}/cancel`, {}, signal)
        if (answer.status === 200) return
        if (answer.status !== 404 && answer.status !== 405) throw trouble('POST /api/jobs/{id}/cancel', answer)
        hasCancel = false
      }
      await post('/queue', { delete: [id] }, signal)
      // Before 0.3.56 /interrupt ignored the id and killed whatever ran: so only when ours is what runs.
      if ((await lookInQueue(id, signal))?.kind === 'running') await post('/interrupt', { prompt_id: id }, signal)
    },
    /** Drops the entry from the history; files stay. */
    forget: (id: string, signal: AbortSignal) => post('/history', { delete: [id] }, signal),
    /** Unloads all models and drops the cache, between two prompts. Fault transient. */
    async free(signal: AbortSignal): Promise<void> {
      const answer = await post('/free', { unload_models: true, free_memory: true }, signal)
      if (answer.status !== 200) throw trouble('POST /free', answer)
    },
    /** Drops what nodes left in the cache, before the next prompt starts. */
    dropCache: (signal: AbortSignal) => post('/free', { unload_models: false, free_memory: true }, signal),
  }
}

type Answer = { status: number; text: string }

async function answerOf(response: HttpResponse): Promise<Answer> {
  return { status: response.status, text: await response.text() }
}

function stateOf(job: z.infer<typeof wire.job>): PromptState {
  if (job.status === 'pending') return { kind: 'pending' }
  if (job.status === 'in_progress') return { kind: 'running' }
  return { kind: 'finished', outputs: job.outputs ?? {}, status: job.execution_status ?? null }
}

function parse<T>(what: string, answer: Answer, schema: z.ZodType<T>, status = 200): T {
  if (answer.status !== status) throw trouble(what, answer)
  let body: unknown
  try {
    body = wire.parseJson(answer.text)
  } catch {
    throw trouble(what, answer)
  }
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const where = issue ? ` (${issue.path.join('.')}: ${issue.message})` : ''
  const message = `ComfyUI's answer to ${what} is not what it should be${where}`
  throw new Fault({ kind: 'transient', code: 'comfy_unreadable', message })
}

function trouble(what: string, answer: Answer): Fault {
  const message = `ComfyUI answered ${what} with ${answer.status}: ${answer.text.trim().slice(0, 200)}`
  return new Fault({ kind: 'transient', code: 'comfy_trouble', message })
}

export function isTransient(error: unknown): error is Fault {
  return error instanceof Fault && error.data.kind === 'transient'
}
