// Effect → outcome: one way into the world for each kind of effect. Ends when the effect is done or no longer wanted.
import type { Effect } from '../domain/effect.ts'
import type { Need } from '../domain/placement.ts'
import type { Offer } from '../domain/pod.ts'
import { type Context, providerNamed } from './context.ts'
import { create } from './create.ts'
import { pause, release } from './release.ts'
import { salvage } from './salvage.ts'
import { settle } from './settle.ts'
import { tend } from './tend.ts'
import { watch } from './watch.ts'
import { publish, work } from './work.ts'

/** Not in the journal, because it leaves no trace: a question to a provider's catalogue. */
export type Question = { kind: 'ask'; need: Need; answer: (offers: readonly Offer[] | null) => void }

export async function perform(context: Context, effect: Effect | Question, signal: AbortSignal): Promise<void> {
  switch (effect.kind) {
    case 'ask':
      return ask(context, effect)
    case 'create':
      return create(context, effect.podId, signal)
    case 'tend':
      return tend(context, effect.podId, signal)
    case 'run':
      return work(context, effect, signal)
    case 'salvage':
      return salvage(context, effect, signal)
    case 'publish':
      return publish(context, effect.jobKey, signal)
    case 'stop':
      return pause(context, effect.podId, signal)
    case 'release':
      return release(context, effect.podId, signal)
    case 'watch':
      return watch(context, effect.provider, signal)
  }
}

/** Providers answer within seconds or not at all (null); until then no pod is ordered. */
async function ask(context: Context, { need, answer }: Question): Promise<void> {
  const provider = providerNamed(context, need.provider)
  const asked = await settle(() => context.lanes.rent(provider.name, () => provider.offers(need)))
  if (asked.ok) return answer(asked.value)
  answer(null)
  context.trace.engine(`offers: ${asked.fault.message}`)
  if (asked.fault.kind === 'operator') {
    context.journal.record(() => [{ type: 'operator.needed', provider: provider.name, fault: asked.fault }])
  }
}
