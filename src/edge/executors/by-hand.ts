// A pod that a person works on: nothing is submitted, the attempt lasts until it is cancelled or the link is lost.
import { Fault } from '../../domain/fault.ts'
import type { Clock, Machine, TaskOn } from '../../ports.ts'

/** A person is a sign of life. */
const ALIVE_MS = 2000
const NOTHING = { nodeId: null, step: null, steps: null, perSecond: null, bytes: null, bytesTotal: null }
const IDLE = { phase: 'running', fraction: null, nodeTitle: 'by hand', ...NOTHING } as const

/** Never resolves. Faults: transient `cancelled`, pod `connection_lost`. */
export async function holdByHand(clock: Clock, machine: Machine, on: TaskOn, signal: AbortSignal): Promise<never> {
  let lost: Error | null = null
  const over = new AbortController()
  void machine.closed.then(why => {
    lost = why ?? new Fault({ kind: 'pod', code: 'connection_lost', message: 'the connection was closed' })
    over.abort('lost')
  })
  on.started()
  const ended = AbortSignal.any([signal, over.signal])
  while (!ended.aborted) {
    on.heard()
    on.gauge(IDLE)
    await clock.sleep(ALIVE_MS, ended)
  }
  if (signal.reason === 'cancel')
    throw new Fault({ kind: 'transient', code: 'cancelled', message: 'the work by hand is over' })
  throw signal.aborted ? signal.reason : lost
}
