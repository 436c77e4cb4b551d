// The flags that shape a run, apart from the code that needs the heavy edges.
import type { Flag } from './args.ts'

/** Those that also mean something for one pod without jobs. */
export const handFlags: Record<string, Flag> = {
  gpu: { type: 'string', multiple: true, value: 'TYPE', about: 'GPU type, in order of preference (repeatable)' },
  'gpu-count': { type: 'string', value: 'N', about: 'GPUs a pod' },
  region: { type: 'string', multiple: true, value: 'ID', about: 'data center, in order of preference (repeatable)' },
  cloud: { type: 'string', value: 'secure|community', about: 'which of the provider’s clouds (both)' },
  'max-cost': { type: 'string', value: 'USD', about: 'hard limit of the whole run' },
  'max-hourly': { type: 'string', value: 'USD', about: 'hard limit of all pods of the run together, an hour' },
  timeout: { type: 'string', value: 'MIN', about: 'hard limit of the whole run in time' },
}

export const policyFlags: Record<string, Flag> = {
  'max-pods': { type: 'string', value: 'N', about: 'pods at one time (as many as jobs, at most 8)' },
  ...handFlags,
  retries: { type: 'string', value: 'N', about: 'tries on another pod after the first (1)' },
  'no-reuse': { type: 'boolean', about: 'a new pod for each job' },
  keep: { type: 'boolean', about: 'pods stay at the end' },
}
