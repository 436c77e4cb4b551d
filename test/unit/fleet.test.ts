// The fold: what each fact makes known, and which facts are impossible.
import { describe, expect, test } from 'vitest'
import { effects } from '../../src/domain/effect.ts'
import { apply, emptyFleet, RECENT_MAX } from '../../src/domain/fleet.ts'
import { podCost } from '../../src/domain/pod.ts'
import { ARTIFACT, keyOf, RUN, story } from './fleet-story.ts'

const HOUR = 3_600_000
const running = () => story().run().jobs('a').pod('pod-0001').start('a', 'pod-0001')

describe('impossible facts are bugs', () => {
  const impossible: [title: string, what: () => unknown][] = [
    ['a gap in the journal', () => apply(emptyFleet(), { type: 'engine.stopped', engineId: 'e', seq: 2, at: 0 })],
    ['a run opened twice', () => story().run().run()],
    ['a job of no run', () => story().jobs('a')],
    ['a job queued twice', () => story().run().jobs('a', 'a')],
    [
      'a pod that is ready before it was made',
      () => story().run().pod('p', 'requested').tell({ type: 'pod.ready', podId: 'p' }),
    ],
    ['an attempt on a pod that boots', () => story().run().jobs('a').pod('p', 'booting').start('a', 'p')],
    ['a second attempt beside a live one', () => running().pod('pod-0002').start('a', 'pod-0002')],
    ['a job on a pod that has one', () => running().jobs('b').start('b', 'pod-0001')],
    ['an end of an attempt that has ended', () => running().fail('a', 'pod').fail('a', 'pod')],
    [
      'an attempt on a broken pod',
      () =>
        story()
          .run()
          .jobs('a')
          .pod('p')
          .tell({ type: 'pod.broken', podId: 'p', fault: { kind: 'pod', code: 'x', message: 'x' } })
          .start('a', 'p'),
    ],
    [
      'completion without success',
      () =>
        running()
          .fail('a', 'pod')
          .tell({ type: 'job.completed', jobKey: keyOf('a'), published: [] }),
    ],
    [
      'a pod that is refused after it was made',
      () =>
        story()
          .run()
          .pod('p', 'booting')
          .tell({ type: 'pod.refused', podId: 'p', fault: { kind: 'capacity', code: 'x', message: 'x' } }),
    ],
  ]
  test.each(impossible)('%s', (_, what) => expect(what).toThrow(/^bug: /))
})

describe('a job', () => {
  test('holds its pod while it runs and frees it when its attempt ends', () => {
    const told = running()
    expect(told.fleet.pods.get('pod-0001')).toMatchObject({ jobKey: keyOf('a'), idleSince: null, finished: 0 })
    told.wait(10).fail('a', 'transient')
    expect(told.fleet.pods.get('pod-0001')).toMatchObject({ jobKey: null, idleSince: told.now, finished: 1 })
    expect(told.fleet.jobs.get(keyOf('a'))).toMatchObject({ status: 'waiting', fault: { kind: 'transient' } })
  })

  test('is running until its files are published, and completed then without its old fault', () => {
    const told = running().fail('a', 'transient').start('a', 'pod-0001')
    told.tell({ type: 'artifact.stored', jobKey: keyOf('a'), attempt: 2, artifact: ARTIFACT })
    told.tell({ type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 2 })
    expect(told.fleet.jobs.get(keyOf('a'))?.status).toBe('running')
    told.tell({ type: 'job.completed', jobKey: keyOf('a'), published: [] })
    expect(told.fleet.jobs.get(keyOf('a'))).toMatchObject({ status: 'completed', fault: null })
  })

  test('that failed is open again when a person asks, and so is its run', () => {
    const told = running().fail('a', 'job')
    told.tell({ type: 'job.failed', jobKey: keyOf('a'), fault: { kind: 'job', code: 'x', message: 'x' } })
    told.tell({ type: 'run.closed', runId: RUN, status: 'failed' })
    told.wait(1000).tell({ type: 'job.retry_requested', jobKey: keyOf('a') })
    expect(told.fleet.jobs.get(keyOf('a'))).toMatchObject({ status: 'waiting', fault: null, openedAt: told.now })
    expect(told.fleet.runs.get(RUN)).toMatchObject({ status: 'running', closedAt: null })
  })

  test.each([
    ['disk_full', 'running', [{ kind: 'publish', jobKey: keyOf('a') }]],
    ['object_missing', 'waiting', []],
    ['object_changed', 'waiting', []],
  ] as const)('whose files could not be published (%s) is %s when a person asks again', (code, status, wanted) => {
    const told = running()
    told.tell({ type: 'artifact.stored', jobKey: keyOf('a'), attempt: 1, artifact: ARTIFACT })
    told.tell({ type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 1 })
    told.tell({ type: 'job.failed', jobKey: keyOf('a'), fault: { kind: 'operator', code, message: 'x' } })
    told.wait(1000).tell({ type: 'job.retry_requested', jobKey: keyOf('a') })
    expect(told.fleet.jobs.get(keyOf('a'))).toMatchObject({ status, settledAt: null })
    expect(effects(told.fleet).filter(({ kind }) => kind === 'publish')).toEqual(wanted)
  })

  test('that completed a moment ago is not run again by a late wish', () => {
    const told = running().tell({ type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 1 })
    told.tell({ type: 'job.completed', jobKey: keyOf('a'), published: [] })
    told.tell({ type: 'job.retry_requested', jobKey: keyOf('a') }, { type: 'job.cancel_requested', jobKey: keyOf('a') })
    expect(told.fleet.jobs.get(keyOf('a'))).toMatchObject({ status: 'completed', cancelRequested: false })
  })
})

