// The lease on a pod as rules: its terms, and what becomes of an attempt whose pod ended itself.
import { describe, expect, test } from 'vitest'
import { effects } from '../../src/domain/effect.ts'
import { takeOver, termsOf } from '../../src/domain/lease.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { podOf } from '../../src/domain/lookup.ts'
import { keyOf, story } from './fleet-story.ts'

const HOUR = 3_600_000
const vanished = { kind: 'pod', code: 'pod_vanished', message: 'gone' } as const
const artifact = { name: 'image', nodeId: '9', file: 'x.png', index: 0, key: 'out/x.png', sha256: 'a', bytes: 1 }

describe('the terms of a lease', () => {
  const terms = (policy: Parameters<ReturnType<typeof story>['run']>[0]) => {
    const { fleet } = story().run(policy).jobs('a').pod('pod-0001')
    return termsOf(fleet, podOf(fleet, 'pod-0001'), DEFAULT_LIMITS)
  }

  test('are ten minutes and a day; a run with a limit of time leaves a pod no longer than that and a lease', () => {
    expect(terms({})).toEqual({ leaseMs: HOUR / 6, deadlineMs: 24 * HOUR })
    expect(terms({ timeoutMs: HOUR })).toEqual({ leaseMs: HOUR / 6, deadlineMs: HOUR + HOUR / 6 })
    expect(terms({ timeoutMs: 100 * HOUR }).deadlineMs).toBe(24 * HOUR)
  })

  test('are the deadline alone for a pod that is to be kept', () => {
    expect(terms({ keep: true, timeoutMs: HOUR })).toEqual({ leaseMs: 24 * HOUR, deadlineMs: 24 * HOUR })
  })
})

describe('an attempt whose pod broke', () => {
  const broken = () => {
    const told = story().run().jobs('a').pod('pod-0001').start('a', 'pod-0001')
    told.tell({ type: 'pod.broken', podId: 'pod-0001', fault: vanished })
    return told
  }

  test('is looked for in the bucket before anything else, and only once', () => {
    const told = broken()
    expect(effects(told.fleet).map(({ kind }) => kind)).toEqual(['watch', 'salvage'])
    told.tell({ type: 'pod.farewell_read', podId: 'pod-0001', reason: null, adopted: false })
    expect(effects(told.fleet).map(({ kind }) => kind)).toEqual(['watch', 'run'])
    expect(takeOver(told.fleet, keyOf('a'), 'pod-0001', { reason: 'lease', artifacts: [artifact] })).toEqual([])
  })

  test('succeeds with the outputs that were saved; those that were stored before are not told again', () => {
    const told = broken()
    told.tell({ type: 'artifact.stored', jobKey: keyOf('a'), attempt: 1, artifact })
    const other = { ...artifact, key: 'out/y.png' }
    const facts = takeOver(told.fleet, keyOf('a'), 'pod-0001', { reason: 'lease', artifacts: [artifact, other] })
    expect(facts).toEqual([
      { type: 'pod.farewell_read', podId: 'pod-0001', reason: 'lease', adopted: true },
      { type: 'artifact.stored', jobKey: keyOf('a'), attempt: 1, artifact: other },
      { type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 1 },
    ])
  })

  test('is given up with its pod when nothing was saved', () => {
    expect(takeOver(broken().fleet, keyOf('a'), 'pod-0001', { reason: null, artifacts: null })).toEqual([
      { type: 'pod.farewell_read', podId: 'pod-0001', reason: null, adopted: false },
    ])
  })
})
