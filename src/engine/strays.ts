// Pods that nobody counts: made by a request whose answer was lost, after its name had been rented again or given up.
import type { Fact } from '../domain/event.ts'
import type { Fleet } from '../domain/fleet.ts'
import type { Pod } from '../domain/pod.ts'
import { mayBill } from '../domain/pod.ts'
import type { PodRow } from '../ports.ts'
import type { Context } from './context.ts'

/**
 * Rows under a name of ours that no pod of the fleet is: each gets an account, from the moment it can have been made, and is ended.
 * A name whose creation is still an open question is left to that question; a name of others is never touched.
 */
export function endStrays({ journal, clock }: Context, rows: ReadonlyMap<string, PodRow>): void {
  const { refs, names } = known(journal.fleet)
  for (const row of rows.values())
    if (names.has(row.name) && !refs.has(row.ref) && row.status !== 'terminated')
      journal.record(fleet => found(fleet, row, clock.now()))
}

function found(fleet: Fleet, row: PodRow, now: number): Fact[] {
  const { refs, names } = known(fleet)
  const namesake = names.get(row.name)
  if (!namesake || refs.has(row.ref)) return []
  const since = Math.min(now, Math.max(namesake.requestedAt, row.createdAt ?? 0))
  const podId = `pod-${String(fleet.pods.size + 1).padStart(4, '0')}`
  return [{ type: 'pod.found', podId, namesake: namesake.id, ref: row.ref, perHour: row.perHour, since }]
}

/** Refs that have an account, and names with an answer. */
function known(fleet: Fleet): { refs: Set<string>; names: Map<string, Pod> } {
  const refs = new Set<string>()
  const names = new Map<string, Pod>()
  const open = new Set<string>()
  for (const pod of fleet.pods.values()) {
    if (pod.ref !== null) refs.add(pod.ref)
    if (pod.ref === null && mayBill(pod)) open.add(pod.name)
    if (!names.has(pod.name)) names.set(pod.name, pod)
  }
  for (const name of open) names.delete(name)
  return { refs, names }
}
