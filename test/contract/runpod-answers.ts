// A client of the sandbox's provider API that checks every answer against RunPod's published specification, when that is
// beside the checkout; the specification is RunPod's file and is not part of this repository.
import { readFile } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect } from 'vitest'
import type { Sandbox } from '../../src/sandbox/assembly.ts'

const specPath = new URL('../../../shared/contracts/runpod-v2.openapi.json', import.meta.url)
type Operation = { responses: Record<string, unknown> }
const spec = await readFile(specPath, 'utf8').then(
  text => JSON.parse(text) as { paths: Record<string, Record<string, Operation>> } & Record<string, unknown>,
  () => null,
)

/** Complains when an answer is not one that the specification allows for that route; null without the specification. */
export const validate = spec && answersOf(spec)
function answersOf(document: NonNullable<typeof spec>) {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false })
  addFormats.default(ajv)
  ajv.addSchema({ ...document, $id: 'spec' })
  const paths = Object.keys(document.paths).sort((a, b) => a.split('{').length - b.split('{').length)
  return (method: string, path: string, status: number, type: string, body: unknown) => {
    const template = paths.find(one => new RegExp(`^${one.replace(/\{\w+\}/g, '[^/]+')}$`).test(path))
    if (!template) throw new Error(`${path} is not in the specification`)
    const operation = document.paths[template]?.[method.toLowerCase()]
    // A method that the path does not have is answered 405, which the specification describes for all paths.
    const name = status === 405 ? null : operation?.responses[status] ? String(status) : 'default'
    if (name !== null && !operation?.responses[name]) throw new Error(`${method} ${template} has no answer ${status}`)
    if (status === 204) return expect(body).toBe('')
    const escaped = template.replaceAll('~', '~0').replaceAll('/', '~1')
    const shared = { 400: 'BadRequestError', 401: 'UnauthorizedError', 404: 'NotFoundError' } as Record<number, string>
    const response = name === null ? null : (operation?.responses[name] as { $ref?: string })
    const at = response === null ? '#/components/responses/MethodNotAllowedError' : response.$ref
    const base = at ?? `#/paths/${encodeURI(escaped)}/${method.toLowerCase()}/responses/${name}`
    expect(shared[status] === undefined || type === 'application/problem+json').toBe(true)
    const pointer = `spec${base}/content/${type.replaceAll('/', '~1')}/schema`
    const check = ajv.compile({ $ref: pointer })
    if (!check(body)) throw new Error(`${method} ${path} ${status}: ${ajv.errorsText(check.errors)}`)
  }
}

// biome-ignore lint/suspicious/noExplicitAny: each body was just checked against the published schema of its route; types for the fields that tests read would be a second specification, checked by nobody
export type Json = any
export type Answer = { status: number; headers: Headers; body: Json }
export type Client = (method: string, path: string, body?: unknown, key?: string | null) => Promise<Answer>
export function clientOf(sandbox: Sandbox): Client {
  const { runpod_url: base, api_key: own } = sandbox.description
  return async (method, path, body, key = own) => {
    const response = await fetch(base + path, {
      method,
      headers: {
        'User-Agent': 'autopod-test',
        ...(key === null ? {} : { Authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const type = response.headers.get('content-type') ?? ''
    const parsed = type.includes('json') ? JSON.parse(text) : text
    if (type.includes('json') || response.status === 204)
      validate?.(method, `/v2${path.split('?')[0]}`, response.status, type, parsed)
    return { status: response.status, headers: response.headers, body: parsed }
  }
}

/** What there really is in the sandbox, whatever its faults make the published routes say. */
export const status = async (sandbox: Sandbox) => {
  const { runpod_url, api_key } = sandbox.description
  const url = new URL('/sandbox/status', runpod_url)
  const response = await fetch(url, { headers: { Authorization: `Bearer ${api_key}` } })
  return (await response.json()) as {
    pods: { id: string; name: string }[]
    bills: { podId: string; name: string; micro: number; seconds: number }[]
    prompts: Record<string, number>
  }
}
