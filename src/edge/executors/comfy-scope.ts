// What ends the work on a machine from outside: the task's signal, or the loss of the connection.
import { Fault } from '../../domain/fault.ts'
import type { Machine } from '../../ports.ts'

export type Scope = {
  /** Aborts when the task is to stop for any reason, or the machine is lost. */
  signal: AbortSignal
  /** The same, but a cancelled task lets a submission under way end first, so that there is something to cancel. */
  letGo: AbortSignal
  /** Fault pod `connection_lost` once the machine is lost. */
  lost(): Fault | null
  close(): void
}

/** A reaction to a promise cannot be taken back, and a machine lives for days of calls: each has one, and calls listen to that. */
const losses = new WeakMap<Machine, AbortSignal>()

/** Aborts with fault pod `connection_lost`. */
function lossOf(machine: Machine): AbortSignal {
  const known = losses.get(machine)
  if (known) return known
  const loss = new AbortController()
  losses.set(machine, loss.signal)
  void machine.closed.then(cause => {
    const message = `the connection to the pod was lost${cause ? `: ${cause.message}` : ''}`
    loss.abort(new Fault({ kind: 'pod', code: 'connection_lost', message }, { cause }))
  })
  return loss.signal
}

export function openScope(machine: Machine, signal: AbortSignal): Scope {
  const all = new AbortController()
  const letGo = new AbortController()
  const loss = lossOf(machine)
  const stop = () => {
    all.abort(signal.reason)
    if (signal.reason !== 'cancel') letGo.abort(signal.reason)
  }
  const lose = () => {
    all.abort(loss.reason)
    letGo.abort(loss.reason)
  }
  if (signal.aborted) stop()
  if (loss.aborted) lose()
  signal.addEventListener('abort', stop, { once: true })
  loss.addEventListener('abort', lose, { once: true })
  return {
    signal: all.signal,
    letGo: letGo.signal,
    lost: () => (loss.aborted ? (loss.reason as Fault) : null),
    close() {
      signal.removeEventListener('abort', stop)
      loss.removeEventListener('abort', lose)
    },
  }
}
