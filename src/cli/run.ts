// `autopod run`: a folder of jobs in, files and a bill out, nothing left running.
import { emptyFleet, type Fleet } from '../domain/fleet.ts'
import type { Run } from '../domain/run.ts'
import { accompany, type Mode } from './accompany.ts'
import { type Flags, type Invocation, usage } from './args.ts'
import { confirm, priced, tryAccess, tryBucket } from './consent.ts'
import { dryRun } from './dry-run.ts'
import { EXIT } from './exit.ts'
import { attach, attachBeside, detach, type Follow, view } from './follow.ts'
import { type Home, rentingHome } from './home.ts'
import { facts, type Order, order, unknownLines, withoutImpossible } from './launch.ts'
import { tellOutcome } from './outcome.ts'
import { isUnderWay, pastOf } from './past.ts'
import { clean } from './table.ts'
import { canPaint } from './tty.ts'

export async function run({ flags, words }: Invocation): Promise<number> {
  const paths = [...words, ...flags.texts('job'), ...flags.texts('job-file'), ...flags.texts('jobs')]
  if (paths.length === 0)
    throw usage(
      'run needs a job file, a folder of them, or a glob',
      'For example: autopod run ./jobs --provider sandbox',
    )
  const home = rentingHome(flags)
  return carryOut(home, flags, await order(home, paths, flags, pastOf(home) ?? emptyFleet()))
}

/** From what was ordered to its end: priced, agreed to, shown, told. `beside` looks on from the moment it is under way. */
export async function carryOut(
  home: Home,
  flags: Flags,
  wanted: Order,
  beside: (follow: Follow) => void = () => {},
): Promise<number> {
  const quotes = await priced(home, wanted)
  if (flags.on('dry-run')) {
    if (wanted.specs.length > 0) await tryBucket(home, wanted)
    return dryRun(wanted, quotes, flags.on('json'))
  }
  for (const line of unknownLines(wanted.policy.provider, quotes)) process.stderr.write(`${clean(line)}\n`)
  const ordered = withoutImpossible(wanted, quotes)
  if (!(await confirm(quotes, flags.on('yes')))) return EXIT.interrupted
  if (ordered.specs.length > 0) await tryAccess(home, ordered)
  if (flags.on('detach')) return handOver(home, ordered, flags.on('json') || flags.on('events'))

  const mode = modeOf(flags)
  const begin = (fleet: Fleet) => facts(ordered, home.cwd, fleet)
  const follow = mode === 'screen' ? await attachBeside(home, begin) : await attach(home)
  const look = { ascii: flags.on('ascii'), mouse: flags.on('mouse') }
  const ending = await accompany(follow, home, ordered.runId, mode, look, () => {
    if (mode !== 'screen') follow.record(begin)
    beside(follow)
  }).catch(async error => {
    await letGo(follow, home)
    throw error
  })
  if (ending === 'background') {
    await follow.close()
    if (follow.own) await detach(home)
    process.stderr.write(`${ordered.runId} goes on in the background. autopod top shows it.\n`)
    return EXIT.ok
  }
  // Among events, one a line, the document is a line, too.
  const document = mode === 'events' ? 'line' : 'document'
  const as = flags.on('json') ? document : mode === 'events' ? 'nothing' : 'words'
  const theRun = follow.fleet.runs.get(ordered.runId) as Run
  // Said before the engine stops: a provider that is silent keeps it from that for the length of a request.
  const code = await tellOutcome(follow, home, theRun, as, ending === 'interrupted')
  await letGo(follow, home)
  return code
}

/** Others may have handed over runs meanwhile, up to the last moment: they go on without this command. */
async function letGo(follow: Follow, home: Home): Promise<void> {
  await follow.close()
  if (follow.own && isUnderWay(home)) await detach(home)
}

/** `--detach`: an engine in the background takes it. */
async function handOver(home: Home, ordered: Order, asJson: boolean): Promise<number> {
  const looking = view(home)
  looking.record(fleet => facts(ordered, home.cwd, fleet))
  if (!looking.alive()) await detach(home)
  await looking.close()
  const flag = home.provider === 'sandbox' ? ' --provider sandbox' : ''
  process.stdout.write(
    asJson ? `${JSON.stringify({ run_id: ordered.runId })}\n` : `${ordered.runId}\nautopod top${flag} shows it.\n`,
  )
  return EXIT.ok
}

function modeOf(flags: Flags): Mode {
  if (flags.on('events')) return 'events'
  if (flags.on('json')) return 'silent'
  return !flags.on('plain') && canPaint() ? 'screen' : 'plain'
}
