// `--dry-run`: what would be rented and what that costs at worst, as lines or as a document.
import type { Job } from '../domain/job.ts'
import { formatUsd, type Micro, plural } from '../domain/units.ts'
import { EXIT } from './exit.ts'
import { type Order, type Quote, unknownLines } from './launch.ts'
import { clean } from './table.ts'

const atMost = (micro: Micro | null) => (micro === null ? 'no limit set' : `at most ${formatUsd(micro)}`)

const KNOWN_WORDS: Partial<Record<Job['status'], string>> = {
  completed: 'done before',
  failed: 'rendered before, to be published from the bucket',
}

export function dryRun(ordered: Order, quotes: Quote[], json: boolean): number {
  const refused = quotes.filter(quote => quote.refused !== null).length
  const pods = Math.min(ordered.policy.podsMax, quotes.length - refused)
  const unknown = unknownLines(ordered.policy.provider, quotes)
  const perHour = quotes
    .map(({ offer }) => offer?.perHour ?? 0)
    .sort((a, b) => b - a)
    .slice(0, pods)
    .reduce((sum, price) => sum + price, 0)
  const worst = quotes.every(q => q.worst !== null) ? quotes.reduce((sum, q) => sum + (q.worst ?? 0), 0) : null
  const capped =
    ordered.policy.costMax === null ? worst : Math.min(worst ?? ordered.policy.costMax, ordered.policy.costMax)
  if (json) {
    const jobs = quotes.map(({ spec, offer, worst: most, refused }) => ({
      job_id: spec.jobId,
      template: spec.template,
      gpu_type: offer?.gpuType ?? null,
      price_usd_per_hour: offer && offer.perHour / 1e6,
      stock: offer?.stock ?? null,
      worst_case_usd: most === null ? null : most / 1e6,
      problem: refused?.message ?? null,
    }))
    const document = {
      version: 1,
      dry_run: true,
      jobs,
      warnings: unknown,
      known: ordered.known.map(job => ({ job_id: job.spec.jobId, status: job.status })),
      pods,
      price_usd_per_hour: perHour / 1e6,
      worst_case_usd: capped === null ? null : capped / 1e6,
    }
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
    return EXIT.ok
  }
  const lines = quotes.map(({ spec, offer, worst: most, refused }) => {
    if (refused) return `${spec.jobId.padEnd(24)} ${spec.template.padEnd(18)} ${refused.message}; it would not be run`
    const on = offer
      ? `${offer.gpuCount} × ${offer.gpuName}  ${formatUsd(offer.perHour)}/h  stock ${offer.stock}`
      : 'no offer now'
    return `${spec.jobId.padEnd(24)} ${spec.template.padEnd(18)} ${on}  ${atMost(most)}`
  })
  for (const job of ordered.known)
    lines.push(`${job.spec.jobId.padEnd(24)} ${KNOWN_WORDS[job.status] ?? 'under way'}; --again runs it once more`)
  lines.push(
    ...unknown,
    '',
    `${plural(quotes.length, 'job')} on ${plural(pods, 'pod')}, ${formatUsd(perHour)}/h together; ${capped === null ? 'no limit set (--max-cost)' : atMost(capped)}. Nothing was rented.`,
  )
  process.stdout.write(`${lines.map(clean).join('\n')}\n`)
  return EXIT.ok
}
