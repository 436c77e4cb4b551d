// `autopod cost`: where the money went, to the micro-dollar.
import { CAUSES, type Entry, ledger } from '../domain/ledger.ts'
import { formatClock, formatShare, formatUsd, usdFromMicro } from '../domain/units.ts'
import { systemClock } from '../edge/clock.ts'
import { type Invocation, usage } from './args.ts'
import { EXIT } from './exit.ts'
import { view } from './follow.ts'
import { homeToSee } from './home.ts'
import { table } from './table.ts'

const BY = ['cause', 'job', 'pod', 'run'] as const

export async function cost({ flags }: Invocation): Promise<number> {
  const by = (flags.text('by') ?? 'cause') as (typeof BY)[number]
  if (!BY.includes(by)) throw usage(`--by ${by} is none of ${BY.join(', ')}`, 'For example: autopod cost --by job')
  const since = flags.text('since')
  const from = since === undefined ? 0 : Date.parse(since)
  if (Number.isNaN(from)) throw usage(`--since ${since} is no date`, 'Write it as 2026-11-22 or 2026-11-22T20:00.')
  const follow = view(homeToSee(flags))
  const entries = ledger(follow.fleet, systemClock.now()).filter(entry => entry.to >= from)
  await follow.close()
  const keyOf = (entry: Entry) =>
    by === 'cause'
      ? entry.cause
      : by === 'pod'
        ? entry.podId
        : by === 'run'
          ? entry.runId
          : (entry.jobKey ?? '(no job)')
  const groups = new Map<string, { micro: number; ms: number }>(
    by === 'cause' ? CAUSES.map(cause => [cause, { micro: 0, ms: 0 }]) : [],
  )
  for (const entry of entries) {
    const group = groups.get(keyOf(entry)) ?? { micro: 0, ms: 0 }
    groups.set(keyOf(entry), { micro: group.micro + entry.micro, ms: group.ms + entry.to - entry.from })
  }
  const total = entries.reduce((sum, entry) => sum + entry.micro, 0)
  const rows = [...groups].filter(([, group]) => group.ms > 0 || group.micro > 0)
  if (flags.on('json')) {
    const groupsOut = rows.map(([key, { micro, ms }]) => ({
      [by]: key,
      cost_usd: usdFromMicro(micro),
      seconds: ms / 1000,
    }))
    process.stdout.write(
      `${JSON.stringify({ version: 1, by, groups: groupsOut, total_usd: usdFromMicro(total) }, null, 2)}\n`,
    )
    return EXIT.ok
  }
  const lines = rows.map(([key, { micro, ms }]) => [key, formatClock(ms), formatUsd(micro), formatShare(micro, total)])
  process.stdout.write(`${table([by.toUpperCase(), 'TIME', 'COST', 'SHARE'], lines)}\n${formatUsd(total)} in all\n`)
  return EXIT.ok
}
