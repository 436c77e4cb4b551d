// The lease on one pod, for as long as it is tended: renewed over SSH where a link is up, else through the bucket.

import type { FaultData } from '../domain/fault.ts'
import { termsOf } from '../domain/lease.ts'
import { podOf } from '../domain/lookup.ts'
import type { Machine } from '../ports.ts'
import { breakPod, record } from './climb.ts'
import type { Context } from './context.ts'
import { settle } from './settle.ts'

export type Lease = {
  /**
   * Over a connection just made, before anything else is done there: the agent runs, and renewals go this way from now on. A
   * fault only when the pod is past saving; a pod that cannot hold a lease is a good pod, and that it cannot is told.
   */
  attach(machine: Machine): Promise<FaultData | null>
}

/** Of four renewals three may be lost. */
const RENEWALS_IN_A_LEASE = 4

/** Renews until `signal` aborts. */
export function keepLease(context: Context, podId: string, signal: AbortSignal): { lease: Lease; kept: Promise<void> } {
  const { clock, guard, journal, limits, trace } = context
  const { name } = podOf(journal.fleet, podId)
  const terms = () => {
    const pod = podOf(journal.fleet, podId)
    return { ...termsOf(journal.fleet, pod, limits), ref: pod.ref as string }
  }
  let link: Machine | null = null

  /** Whether the pod has its lease; a fault when it can have none any more. */
  const tell = (outcome: Awaited<ReturnType<typeof settle<void>>>): boolean | FaultData => {
    if (outcome.ok) {
      record(context, podId, pod => (pod.guarded ? [] : [{ type: 'pod.guarded', podId }]))
      return true
    }
    const { fault } = outcome
    if (fault.code === 'pod_ends_itself') return fault
    trace.pod(podId, `lease: ${fault.message}`, null)
    if (fault.code === 'guard_failed')
      record(context, podId, pod => (pod.guarded === false ? [] : [{ type: 'pod.unguarded', podId, fault }]))
    return false
  }

  const renew = async () => {
    const machine = link
    const held = machine !== null && tell(await settle(() => guard.renew(machine, name, terms())))
    if (held === true || signal.aborted) return
    if (held) return breakPod(context, podId, held)
    const told = await settle(() => guard.renewByBucket(name))
    if (!told.ok) trace.pod(podId, `lease: ${told.fault.message}`, null)
  }

  const keep = async () => {
    while (!signal.aborted) {
      await renew()
      await clock.sleep(limits.leaseMs / RENEWALS_IN_A_LEASE, signal)
    }
  }

  return {
    kept: keep(),
    lease: {
      async attach(machine) {
        const held = tell(await settle(() => guard.attach(machine, name, terms())))
        if (typeof held !== 'boolean') return held
        link = machine
        void machine.closed.then(() => {
          if (link === machine) link = null
        })
        return null
      },
    },
  }
}
