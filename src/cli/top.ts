// `autopod top`: the dashboard of a home, whoever its engine is.
import type { Fact } from '../domain/event.ts'
import { type Invocation, usage } from './args.ts'
import { EXIT } from './exit.ts'
import { detach, view } from './follow.ts'
import { homeToSee } from './home.ts'
import { screen } from './screen.ts'
import { onSignals } from './signals.ts'
import { canPaint } from './tty.ts'

export async function top({ flags }: Invocation): Promise<number> {
  if (!canPaint()) throw usage('top needs a terminal', 'For pipes: autopod status, jobs or pods, with --json.')
  const home = homeToSee(flags)
  const follow = view(home)
  let starting = Promise.resolve()
  // Obeyed, too, when no engine is at work: nobody opens this to leave a pod to its meter.
  const command = (facts: Fact[]) => {
    follow.command(facts)
    starting = starting.then(() => (follow.alive() ? undefined : detach(home, console.error)))
  }
  const shown = screen({ ...follow, command }, home, null, {
    readonly: flags.on('readonly'),
    ascii: flags.on('ascii'),
    mouse: flags.on('mouse'),
  })
  const { promise: told, resolve } = Promise.withResolvers<void>()
  const quiet = onSignals({ interrupt: resolve, hangup: resolve })
  await Promise.race([shown.left, told])
  quiet()
  shown.close()
  await starting
  await follow.close()
  return EXIT.ok
}