describe('a pod', () => {
  const cost = (told: ReturnType<typeof story>) => {
    const pod = told.fleet.pods.get('p')
    return pod ? podCost(pod, told.now) : null
  }

  test('costs from the request on, at the price the provider really takes', () => {
    const told = story()
      .run()
      .pod('p', 'requested', { perHour: 100_000 })
      .wait(HOUR / 2)
    told.tell({ type: 'pod.created', podId: 'p', ref: 'r', perHour: 300_000 }).wait(HOUR / 2)
    expect(cost(told)).toBe(300_000)
  })

  test('costs nothing when it was never made', () => {
    const told = story().run().pod('p', 'requested').wait(HOUR)
    told.tell({ type: 'pod.refused', podId: 'p', fault: { kind: 'capacity', code: 'x', message: 'x' } })
    expect(cost(told)).toBe(0)
  })

  test('costs its disk alone while it is stopped, and its price again when it is started', () => {
    const told = story().run().pod('p', 'ready', { perHour: 400_000 }).wait(HOUR)
    told
      .tell({ type: 'pod.stop_requested', podId: 'p' }, { type: 'pod.stopped', podId: 'p', perHour: 10_000 })
      .wait(HOUR)
    expect(cost(told)).toBe(410_000)
    told.tell({ type: 'pod.start_requested', podId: 'p' }).wait(HOUR)
    expect(cost(told)).toBe(810_000)
  })

  test('costs until it is known to be gone, not until that was written down', () => {
    const told = story().run().pod('p', 'ready', { perHour: 400_000 }).wait(HOUR)
    const billedUntil = told.now
    told.tell({ type: 'pod.release_requested', podId: 'p', cause: 'done' }).wait(HOUR)
    told.tell({ type: 'pod.gone', podId: 'p', billedUntil }).wait(HOUR)
    expect(cost(told)).toBe(400_000)
  })

  test('that is released before its creation was answered stays to be released', () => {
    const told = story()
      .run()
      .pod('p', 'requested')
      .tell({ type: 'pod.release_requested', podId: 'p', cause: 'cancelled' })
    told.tell({ type: 'pod.created', podId: 'p', ref: 'r', perHour: 1 })
    expect(told.fleet.pods.get('p')).toMatchObject({ status: 'releasing', ref: 'r' })
  })

  test('keeps the first reason it broke for, and since when its link is away', () => {
    const fault = (code: string) => ({ kind: 'pod', code, message: code }) as const
    const told = story()
      .run()
      .pod('p')
      .tell({ type: 'pod.link_lost', podId: 'p', fault: fault('first') })
    const since = told.now
    told
      .wait(5)
      .tell(
        { type: 'pod.link_lost', podId: 'p', fault: fault('x') },
        { type: 'pod.broken', podId: 'p', fault: fault('a') },
      )
    told.tell({ type: 'pod.broken', podId: 'p', fault: fault('b') })
    expect(told.fleet.pods.get('p')).toMatchObject({ linkLostAt: since, broken: { code: 'a' } })
  })
})

test('the last events are kept and no more than that', () => {
  const told = story().run()
  for (let n = 0; n < RECENT_MAX * 3; n++) told.tell({ type: 'listing.found', provider: 'cloud' })
  expect(told.fleet.recent.length).toBeLessThanOrEqual(RECENT_MAX * 1.25)
  expect(told.fleet.recent.at(-1)?.seq).toBe(told.fleet.seq)
})

test('an engine that says goodbye late does not unseat its successor', () => {
  const told = story().tell({ type: 'engine.started', engineId: 'old', pid: 1, version: '1' })
  told.tell(
    { type: 'engine.started', engineId: 'new', pid: 2, version: '1' },
    { type: 'engine.stopped', engineId: 'old' },
  )
  expect(told.fleet.engine?.id).toBe('new')
})
