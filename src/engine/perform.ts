// Effect → outcome: one way into the world for each kind of effect. Ends when the effect is done or no longer wanted.
import type { Effect } from '../domain/effect.ts'
import type { Context } from './context.ts'
import { create } from './create.ts'
import { pause, release } from './release.ts'
import { salvage } from './salvage.ts'
import { tend } from './tend.ts'
import { watch } from './watch.ts'
import { publish, work } from './work.ts'

export async function perform(context: Context, effect: Effect, signal: AbortSignal): Promise<void> {
  switch (effect.kind) {
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
