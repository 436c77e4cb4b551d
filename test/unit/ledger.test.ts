// Every moment on a meter has one cause, and the causes add up to the bill.
import { expect, test } from 'vitest'
import { entriesOf, ledger, livesOf } from '../../src/domain/ledger.ts'
import { podCost } from '../../src/domain/pod.ts'
import { keyOf, offerOf, story, T0 } from './fleet-story.ts'

test('the parts of a pod’s life follow each other without gaps and add up to its cost', () => {
  const told = story()
  told.run()
  told.jobs('job-1', 'job-2')
  told.tell({
    type: 'pod.requested',
    podId: 'pod-0001',
    runId: told.fleet.runs.keys().next().value!,
    name: 'n',
    offer: offerOf({ perHour: 490_000 }),
  })
  told.wait(1_000)
  told.tell({ type: 'pod.created', podId: 'pod-0001', ref: 'ref-1', perHour: 490_000 })
  told.wait(3_337)
  told.tell({ type: 'pod.ready', podId: 'pod-0001' })
  for (const [job, end] of [
    ['job-1', 'attempt.succeeded'],
    ['job-2', 'attempt.failed'],
  ] as const) {
    told.wait(111)
    told.tell({ type: 'attempt.requested', jobKey: keyOf(job), attempt: 1, podId: 'pod-0001', promptId: job })
    told.wait(777)
    told.tell({ type: 'attempt.started', jobKey: keyOf(job), attempt: 1 })
    told.wait(7_919)
    told.tell({ type: 'attempt.rendered', jobKey: keyOf(job), attempt: 1 })
    told.wait(503)
    if (end === 'attempt.failed')
      told.tell({ type: end, jobKey: keyOf(job), attempt: 1, fault: { kind: 'job', code: 'x', message: 'x' } })
    else told.tell({ type: end, jobKey: keyOf(job), attempt: 1 })
  }
  told.wait(50)
  told.tell({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'done' })
  told.wait(1_999)
  const pod = told.fleet.pods.get('pod-0001')!
  told.tell({ type: 'pod.gone', podId: 'pod-0001', billedUntil: told.fleet.at })
  for (const billed of [null, podCost(pod, pod.goneAt!) - 137]) {
    if (billed !== null) told.tell({ type: 'pod.billed', podId: 'pod-0001', micro: billed })
    const entries = ledger(told.fleet, T0 + 1_000_000)
    expect(entries.map(entry => entry.cause)).toEqual([
      'request',
      'boot',
      'idle',
      'transfer',
      'render',
      'transfer',
      'idle',
      'failed',
      'idle',
      'teardown',
    ])
    for (const [index, entry] of entries.entries())
      expect(entry.from).toBe(index === 0 ? pod.requestedAt : entries[index - 1]!.to)
    expect(entries.at(-1)!.to).toBe(pod.goneAt)
    expect(entries.reduce((sum, entry) => sum + entry.micro, 0)).toBe(billed ?? podCost(pod, pod.goneAt!))
    expect(entries.every(entry => entry.micro >= 0)).toBe(true)
  }
})

test('what a silent attempt cost is stuck from its last sign of life on, if it was warned of', () => {
  const told = story().run().jobs('a', 'b').pod('pod-0001')
  const silent = (jobId: string, ms: number) => {
    const since = told.now
    told.wait(ms)
    told.tell({
      type: 'attempt.stuck_warned',
      jobKey: keyOf(jobId),
      attempt: 1,
      since,
      silent: ['message'],
      reason: '',
    })
    told.wait(ms)
  }
  told.start('a', 'pod-0001').wait(1000)
  silent('a', 300_000)
  told.tell({ type: 'attempt.stuck_cleared', jobKey: keyOf('a'), attempt: 1 }).wait(2000)
  told.tell({ type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 1 })
  told.start('b', 'pod-0001').wait(4000)
  silent('b', 300_000)
  told.fail('b', 'transient', 'attempt_stuck')
  const entries = ledger(told.fleet, told.now)
  expect(entries.map(({ cause, from, to }) => [cause, to - from])).toEqual([
    ['render', 1000],
    ['stuck', 600_000],
    ['render', 2000],
    ['failed', 4000],
    ['stuck', 600_000],
  ])
  expect(entries.reduce((sum, { micro }) => sum + micro, 0)).toBe(podCost(told.fleet.pods.get('pod-0001')!, told.now))
})

test('lives are good until the next event, and after it the sum still is', () => {
  const told = story()
  told.run()
  told.jobs('job-1')
  const runId = told.fleet.runs.keys().next().value!
  told.tell({ type: 'pod.requested', podId: 'pod-0001', runId, name: 'n', offer: offerOf({ perHour: 490_000 }) })
  // Of the very moment of an event, too, when what it began has lasted for no time yet.
  told.tell({ type: 'pod.created', podId: 'pod-0001', ref: 'ref-1', perHour: 490_000 })
  const lives = livesOf(told.fleet)
  told.wait(3_337)
  expect(entriesOf(lives, told.now)).toEqual(ledger(told.fleet, told.now))
  expect(entriesOf(lives, told.now).map(entry => entry.cause)).toEqual(['boot'])
  told.tell({ type: 'pod.ready', podId: 'pod-0001' })
  told.wait(50)
  told.tell({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'done' })
  told.wait(1_999)
  told.tell({ type: 'pod.gone', podId: 'pod-0001', billedUntil: told.fleet.at })
  told.wait(60_000)
  const sum = (entries: readonly { micro: number }[]) => entries.reduce((micro, entry) => micro + entry.micro, 0)
  expect(sum(entriesOf(lives, told.now))).toBe(podCost(told.fleet.pods.get('pod-0001')!, told.now))
  expect(sum(ledger(told.fleet, told.now))).toBe(sum(entriesOf(lives, told.now)))
})
