// Effects under way: what the fleet wants is started once, and what it no longer wants is told so.
import { type Effect, effectKey, effects } from '../domain/effect.ts'
import type { Context } from './context.ts'
import { perform } from './perform.ts'

export type UnderWay = {
  /** Costs next to nothing while no event came and no effect began or ended. */
  align(context: Context): void
  /** All but those of kind `kept` end without their outcome. */
  letGo(kept?: Effect['kind']): void
  /** One for each effect (of `kind`): settles with its end. */
  ends(kind?: Effect['kind']): Promise<void>[]
}

const LET_GO = 'engine stops'

/** `changed` is called whenever an effect ended, `crash` with what it threw. */
export function createUnderWay(changed: () => void, crash: (error: unknown) => void): UnderWay {
  const running = new Map<string, { kind: Effect['kind']; abort: AbortController; done: Promise<void> }>()
  /** The event up to which all that must be under way is; null after an effect began or ended. */
  let alignedAt: number | null = null
  const launch = (context: Context, effect: Effect) => {
    const abort = new AbortController()
    const done = perform(context, effect, abort.signal)
      .catch((error: unknown) => {
        // Let go of in the middle, some throw the reason.
        if (abort.signal.reason !== LET_GO) crash(error)
      })
      .finally(() => {
        running.delete(effectKey(effect))
        alignedAt = null
        changed()
      })
    running.set(effectKey(effect), { kind: effect.kind, abort, done })
  }
  return {
    align(context) {
      const { fleet } = context.journal
      if (alignedAt === fleet.seq) return
      alignedAt = fleet.seq
      const wanted = new Map(effects(fleet).map(effect => [effectKey(effect), effect]))
      for (const [key, { abort }] of running) if (!wanted.has(key)) abort.abort('unwanted')
      for (const [key, effect] of wanted) {
        const present = running.get(key)
        if (!present) {
          launch(context, effect)
          alignedAt = null
        } else if (effect.kind === 'run' && effect.cancel) present.abort.abort('cancel')
      }
    },
    letGo(kept) {
      alignedAt = null
      for (const { kind, abort } of running.values()) if (kind !== kept) abort.abort(LET_GO)
    },
    ends: kind => [...running.values()].filter(one => kind === undefined || one.kind === kind).map(({ done }) => done),
  }
}
