// Tells people outside what happened, while this process is the engine.
import { createSieve, type Notice, noticeOf, slowReleases } from '../domain/notice.ts'
import { every, systemClock } from '../edge/clock.ts'
import { type Notify, toDesktop, toWebhook } from '../edge/notify.ts'
import type { Engine } from '../engine/engine.ts'
import type { Trace } from '../ports.ts'
import type { Home } from './home.ts'

/** Often enough for a limit of two minutes. */
const LOOK_MS = 15_000

/** What is on its way at the program's end is worth a moment, and no more: everything else is done. */
const END_MS = 2000

/** Ends with what it returns, which waits for what is on its way, at most `endMs`. */
export function openNotices(
  home: Pick<Home, 'settings'>,
  engine: Pick<Engine, 'fleet' | 'journal'>,
  trace: Pick<Trace, 'engine'>,
  endMs = END_MS,
): () => Promise<void> {
  const { webhook, shape, desktop } = home.settings.notify ?? {}
  const ways: Notify[] = [...(webhook ? [toWebhook(webhook.reveal(), shape)] : []), ...(desktop ? [toDesktop] : [])]
  if (ways.length === 0) return async () => {}
  const passes = createSieve()
  const underWay = new Set<Promise<void>>()
  const end = new AbortController()
  const tell = (notice: Notice | null) => {
    if (!notice || !passes(notice, systemClock.now())) return
    // Without its address: who knows a webhook may write to it.
    for (const way of ways) {
      const sent = way(notice, end.signal).catch(() => {
        const why = end.signal.aborted ? `given up after ${endMs / 1000} s at the program's end` : 'not delivered'
        trace.engine(`notice ${why}: ${notice.title}`)
      })
      underWay.add(sent)
      void sent.then(() => underWay.delete(sent))
    }
  }
  const unlisten = engine.journal.onEvent(event => tell(noticeOf(engine.fleet, event)))
  const stop = every(LOOK_MS, () => {
    for (const notice of slowReleases(engine.fleet, systemClock.now())) tell(notice)
  })
  return async () => {
    unlisten()
    stop()
    const all = Promise.all(underWay)
    const done = new AbortController()
    await Promise.race([all, systemClock.sleep(endMs, done.signal)])
    done.abort('done')
    end.abort('the program ends')
    await all
  }
}
