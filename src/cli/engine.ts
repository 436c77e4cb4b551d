// `autopod engine`: the engine alone, in the background, until nothing is left to do.
import type { Invocation } from './args.ts'
import { EXIT } from './exit.ts'
import { attach } from './follow.ts'
import { openHome } from './home.ts'
import { onSignals } from './signals.ts'

export async function engine({ flags }: Invocation): Promise<number> {
  const follow = await attach(openHome(flags))
  if (!follow.own) {
    await follow.close()
    return EXIT.ok
  }
  const { promise: told, resolve } = Promise.withResolvers<void>()
  // Nobody's terminal: only an explicit end ends it, and leaves everything to the next engine.
  const quiet = onSignals({ interrupt: () => resolve(), hangup: () => {} })
  await Promise.race([follow.idle, told])
  quiet()
  await follow.close()
  return EXIT.ok
}
