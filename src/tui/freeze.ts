// Where the dashboard's facts come from, and a standing copy of it for a frozen screen: the engine changes its fleet in place.
import type { Fleet } from '../domain/fleet.ts'
import type { Gauges } from '../domain/gauge.ts'
import type { Millis } from '../domain/units.ts'
import type { Found, Log, LogLine, Mark, Picture, Subject } from './model.ts'

export type Source = {
  /** Read only; the same object, changed in place by the engine. */
  fleet(): Fleet
  gauges(): Gauges
  now(): Millis
  log(subject: Subject): Log
  find(subject: Subject, text: string): Found
  mark(text: string): Mark | null
  preview(jobKey: string): Picture | null
  /** False: a viewer in a home where nobody works. */
  engineAlive(): boolean
  /** What keeps the home from being written; null: nothing does. */
  trouble?(): string | null
}

/** For panels that show how a log ends. */
const GLANCE_LINES = 20

export function lastLines(log: Log): readonly LogLine[] {
  return log.backward(log.end, GLANCE_LINES)
}

/** What `source` says now, for ever. Copies what the fold changes in place; specifications and events are shared. */
export function freeze(source: Source): Source {
  const live = source.fleet()
  const fleet: Fleet = {
    ...live,
    runs: copied(live.runs, run => ({ ...run })),
    jobs: copied(live.jobs, job => ({
      ...job,
      attempts: job.attempts.map(attempt => ({ ...attempt, artifacts: [...attempt.artifacts] })),
    })),
    pods: copied(live.pods, pod => ({ ...pod, meters: pod.meters.map(meter => ({ ...meter })) })),
    providers: copied(live.providers, provider => ({ ...provider })),
    took: copied(live.took, took => [...took]),
    recent: [...live.recent],
  }
  const now = source.now()
  const engineAlive = source.engineAlive()
  const gauges = source.gauges()
  const held: Gauges = {
    jobs: copied(gauges.jobs, gauge => ({ ...gauge })),
    pods: copied(gauges.pods, gauge => ({ ...gauge, history: [...gauge.history] })),
    balance: gauges.balance,
  }
  const logs = new Map<string, Log>()
  return {
    fleet: () => fleet,
    gauges: () => held,
    now: () => now,
    engineAlive: () => engineAlive,
    preview: source.preview,
    find: source.find,
    mark: source.mark,
    log(subject) {
      const name = JSON.stringify(subject)
      const held = logs.get(name) ?? heldLog(source.log(subject))
      logs.set(name, held)
      return held
    },
  }
}

/** Lines that come later are left out; those that the file itself has lost are gone here too. */
function heldLog(log: Log): Log {
  const { start, end } = log
  return {
    start,
    end,
    forward: (from, count) => log.forward(from, count).filter(line => line.to <= end),
    backward: (to, count) => log.backward(Math.min(to, end), count),
  }
}

function copied<Value>(map: ReadonlyMap<string, Value>, copy: (value: Value) => Value): Map<string, Value> {
  const made = new Map<string, Value>()
  for (const [key, value] of map) made.set(key, copy(value))
  return made
}
