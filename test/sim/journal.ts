// One journal in memory that outlives engines, seen by any number of processes; each may die before or after any commit.
import type { Event, Fact } from '../../src/domain/event.ts'
import { Fault } from '../../src/domain/fault.ts'
import type { JobGauge, PodGauge } from '../../src/domain/gauge.ts'
import type { GaugeRows, Store } from '../../src/ports.ts'

export type SharedJournal = {
  events: Event[]
  /** A process's own view. At each commit `dies` is asked whether the process ends before or after it, `refuses` whether the disk is full. */
  open(dies: (facts: Fact[]) => 'before' | 'after' | null, refuses?: () => boolean): Store & { kill(): void }
  /** Called once for each event, in order, right after its commit. */
  watch(listener: (event: Event) => void): void
  /** Called with what is about to be shown of each job, beside what was shown of it before. */
  watchGauges(listener: (jobKey: string, before: JobGauge, now: JobGauge) => void): void
}

export class ProcessDied extends Error {}

export function createSharedJournal(): SharedJournal {
  const events: Event[] = []
  const listeners: ((event: Event) => void)[] = []
  let lease: object | null = null
  const jobs = new Map<string, JobGauge>()
  const pods = new Map<string, PodGauge>()
  let balance: GaugeRows['balance'] = null
  let onGauge: (jobKey: string, before: JobGauge, now: JobGauge) => void = () => {}
  return {
    events,
    watch: listener => void listeners.push(listener),
    watchGauges(listener) {
      onGauge = listener
    },
    open(dies, refuses = () => false) {
      const process = {}
      let seen = 0
      let dead = false
      let versionSeen = -1
      const live = () => {
        if (dead) throw new ProcessDied('a dead process does nothing')
      }
      const kill = () => {
        dead = true
        if (lease === process) lease = null
      }
      return {
        kill,
        append(decide, at) {
          live()
          const foreign = events.slice(seen)
          const facts = decide(foreign)
          if (facts.length > 0 && refuses()) {
            seen = events.length
            throw new Fault({ kind: 'operator', code: 'journal_unwritable', message: 'the disk is full' })
          }
          const death = dies(facts)
          if (death === 'before') {
            kill()
            live()
          }
          const own = facts.map((fact, index) => frozen({ ...fact, seq: events.length + 1 + index, at }))
          events.push(...own)
          seen = events.length
          versionSeen = seen
          for (const event of own) for (const listener of listeners) listener(event)
          if (death === 'after') {
            kill()
            live()
          }
          return own
        },
        read(afterSeq) {
          live()
          seen = events.length
          return events.slice(afterSeq)
        },
        changed() {
          const moved = versionSeen !== events.length
          versionSeen = events.length
          return moved
        },
        lease() {
          live()
          if (lease !== null) return null
          lease = process
          return {
            release() {
              if (lease === process) lease = null
            },
          }
        },
        leased: () => lease !== null,
        writeGauges(rows) {
          live()
          for (const [key, gauge] of rows.jobs) {
            const before = jobs.get(key)
            if (before) onGauge(key, before, gauge)
            jobs.set(key, { ...gauge })
          }
          for (const [id, gauge] of rows.pods) pods.set(id, { ...gauge })
          balance = rows.balance ?? balance
        },
        readGauges: () => ({ jobs: [...jobs], pods: [...pods], balance, last: 0 }),
        dropGauges(oldJobs, oldPods) {
          live()
          for (const key of oldJobs) jobs.delete(key)
          for (const id of oldPods) pods.delete(id)
        },
        close() {},
      }
    },
  }
}

/** Processes share no memory. Frozen, events can be shared here without a copy: whoever changes one throws. */
function frozen<T extends object>(value: T): T {
  if (Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const key in value) {
    const part = value[key]
    if (typeof part === 'object' && part !== null) frozen(part)
  }
  return value
}
