// What the end of an executor's work means for its attempt and its pod.
import { describe, expect, test } from 'vitest'
import { abandon, endOf } from '../../src/domain/attempt-end.ts'
import type { FaultData } from '../../src/domain/fault.ts'
import { keyOf, story } from './fleet-story.ts'

const jobKey = keyOf('a')
const at = { jobKey, attempt: 1 }
const running = () => story().run().jobs('a').pod('pod-1').start('a', 'pod-1')
const fault = (kind: FaultData['kind'], code: string): FaultData => ({ kind, code, message: code })
const end = (kind: FaultData['kind'], code: string, isCancelled = false, told = running()) =>
  endOf(told.fleet, jobKey, { ok: false, fault: fault(kind, code) }, isCancelled)

describe('an attempt', () => {
  test('that was done has succeeded, unless it was cancelled', () => {
    expect(endOf(running().fleet, jobKey, { ok: true }, false)).toEqual([{ type: 'attempt.succeeded', ...at }])
    expect(endOf(running().fleet, jobKey, { ok: true }, true)).toEqual([{ type: 'attempt.cancelled', ...at }])
  })

  test('that failed takes its pod along when the pod is at fault, and calls a person when one is needed', () => {
    expect(end('job', 'node_failed')?.map(({ type }) => type)).toEqual(['attempt.failed'])
    expect(end('pod', 'cuda_error')).toEqual([
      { type: 'attempt.failed', ...at, fault: fault('pod', 'cuda_error') },
      { type: 'pod.broken', podId: 'pod-1', fault: fault('pod', 'cuda_error') },
    ])
    expect(end('operator', 'bucket_key_refused')?.at(-1)).toMatchObject({ type: 'operator.needed', provider: 'cloud' })
  })

  test('whose connection was lost goes on', () => {
    expect(end('pod', 'connection_lost')).toBeNull()
    expect(end('pod', 'connection_lost', true)).toBeNull()
  })

  test('that was cancelled and could not be stopped gives up its pod, for nobody may be put beside it', () => {
    expect(end('transient', 'cancelled', true)).toEqual([{ type: 'attempt.cancelled', ...at }])
    const given = [
      { type: 'attempt.cancelled', ...at },
      { type: 'pod.broken', podId: 'pod-1', fault: fault('pod', 'cancel_ignored') },
    ]
    expect(end('pod', 'cancel_ignored', true)).toEqual(given)
    expect(abandon(running().fleet, jobKey, fault('transient', 'cancel_ignored'))).toEqual(given)
  })

  test('that an engine had interrupted as stuck before it died is tried again', () => {
    const told = running()
    told.tell({ type: 'attempt.stuck_warned', ...at, since: told.now, silent: ['message'], reason: '' })
    told.tell({ type: 'attempt.stuck_step', ...at, step: 'interrupt', reason: '' })
    expect(end('job', 'interrupted', false, told)).toMatchObject([
      { type: 'attempt.failed', fault: { kind: 'transient', code: 'attempt_stuck' } },
    ])
    expect(end('job', 'interrupted')).toMatchObject([{ fault: { kind: 'job', code: 'interrupted' } }])
  })

  test('that ended otherwise a moment ago is left as it is', () => {
    expect(end('job', 'node_failed', false, running().fail('a', 'transient'))).toEqual([])
  })
})
