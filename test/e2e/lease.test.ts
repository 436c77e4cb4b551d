// The program is killed for good, or for longer than a lease: pods end themselves, and what they finished is neither lost nor done again.
import { expect, test } from 'vitest'
import { createR2 } from '../../src/edge/buckets/r2.ts'
import { secretOf } from '../../src/wire/secret.ts'
import { result } from './result.ts'
import { eventually, inWorld, type World, type WorldOptions } from './world.ts'

/** Ten minutes are three seconds here: 1 : 200. */
const LEASE_MS = 3000
/** Two minutes after the lease are 0.6 s at this scale; what processes of a busy machine take is not scaled. */
const LATE_MS = 20_000
const options: Omit<WorldOptions, 'firstPort'> = {
  stepMs: 60,
  settings: { pod: { lease_minutes: LEASE_MS / 60_000, grace_minutes: 1 } },
}

/** Two jobs at work on two pods, and nobody there any more. */
async function abandon(world: World): Promise<void> {
  for (const name of ['pan-1', 'pan-2']) world.job(name)
  const running = world.start(['run', 'jobs', '--yes', '--plain', '--max-pods', '2'])
  for (const name of ['pan-1', 'pan-2'])
    await world.event('attempt.started', event => String(event.jobKey).endsWith(`/${name}`))
  running.kill('SIGKILL')
  await running.ended
}

async function allEnd(world: World): Promise<number> {
  const since = Date.now()
  await eventually(async () => ((await world.cloud.status()).pods.length === 0 ? true : undefined))
  return Date.now() - since
}

test.concurrent('killed for good, every pod ends itself in time, its outputs in the bucket', () =>
  inWorld({ firstPort: 12_900, ...options }, async world => {
    await abandon(world)
    expect(await allEnd(world)).toBeLessThan(LEASE_MS + LATE_MS)
    const { s3_endpoint: endpoint, bucket, s3_access_key_id, s3_secret_access_key } = world.cloud.access
    const keys = { accessKeyId: s3_access_key_id, secretAccessKey: secretOf(s3_secret_access_key) }
    const left = await (await createR2({ endpoint, bucket, ...keys })).list('farewell/')
    const pods = world.events().filter(event => event.type === 'pod.created')
    expect(pods).toHaveLength(2)
    // A manifest and a tar with the film of each.
    expect(left.filter(({ key, bytes }) => key.endsWith('.tar') && bytes > 1000)).toHaveLength(2)
    for (const { ref } of pods) expect(left.filter(({ key }) => key.includes(String(ref)))).toHaveLength(2)
  }))

test.concurrent('started again after its pods ended themselves, it takes their outputs and does nothing twice', () =>
  inWorld({ firstPort: 12_920, ...options }, async world => {
    await abandon(world)
    await allEnd(world)
    const told = result.parse(await world.json(0, 'run', 'jobs', '--yes', '--max-pods', '2'))
    expect(told.jobs.map(job => [job.job_id, job.status, job.attempts])).toEqual([
      ['pan-1', 'completed', 1],
      ['pan-2', 'completed', 1],
    ])
    expect(world.outputs()).toEqual(expect.arrayContaining(['pan-1.webp', 'pan-2.webp']))
    const { prompts, bills } = await world.cloud.status()
    expect(Object.values(prompts)).toEqual([1, 1])
    expect(bills).toHaveLength(2)
    const cost = (await world.json(0, 'cost', '--by', 'pod')) as { total_usd: number }
    expect(Math.round(cost.total_usd * 1e6)).toBe(bills.reduce((sum, bill) => sum + bill.micro, 0))
  }))
