// Reading what a pod left when it ended itself: whatever is wrong with it, or here, is a fault and no bug.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createDisk } from '../../src/edge/buckets/disk.ts'
import { systemClock } from '../../src/edge/clock.ts'
import { createGuard, farewellKeys } from '../../src/edge/guard/guard.ts'

test('a farewell that is none, or that cannot be put down here, is told as such', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'guard-farewell-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const bucket = createDisk(dir)
  const guard = createGuard({ bucket, leaseMs: 1000, deadlineMs: 1000, graceMs: 1000, clock: systemClock })
  expect(await guard.farewell('autopod-pod')).toBe(null)
  await bucket.putText(farewellKeys('autopod-pod').json, '{}')
  const reading = () => guard.farewell('autopod-pod')
  await expect(reading()).rejects.toMatchObject({ data: { kind: 'pod', code: 'farewell_unreadable' } })
  vi.stubEnv('TMPDIR', join(dir, 'nowhere'))
  onTestFinished(() => void vi.unstubAllEnvs())
  await expect(reading()).rejects.toMatchObject({ data: { kind: 'operator', code: 'file_unwritable' } })
})
