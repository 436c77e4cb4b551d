// `autopod top`: the dashboard of a home, whoever its engine is.
import { type Invocation, usage } from './args.ts'
import { EXIT } from './exit.ts'
import { view } from './follow.ts'
import { openHome } from './home.ts'
import { screen } from './screen.ts'
import { onSignals } from './signals.ts'
import { canPaint } from './tty.ts'

export async function top({ flags }: Invocation): Promise<number> {
  if (!canPaint()) throw usage('top needs a terminal', 'For pipes: autopod status, jobs or pods, with --json.')
  const home = openHome(flags)
  const follow = view(home)
  const shown = screen(follow, home, null, {
    readonly: flags.on('readonly'),
    ascii: flags.on('ascii'),
    mouse: flags.on('mouse'),
  })
  const { promise: told, resolve } = Promise.withResolvers<void>()
  const quiet = onSignals({ interrupt: resolve, hangup: resolve })
  await Promise.race([shown.left, told])
  quiet()
  shown.close()
  await follow.close()
  return EXIT.ok
}
