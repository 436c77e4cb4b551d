// `autopod engine`: the engine alone, in the background, until nothing is left to do.
import type { Invocation } from './args.ts'
import { EXIT } from './exit.ts'
import { attach, detach, tellStarter } from './follow.ts'
import { openHome } from './home.ts'
import { isUnderWay } from './past.ts'
import { onSignals } from './signals.ts'

export async function engine({ flags }: Invocation): Promise<number> {
  const home = openHome(flags)
  const follow = await attach(home, tellStarter)
  if (!follow.own) {
    await follow.close()
    return EXIT.ok
  }
  const { promise: told, resolve } = Promise.withResolvers<boolean>()
  // Nobody's terminal: only an explicit end ends it, and leaves everything to the next engine.
  const quiet = onSignals({ interrupt: () => resolve(false), hangup: () => {} })
  const isIdle = await Promise.race([follow.idle.then(() => true), follow.failed, told])
  quiet()
  await follow.close()
  // A run that was handed over in the last moment.
  if (isIdle && isUnderWay(home)) await detach(home)
  return EXIT.ok
}
