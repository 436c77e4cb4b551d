// Events in plain words.
import { expect, test } from 'vitest'
import type { Event } from '../../src/domain/event.ts'
import { isAbout, tell } from '../../src/tui/story.ts'
import { ARTIFACT, keyOf, story } from './fleet-story.ts'

const storyOf = (event: Event) => tell(event).text

test('a small job told from start to end', () => {
  const told = story().run().jobs('a').pod('pod-0001').start('a', 'pod-0001')
  told.tell({ type: 'artifact.stored', jobKey: keyOf('a'), attempt: 1, artifact: ARTIFACT })
  told.tell({ type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 1 })
  told.tell({
    type: 'job.completed',
    jobKey: keyOf('a'),
    published: [{ name: 'picture', path: '/out/a.png', url: null, bytes: 1234, sha256: 'ab' }],
  })
  told.tell({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'no job left for it' })
  told.tell({ type: 'pod.gone', podId: 'pod-0001', billedUntil: told.now })
  expect(told.events.map(storyOf)).toEqual([
    'run opened on cloud, at most 3 pods',
    'a queued',
    'pod-0001 asked for: A40 at $0.36/h',
    'pod-0001 created as ref-pod-0001, $0.36/h',
    'pod-0001 ready',
    'a attempt 1 given to pod-0001',
    'a attempt 1 started',
    'a stored picture.png, 1.2 kB',
    'a attempt 1 succeeded',
    '✓ a done, /out/a.png, 1.2 kB',
    '⊘ pod-0001 to be terminated: no job left for it',
    'pod-0001 proven gone',
  ])
})

test('a fault is told with what to do about it', () => {
  const fault = { kind: 'operator', code: 'no_money', message: 'the balance is used up', hint: 'Add credit.' } as const
  const at = { seq: 1, at: 0 }
  expect(storyOf({ type: 'operator.needed', provider: 'runpod', fault, ...at })).toBe(
    '✗ runpod needs you: the balance is used up (Add credit.)',
  )
  expect(storyOf({ type: 'job.failed', jobKey: keyOf('a'), fault, ...at })).toBe(
    '✗ a failed: the balance is used up (Add credit.)',
  )
})

test('files without a local path are told by their address', () => {
  const published = [{ name: 'p', path: null, url: 'r2://bucket/a.png', bytes: 5, sha256: 'ab' }]
  expect(storyOf({ type: 'job.completed', jobKey: keyOf('a'), published, seq: 1, at: 0 })).toBe(
    '✓ a done, r2://bucket/a.png, 5 B',
  )
})

test('an event is about its job and its pod, and what a pod does for other jobs is theirs', () => {
  const told = story().run().jobs('a', 'b').pod('pod-0001').start('a', 'pod-0001')
  const about = (jobKey: string | null, podId: string | null) =>
    told.events.filter(event => isAbout(event, jobKey, podId)).map(event => event.type)
  expect(about(keyOf('a'), null)).toEqual(['job.queued', 'attempt.requested', 'attempt.started'])
  expect(about(keyOf('b'), 'pod-0001')).toEqual(['job.queued', 'pod.requested', 'pod.created', 'pod.ready'])
})

test('the steps against a silent job are told with their reasons', () => {
  const told = story().run().jobs('a').pod('pod-0001').start('a', 'pod-0001')
  const at = { jobKey: keyOf('a'), attempt: 1 }
  const seen = told.events.length
  told.tell({
    type: 'attempt.stuck_warned',
    ...at,
    since: told.now,
    silent: ['message'],
    reason: 'no message for 5:00',
  })
  told.tell({ type: 'attempt.wait_requested', ...at })
  told.tell({ type: 'attempt.stuck_step', ...at, step: 'interrupt', reason: 'no message for 20:00' })
  told.tell({ type: 'attempt.stuck_step', ...at, step: 'restart', reason: 'the interrupt had no effect' })
  told.tell({ type: 'attempt.stuck_cleared', ...at })
  told.tell({ type: 'pod.restart_requested', podId: 'pod-0001', reason: 'nothing listens' })
  expect(told.events.slice(seen).map(storyOf)).toEqual([
    '? a stuck? no message for 5:00',
    'a is given more time',
    '▸ a is interrupted: no message for 20:00',
    '▸ a has ComfyUI started anew: the interrupt had no effect',
    'a shows signs of life again',
    '▸ pod-0001: ComfyUI is started anew: nothing listens',
  ])
})
