// `autopod reap`: pods with this home's mark that its journal does not count (a lost journal, a lost answer), and their end.
import { Fault } from '../domain/fault.ts'
import type { Fleet } from '../domain/fleet.ts'
import { mayBill } from '../domain/pod.ts'
import { formatClock, formatUsd } from '../domain/units.ts'
import { systemClock } from '../edge/clock.ts'
import type { PodRow, Provider } from '../ports.ts'
import type { Invocation } from './args.ts'
import { providersOf } from './compose.ts'
import { EXIT } from './exit.ts'
import { type Home, rentingHome } from './home.ts'
import { listedPods, markedPods } from './marked.ts'
import { readablePastOf } from './past.ts'
import { clean, table } from './table.ts'

/** A provider that does not prove an end in this time is left to the next call, and said to. */
const PROOF_MAX_MS = 5 * 60_000

export async function reap({ flags }: Invocation): Promise<number> {
  const home = rentingHome(flags)
  let left = 0
  for (const provider of await providersOf(home)) {
    const ownerless = await unowned(provider, home)
    if (ownerless.length === 0) {
      process.stdout.write(`${provider.name}: no pod of this home is without an owner\n`)
      continue
    }
    const now = systemClock.now()
    const rows = ownerless.map(row => [
      row.ref,
      row.name,
      row.status,
      `${formatUsd(row.perHour)}/h`,
      row.createdAt === null ? '–' : formatClock(now - row.createdAt),
    ])
    process.stdout.write(`${table(['PROVIDER ID', 'NAME', 'STATUS', 'PRICE', 'AGE'], rows)}\n`)
    if (flags.on('yes')) for (const row of ownerless) left += (await end(provider, row)) ? 0 : 1
    else left += ownerless.length
  }
  if (left > 0 && !flags.on('yes')) process.stderr.write('autopod reap --yes ends them.\n')
  return left > 0 ? EXIT.billing : EXIT.ok
}

/** Not on this home's books, nor ordered by an engine that is still waiting for the answer. */
async function unowned(provider: Provider, home: Home): Promise<PodRow[]> {
  const marked = await markedPods(provider, home)
  // Read after the listing: what was ordered meanwhile is then on the books.
  const owned = ownedBy(readablePastOf(home))
  return marked.filter(row => !owned(row))
}

function ownedBy(fleet: Fleet | null): (row: PodRow) => boolean {
  const live = [...(fleet?.pods.values() ?? [])].filter(mayBill)
  return row => live.some(pod => pod.ref === row.ref || (pod.ref === null && pod.name === row.name))
}

/** Proven as everywhere: two complete listings a settling time apart lack it, and a direct look finds nothing. */
async function end(provider: Provider, { ref, name }: PodRow): Promise<boolean> {
  const until = systemClock.now() + PROOF_MAX_MS
  let absentSince: number | null = null
  let why = 'the provider still lists it'
  for (; systemClock.now() < until; await systemClock.sleep(provider.pollMs)) {
    try {
      if (absentSince === null) await provider.destroy(ref)
      const askedAt = systemClock.now()
      const pods = await listedPods(provider)
      if (pods.some(row => row.ref === ref && row.status !== 'terminated')) absentSince = null
      else {
        absentSince ??= askedAt
        if (askedAt - absentSince < provider.settleMs || !(await isGone(provider, ref))) continue
        process.stdout.write(`${name} (${ref}) is gone\n`)
        return true
      }
    } catch (error) {
      if (!(error instanceof Fault) || error.data.kind === 'operator') throw error
      why = error.data.message
    }
  }
  process.stderr.write(`${clean(`${name} (${ref}) may still be billed: ${why}`)}. Run autopod reap --yes again.\n`)
  return false
}

async function isGone(provider: Provider, ref: string): Promise<boolean> {
  const row = await provider.look(ref)
  return row === null || row.status === 'terminated'
}
