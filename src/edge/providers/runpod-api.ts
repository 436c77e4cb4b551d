// Calls to RunPod's REST v2: one request, one answer that fits the published type, or a Fault that says what to do.
import type { z } from 'zod'
import { Fault } from '../../domain/fault.ts'
import { classify, Problem } from '../../wire/runpod.ts'
import type { Secret } from '../../wire/secret.ts'
import { type HttpResponse, request } from '../http.ts'

export type RunpodOptions = {
  /** Base, e.g. `https://api.runpod.io/v2`. */
  url: string
  graphqlUrl: string
  apiKey: Secret
}

export type Call = {
  method: string
  path: string
  headers?: Record<string, string>
  body?: unknown
  timeoutMs?: number
  signal?: AbortSignal
}

/** A create request may take this long before we stop waiting; it can land later all the same. */
export const CREATE_TIMEOUT_MS = 120_000
const TIMEOUT_MS = 30_000

/** Faults: those of `request`; operator `key_refused` for a key that no header can carry. */
export async function send(options: RunpodOptions, call: Call): Promise<HttpResponse> {
  // A key pasted from a masked display (`rpa_…`) would fail in Node's HTTP as a bug of ours.
  const apiKey = options.apiKey.reveal()
  if (!/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new Fault({
      kind: 'operator',
      code: 'key_refused',
      message: 'the RunPod API key has characters that no key has',
      hint: 'Copy the whole key from the RunPod console into RUNPOD_API_KEY.',
    })
  }
  const headers: Record<string, string> = { authorization: `Bearer ${apiKey}`, accept: 'application/json' }
  if (call.body !== undefined) headers['content-type'] = 'application/json'
  return request({
    method: call.method,
    url: call.path.startsWith('http') ? call.path : options.url.replace(/\/+$/, '') + call.path,
    headers: { ...headers, ...call.headers },
    body: call.body === undefined ? undefined : JSON.stringify(call.body),
    timeoutMs: call.timeoutMs ?? TIMEOUT_MS,
    signal: call.signal,
  })
}

/** 2xx and of the type, else a Fault: see `refusal`; `reply_unreadable` (operator) when a success does not fit. */
export async function ask<T>(options: RunpodOptions, call: Call, type: z.ZodType<T>): Promise<T> {
  const answer = await send(options, call)
  const text = await answer.text()
  if (answer.status >= 300) throw refusal(call, answer, text)
  const read = type.safeParse(jsonOf(text))
  if (read.success) return read.data
  const issue = read.error.issues[0]
  throw new Fault({
    kind: 'operator',
    code: 'reply_unreadable',
    message: `RunPod's answer to ${call.method} ${call.path} does not fit its published type: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
    hint: 'Nothing new is started. See whether a newer autopod knows this version of the API.',
  })
}

/** What a status other than 2xx means. Codes: no_capacity · balance_low · key_refused · not_found · rate_limited · answer_unclear · request_rejected. */
export function refusal(call: { method: string; path: string }, answer: HttpResponse, text: string): Fault {
  const problem = Problem.safeParse(jsonOf(text))
  const detail = problem.success
    ? [problem.data.detail ?? problem.data.title, ...(problem.data.errors ?? [])].filter(Boolean).join('; ')
    : plainOf(text)
  const message = `RunPod ${call.method} ${call.path}: ${answer.status} ${detail}`
  switch (classify(answer.status, detail)) {
    case 'capacity':
      return new Fault({ kind: 'capacity', code: 'no_capacity', message })
    case 'money':
      return new Fault({
        kind: 'operator',
        code: 'balance_low',
        message,
        hint: 'Add funds or raise the spending limit in the RunPod console, then run again.',
      })
    case 'auth':
      return new Fault({
        kind: 'operator',
        code: 'key_refused',
        message,
        hint: 'Set RUNPOD_API_KEY to a key that may read and write pods.',
      })
    case 'limit': {
      const seconds = Number(answer.headers['retry-after'])
      return new Fault({
        kind: 'transient',
        code: 'rate_limited',
        message,
        retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : 15_000,
      })
    }
    case 'gone':
      return new Fault({ kind: 'transient', code: 'not_found', message })
    case 'ambiguous':
      return new Fault({ kind: 'transient', code: 'answer_unclear', message })
    case 'rejected':
      if (answer.status === 403) {
        return new Fault({
          kind: 'operator',
          code: 'key_refused',
          message,
          hint: 'The key may not do this, or a proxy refused the request; see autopod doctor.',
        })
      }
      return new Fault({
        kind: 'operator',
        code: 'request_rejected',
        message,
        hint: 'The settings ask for something RunPod does not accept; see autopod config show.',
      })
  }
}

/** The words of a proxy's page, without its mark-up: messages are single lines. */
export function plainOf(text: string): string {
  const words = text.replace(/<(style|script)[\s\S]*?<\/\1>|<[^>]*>/gi, ' ').replace(/\s+/g, ' ')
  return words.trim().slice(0, 200)
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
