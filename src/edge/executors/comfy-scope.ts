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

export function openScope(machine: Machine, signal: AbortSignal): Scope {
  const all = new AbortController()
  const letGo = new AbortController()
  let lost: Fault | null = null
  const stop = () => {
    all.abort(signal.reason)
    if (signal.reason !== 'cancel') letGo.abort(signal.reason)
  }
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  void machine.closed.then(cause => {
    const message = `the connection to the pod was lost${cause ? `: ${cause.message}` : ''}`
    lost = new Fault({ kind: 'pod', code: 'connection_lost', message }, { cause })
    all.abort(lost)
    letGo.abort(lost)
  })
  return {
    signal: all.signal,
    letGo: letGo.signal,
    lost: () => lost,
    close: () => signal.removeEventListener('abort', stop),
  }
}
