// Before a pod is paid for: what it would cost, whether that is meant, and whether the key and the bucket let us in.
import { createInterface } from 'node:readline/promises'
import { Fault } from '../domain/fault.ts'
import { formatUsd } from '../domain/units.ts'
import { checkAddresses } from '../edge/jobdir-bucket.ts'
import { usage } from './args.ts'
import { keyOf, openBucket, providersOf } from './compose.ts'
import type { Home } from './home.ts'
import { type Order, type Quote, quote } from './launch.ts'
import { pastOf } from './past.ts'
import { sandboxOf } from './sandbox-access.ts'

/** Dearer than this asks first: a slip in a job file should not rent eight H200. */
const ASK_ABOVE_PER_HOUR = 1_000_000

/** Empty where nothing is to be rented. Faults as `quote`. */
export async function priced(home: Home, ordered: Order): Promise<Quote[]> {
  if (ordered.specs.length === 0) return []
  const [provider] = await providersOf(home)
  return provider ? quote(provider, ordered) : []
}

/** false: whoever was asked broke it off. Fault usage when the answer is no, or nobody can be asked. */
export async function confirm(quotes: Quote[], yes: boolean): Promise<boolean> {
  const dearest = Math.max(0, ...quotes.map(({ offer }) => offer?.perHour ?? 0))
  if (yes || dearest <= ASK_ABOVE_PER_HOUR) return true
  const question = `A pod costs ${formatUsd(dearest)} an hour.`
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw usage(`${question} Without a terminal nobody can be asked.`, 'Give --yes to accept, or name a cheaper --gpu.')
  const readline = createInterface({ input: process.stdin, output: process.stdout })
  // Rejects on ctrl-c and ctrl-d (Node 26).
  const answer = await readline.question(`${question} Go on? [y/N] `).catch(() => null)
  readline.close()
  if (answer === null) {
    process.stderr.write('\nnot started\n')
    return false
  }
  if (!/^y(es)?$/i.test(answer.trim())) throw usage('not started', 'Name a cheaper --gpu, or answer y.')
  return true
}

/** What keeps us off pods or out of the bucket is told before a pod is paid for. Faults: operator; those of `tryBucket`. */
export async function tryAccess(home: Home, ordered: Order): Promise<void> {
  await keyOf(home)
  await tryBucket(home, ordered)
}

/** The bucket's keys, and the jobs' addresses in it; changes nothing. Faults: operator; job `job_file_invalid`. */
export async function tryBucket(home: Home, { specs, policy }: Order): Promise<void> {
  const { bucket, bucketName } = await openBucket(home, await sandboxOf(home))
  try {
    await bucket.list('doctor/')
    const published = policy.again ? [...(pastOf(home)?.jobs.values() ?? [])].flatMap(job => job.published) : []
    const replaceable = (url: string, sha256: string | null) =>
      published.some(file => file.url === url && file.sha256 === (sha256 ?? file.sha256))
    await checkAddresses(specs, { bucket, bucketName, cwd: home.cwd, replaceable })
  } catch (error) {
    // Weather passes; the engine tries again by itself.
    if (!(error instanceof Fault) || error.data.kind !== 'transient') throw error
  }
}
