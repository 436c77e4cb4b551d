// RunPod's answers as far as we read them: REST v2 (OpenAPI 2.0.0, 2026-08) and the one GraphQL query it lacks. Unknown keys pass.
import { z } from 'zod'

/** Bodies of errors; proxies in front answer with text or HTML instead. */
export const Problem = z.object({
  title: z.string().optional(),
  status: z.number().optional(),
  detail: z.string().optional(),
  errors: z.array(z.string()).optional(),
})

const SshTarget = z.object({ host: z.string(), port: z.number().int(), username: z.string() })

/** `runtime` is null or `{}` while starting; http rows of `ports` carry an unreachable 100.64/10 address (recorded 2026-08-20). */
const Runtime = z.object({
  uptime: z.number().nullish(),
  ports: z
    .array(z.object({ private: z.number(), public: z.number().nullish(), type: z.string(), ip: z.string().nullish() }))
    .nullish(),
})

export const Pod = z.object({
  id: z.string().min(1),
  name: z.string(),
  status: z.string(),
  gpu: z.object({ id: z.string(), count: z.number().int() }).nullish(),
  /** USD an hour. Not zero when EXITED, whatever the specification says (recorded 2026-08-20). */
  cost: z.number(),
  ssh: z.object({ direct: SshTarget.nullish(), proxy: SshTarget.partial().nullish() }).nullish(),
  runtime: Runtime.nullish(),
  locked: z.boolean().nullish(),
  createdAt: z.string().nullish(),
})
export type Pod = z.infer<typeof Pod>

export const PodList = z.object({
  pods: z.array(Pod),
  /** Later versions page (up to 1000 rows): a list that has more pages than were read is not complete. */
  pagination: z.object({ nextCursor: z.string().nullish(), hasNextPage: z.boolean() }).nullish(),
})

const Stock = z.string().nullish()

export const Gpus = z.object({
  gpus: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      memory: z.number(),
      secure: z.boolean(),
      community: z.boolean(),
      price: z.object({ secure: z.number().nullish(), community: z.number().nullish() }),
      maxCount: z.object({ secure: z.number().nullish(), community: z.number().nullish() }).nullish(),
      availability: Stock,
      dataCenters: z.array(z.object({ id: z.string(), availability: Stock })).nullish(),
    }),
  ),
})
export type Gpu = z.infer<typeof Gpus>['gpus'][number]

export const NetworkVolumes = z.object({
  networkVolumes: z.array(z.object({ id: z.string(), name: z.string(), size: z.number(), dataCenter: z.string() })),
})

/** `billing/pods`: records lag behind, by an hour and more (reports, 2026). */
export const PodBilling = z.object({ records: z.array(z.object({ podId: z.string(), totalAmount: z.number() })) })

export const LogLine = z.object({ ts: z.string(), source: z.string(), line: z.string() })

export const Balance = z.object({
  data: z
    .object({ myself: z.object({ clientBalance: z.number(), currentSpendPerHr: z.number().nullish() }).nullish() })
    .nullish(),
  errors: z.array(z.object({ message: z.string() })).nullish(),
})

/** GraphQL `pod(input)`: "" or null until it is placed. */
export const HostOfPod = z.object({
  data: z.object({ pod: z.object({ machineId: z.string().nullish() }).nullish() }).nullish(),
})

/** What we send to create a pod. The schema on the other side is closed: an unknown key is 422. */
export type CreatePod = {
  name: string
  image: string
  gpu: { id: string; count: number }
  cloud: 'SECURE' | 'COMMUNITY'
  disk: number
  ports: string[]
  env: Record<string, string>
  /** A plain string, or a JSON string `{"entrypoint":[…],"cmd":[…]}`. */
  args?: string
  dataCenterIds?: string[]
  mounts?: { network: { volumeId: string; path: string }[] }
}

/**
 * What a refusal means, by its words: there are no stable codes. Texts recorded from the live services up to 2026-10.
 * ambiguous = the pod may exist.
 */
export function classify(
  status: number,
  text: string,
): 'capacity' | 'money' | 'auth' | 'gone' | 'limit' | 'ambiguous' | 'rejected' {
  const words = text.toLowerCase()
  const says = (...parts: string[]) => parts.some(part => words.includes(part))
  if (
    says(
      'no longer any instances available',
      'no instances currently available',
      'no instances available with the request',
      'does not have the resources to deploy',
      'try a different machine',
      'could not find any pods with required specifications',
      'insufficient resources',
      'not enough free gpus',
      'supply_constraint',
    )
  )
    return 'capacity'
  if (status === 402 || says('balance is too low', 'add funds', 'current spending limit', 'insufficient_balance'))
    return 'money'
  if (status === 401 || says('unauthorized', 'missing bearer token')) return 'auth'
  if (status === 429) return 'limit'
  if (status === 404 || says('pod not found')) return 'gone'
  if (status >= 500 || says('something went wrong', 'contact support')) return 'ambiguous'
  return 'rejected'
}
