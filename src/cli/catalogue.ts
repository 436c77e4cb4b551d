// `autopod gpus`: what can be rented now.
import { formatUsd, microFromUsd, usdFromMicro } from '../domain/units.ts'
import type { Invocation } from './args.ts'
import { providersOf } from './compose.ts'
import { EXIT } from './exit.ts'
import { rentingHome } from './home.ts'
import { table } from './table.ts'

export async function gpus({ flags }: Invocation): Promise<number> {
  const home = rentingHome(flags)
  const [provider] = await providersOf(home)
  if (!provider) return EXIT.ok
  const most = flags.number('max-price', 0, 1_000_000)
  const cheapest = (type: { secure: number | null; community: number | null }) =>
    Math.min(type.secure ?? Number.POSITIVE_INFINITY, type.community ?? Number.POSITIVE_INFINITY)
  const types = (await provider.gpus())
    .filter(type => Number.isFinite(cheapest(type)) && (most === undefined || cheapest(type) <= microFromUsd(most)))
    .sort((a, b) => cheapest(a) - cheapest(b))
  if (flags.on('json')) {
    const rows = types.map(({ id, name, vramGb, secure, community, stock }) => ({
      id,
      name,
      vram_gb: vramGb,
      secure_usd_per_hour: secure && usdFromMicro(secure),
      community_usd_per_hour: community && usdFromMicro(community),
      stock,
    }))
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
    return EXIT.ok
  }
  const price = (micro: number | null) => (micro === null ? '–' : formatUsd(micro))
  const rows = types.map(type => [
    type.name,
    `${type.vramGb} GB`,
    price(type.secure),
    price(type.community),
    type.stock,
    type.id,
  ])
  process.stdout.write(`${table(['GPU', 'VRAM', 'SECURE/H', 'COMMUNITY/H', 'STOCK', 'ID'], rows)}\n`)
  return EXIT.ok
}
