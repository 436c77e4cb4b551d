// What a route gets and what it gives back, as data; writing it to a socket is the server's job.
import { STATUS_CODES } from 'node:http'
import type { z } from 'zod'
import type { Keeper } from '../keeper.ts'
import type { Machines } from '../machines.ts'
import type { LogLine } from '../pod-log.ts'
import { complaints } from './requests.ts'

export type Answer =
  | { kind: 'json'; status: number; body: unknown; type?: 'application/problem+json' }
  | { kind: 'text'; status: number; type: string; body: string }
  | { kind: 'empty'; status: 204 }
  /** An event stream of log lines: what is there, then what comes, until the client leaves. */
  | { kind: 'stream'; first: LogLine[]; follow(listener: (line: LogLine) => void): () => void }
  /** Nothing at all, until the front server gives up. */
  | { kind: 'silence' }

export type Call = {
  params: string[]
  query: URLSearchParams
  /** Header `Last-Event-ID`. */
  lastEventId: string | null
  /** The parsed body; undefined without one. */
  body: unknown
  keeper: Keeper
  machines: Machines
}
export type Route = (call: Call) => Answer | Promise<Answer>

export const json = (body: unknown, status = 200): Answer => ({ kind: 'json', status, body })
export const nothing: Answer = { kind: 'empty', status: 204 }
export const problem = (status: number, detail: string, errors?: string[]): Answer => ({
  kind: 'json',
  status,
  body: { title: STATUS_CODES[status] ?? 'Error', status, detail, ...(errors ? { errors } : {}) },
  type: 'application/problem+json',
})
export const notFound = problem(404, 'resource not found')

/** The body as the schema has it, or the 422 that says what is wrong. */
export function checked<T extends z.ZodType>(schema: T, body: unknown): { value: z.infer<T> } | { answer: Answer } {
  const parsed = schema.safeParse(body, { reportInput: true })
  if (parsed.success) return { value: parsed.data }
  return { answer: problem(422, 'Request validation failed.', complaints(parsed.error)) }
}
