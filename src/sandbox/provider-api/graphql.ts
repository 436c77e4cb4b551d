// The two GraphQL queries that REST v2 cannot replace: `myself { clientBalance currentSpendPerHr spendLimit id email }` and
// `query ($id: String!) { pod(input: { podId: $id }) { machineId } }`.
// Everything else is answered as the live service answers unknown fields: HTTP 400 with `errors`.
import { balance, read, spend } from '../cloud.ts'
import type { Keeper } from '../keeper.ts'
import { type Answer, json } from './answer.ts'

export type Caller = { kind: 'account' } | { kind: 'pod'; id: string } | { kind: 'nobody' } | { kind: 'unknown' }

const wholeQuery = /^\s*(?:query(?:\s+\w+)?\s*)?\{\s*myself\s*\{([\w\s,]*)\}\s*\}\s*$/
const podQuery =
  /^\s*query(?:\s+\w+)?\s*\(\s*\$(\w+)\s*:\s*String!\s*\)\s*\{\s*pod\s*\(\s*input\s*:\s*\{\s*podId\s*:\s*\$\1\s*\}\s*\)\s*\{\s*machineId\s*\}\s*\}\s*$/

export function graphql(keeper: Keeper, caller: Caller, body: unknown): Answer {
  if (caller.kind === 'unknown') return json({ errors: [{ message: 'Unauthorized' }] }, 401)
  const { query, variables = {} } = (body ?? {}) as { query?: unknown; variables?: Record<string, unknown> }
  const asked = typeof query === 'string' ? podQuery.exec(query)?.[1] : undefined
  if (asked !== undefined) {
    const id = String(variables[asked])
    const pod = caller.kind === 'account' ? read(keeper.cloud(), Date.now(), id) : null
    return json({ data: { pod: pod && { machineId: pod.machineId } } })
  }
  const fields = typeof query === 'string' ? wholeQuery.exec(query)?.[1]?.match(/\w+/g) : null
  if (!fields)
    return json({ errors: [{ message: 'Syntax Error: the sandbox only knows the queries myself and pod' }] }, 400)
  const nowMs = Date.now()
  const cloud = keeper.cloud()
  const known: Record<string, unknown> = {
    id: 'user_sandbox',
    email: 'sandbox@localhost',
    clientBalance: balance(cloud, nowMs) / 1e6,
    currentSpendPerHr: spend(cloud) / 1e6,
    spendLimit: cloud.settings.spendLimitMicro / 1e6,
  }
  const unknown = fields.filter(field => !Object.hasOwn(known, field))
  if (unknown.length)
    return json({ errors: unknown.map(field => ({ message: `Cannot query field "${field}" on type "User".` })) }, 400)
  // A pod's own key may not read the account; no key at all reads as nobody (both seen on the live service).
  if (caller.kind === 'pod')
    return json({
      errors: [{ message: 'Unauthorized', path: ['myself'], extensions: { code: 'RUNPOD' } }],
      data: { myself: null },
    })
  if (caller.kind === 'nobody') return json({ data: { myself: null } })
  return json({ data: { myself: Object.fromEntries(fields.map(field => [field, known[field]])) } })
}
