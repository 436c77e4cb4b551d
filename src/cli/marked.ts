// Pods at the provider that bear this home's mark, whatever its journal says: a journal can be lost, the mark is in their names.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '../domain/fault.ts'
import type { Fleet } from '../domain/fleet.ts'
import { systemClock } from '../edge/clock.ts'
import type { PodRow, Provider } from '../ports.ts'
import { providersOf } from './compose.ts'
import { type Home, ownerToken } from './home.ts'

/** A provider that is silent must not hold up who only wants to be sure. */
const LOOK_MAX_MS = 5000

/** A home without its mark never rented anything. */
const hasMark = (home: Home) => existsSync(join(home.dir, 'owner'))

export function isMarked(home: Home, row: PodRow): boolean {
  return hasMark(home) && row.name.startsWith(`autopod-${ownerToken(home.dir).slice(0, 8)}-`)
}

/** All pods that the provider lists. Faults: transient (also `listing_unknown`), operator. */
export async function listedPods(provider: Provider): Promise<PodRow[]> {
  const listing = await provider.list()
  // No list is not an empty list: to say nothing would be to say that there is nothing.
  if (!listing.known)
    throw new Fault({
      kind: 'transient',
      code: 'listing_unknown',
      message: `${provider.name} does not say which pods there are: ${listing.why}`,
      hint: 'Give the command again in a moment; autopod doctor tries the provider.',
    })
  return listing.pods
}

/** Those that are not terminated. Faults as `listedPods`. */
export async function markedPods(provider: Provider, home: Home): Promise<PodRow[]> {
  return (await listedPods(provider)).filter(row => isMarked(home, row) && row.status !== 'terminated')
}

/**
 * One line for each pod of ours that no journal ever knew, and how to end it; a listing that lags may still name what is gone, so
 * anything that was ever on the books is left to the engine. null when the provider does not say within seconds.
 */
export async function lostPods(home: Home, fleet: Fleet): Promise<string[] | null> {
  if (!hasMark(home)) return []
  const known = new Set([...fleet.pods.values()].flatMap(pod => [pod.name, pod.ref]))
  const look = async () => {
    const providers = await providersOf(home)
    const marked = await Promise.all(providers.map(provider => markedPods(provider, home)))
    return marked.flat().filter(row => !known.has(row.ref) && !known.has(row.name))
  }
  const late = new AbortController()
  try {
    const rows = await Promise.race([look(), systemClock.sleep(LOOK_MAX_MS, late.signal).then(() => null)])
    return (
      rows?.map(
        ({ name, ref }) =>
          `may still be billed: ${name} (${ref}) is on no books of this home; end it with autopod reap --yes`,
      ) ?? null
    )
  } catch (error) {
    if (error instanceof Fault) return null
    throw error
  } finally {
    late.abort('looked')
  }
}
