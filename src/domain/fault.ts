// What can go wrong at an edge, sorted by what happens next. Thrown only in edge/; made a value by engine/settle.

/**
 * transient: back off, same place · capacity: next offer, or wait · pod: this machine is bad, go elsewhere ·
 * job: a retry would only cost money · operator: a person must act; start nothing new, keep what runs.
 */
export type FaultKind = 'transient' | 'capacity' | 'pod' | 'job' | 'operator'

export type FaultData = {
  kind: FaultKind
  /** Stable, `noun_participle` or `noun_adjective`: for scripts and tests. */
  code: string
  /** What happened to what. */
  message: string
  /** What to do, one sentence. */
  hint?: string
  /** Asked for by the other side (Retry-After). */
  retryAfterMs?: number
  /** The workflow's node that failed. */
  node?: { id: string; classType: string }
}

export class Fault extends Error {
  readonly data: FaultData
  constructor(data: FaultData, options?: ErrorOptions) {
    super(data.message, options)
    this.name = 'Fault'
    this.data = data
  }
}
