// Who may write a file: claims of jobs under way, and what a job may replace.
import { expect, test } from 'vitest'
import { claimantOf, mayReplace } from '../../src/domain/claim.ts'
import type { Job } from '../../src/domain/job.ts'
import { ARTIFACT, keyOf, RUN, type Story, specOf, story } from './fleet-story.ts'

const to = (target: string) => specOf('a', { outputs: [{ name: 'picture', nodeId: '9', target }] })

test.each([
  ['/o/a.png', '/o/a.png', true],
  ['/o/a.png', '/o/b.png', false],
  ['/o/a.{ext}', '/o/a.png', true],
  ['/o/a.png', '/o/a.{ext}', true],
  ['/o/a.png', '/o/ab.{ext}', false],
  ['/o/b-{index}.png', '/o/b-1-{index}.png', false],
  ['/o/b{index}.png', '/o/b1{index}.png', true],
  ['/o/{index}.png', '/o/x.png', false],
  ['/o/a-{index}.{ext}', '/o/a-12.webp', true],
  ['/o/a-{index}.{ext}', '/p/a-{index}.{ext}', false],
  ['/o/', '/o/', false],
  ['r2://files/a.{ext}', 'r2://files/a.png', true],
])('a job under way that writes %s claims %s: %s', (written, wanted, isClaimed) => {
  const told = story().run().jobs(to(written))
  expect(claimantOf(told.fleet, wanted)?.key).toBe(isClaimed ? keyOf('a') : undefined)
})

test('a job that is settled claims nothing', () => {
  const told = story().run().jobs(to('/o/a.png'))
  told.tell({ type: 'job.cancel_requested', jobKey: keyOf('a') }, { type: 'job.cancelled', jobKey: keyOf('a') })
  expect(claimantOf(told.fleet, '/o/a.png')).toBe(null)
})

/** Job a puts its file there, and then, or before that, job b is queued. */
function published(again: boolean, isLate: boolean, url: string | null = null): { told: Story; b: Job } {
  const told = story()
    .run({ podsMax: 1, ...(again && { again: true }) })
    .jobs(to('/o/a.png'))
  if (isLate) told.jobs('b').wait(1)
  told.pod('pod-0001').start('a', 'pod-0001')
  told.tell(
    { type: 'artifact.stored', jobKey: keyOf('a'), attempt: 1, artifact: ARTIFACT },
    { type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 1 },
    {
      type: 'job.completed',
      jobKey: keyOf('a'),
      published: [{ name: 'picture', path: url ? null : '/o/a.png', url, bytes: 1234, sha256: 'ab' }],
    },
  )
  if (!isLate) told.wait(1).jobs('b')
  return { told, b: told.fleet.jobs.get(`${RUN}/b`) as Job }
}

test('a job replaces what was there when it was queued with --again, and nobody changed since', () => {
  const { told, b } = published(true, false)
  expect(mayReplace(told.fleet, b, '/o/a.png', 'ab')).toBe(true)
  expect(mayReplace(told.fleet, b, '/o/a.png', 'changed')).toBe(false)
  expect(mayReplace(told.fleet, b, '/o/other.png', 'ab')).toBe(false)
  const remote = published(true, false, 'r2://files/a.png')
  expect(mayReplace(remote.told.fleet, remote.b, 'r2://files/a.png', 'ab')).toBe(true)
  expect(mayReplace(remote.told.fleet, remote.b, 'r2://files/b.png', 'ab')).toBe(false)
})

test('a job does not replace what another job put there after it was queued, nor anything without --again', () => {
  const late = published(true, true)
  expect(mayReplace(late.told.fleet, late.b, '/o/a.png', 'ab')).toBe(false)
  const plain = published(false, false)
  expect(mayReplace(plain.told.fleet, plain.b, '/o/a.png', 'ab')).toBe(false)
})
