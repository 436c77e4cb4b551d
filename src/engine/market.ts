// What providers offer. Not in the journal, because a question to a catalogue leaves no trace.
import { type Need, needKey } from '../domain/placement.ts'
import type { Offer } from '../domain/pod.ts'
import type { World } from '../domain/world.ts'
import { type Context, providerNamed } from './context.ts'
import { settle } from './settle.ts'

export type Market = {
  readonly offers: World['offers']
  isAsked(): boolean
  /** The same need is asked for once at a time. */
  ask(context: Context, need: Need): void
}

/** `answered` is called after each question, `crash` with what it threw. */
export function createMarket(answered: () => void, crash: (error: unknown) => void): Market {
  const offers = new Map<string, { offers: readonly Offer[]; at: number; unknown: boolean }>()
  const asked = new Set<string>()
  return {
    offers,
    isAsked: () => asked.size > 0,
    ask(context, need) {
      const key = needKey(need)
      if (asked.has(key)) return
      asked.add(key)
      void look(context, need)
        .then(found => offers.set(key, { offers: found ?? [], at: context.clock.now(), unknown: found === null }))
        .catch(crash)
        .finally(() => {
          asked.delete(key)
          answered()
        })
    },
  }
}

/** Providers answer within seconds or not at all (null); until then no pod is ordered. */
async function look(context: Context, need: Need): Promise<readonly Offer[] | null> {
  const provider = providerNamed(context, need.provider)
  const asked = await settle(() => context.lanes.rent(provider.name, () => provider.offers(need)))
  if (asked.ok) return asked.value
  const { fault } = asked
  context.trace.engine(`offers: ${fault.message}`)
  if (fault.kind === 'operator')
    context.journal.record(() => [{ type: 'operator.needed', provider: provider.name, fault }])
  return null
}
