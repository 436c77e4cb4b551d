// Which machine a pod was put on, asked until the provider tells.
import { podOf } from '../domain/lookup.ts'
import { record } from './climb.ts'
import { type Context, providerNamed } from './context.ts'
import { backOff, settle } from './settle.ts'

/** Told at once or after some seconds, as a rule; after two minutes of silence the boot is nearly paid for anyway. */
const TRIES_MAX = 8

export async function learnHost(context: Context, podId: string, signal: AbortSignal): Promise<void> {
  const { journal, clock } = context
  const { ref, provider } = podOf(journal.fleet, podId)
  for (let tries = 0; tries < TRIES_MAX && !signal.aborted; tries++) {
    if (podOf(journal.fleet, podId).hostId !== null) return
    const told = await settle(() => providerNamed(context, provider).host(ref as string))
    const hostId = told.ok ? told.value : null
    if (hostId !== null)
      record(context, podId, pod => (pod.hostId === null ? [{ type: 'pod.placed', podId, hostId }] : []))
    else await backOff(clock, tries, told.ok ? null : told.fault, signal)
  }
}
