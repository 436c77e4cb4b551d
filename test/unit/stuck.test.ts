// When an attempt counts as stuck, and what is due then.
import { describe, expect, test } from 'vitest'
import type { Attempt, Job } from '../../src/domain/job.ts'
import { DEFAULT_LIMITS } from '../../src/domain/limits.ts'
import { due, evidence, firstSigns, giveUpStuck, quietSince, type Signs, shifted } from '../../src/domain/stuck.ts'
import { keyOf, type Story, story } from './fleet-story.ts'

const MINUTE = 60_000
const jobKey = keyOf('a')
const at = { jobKey, attempt: 1 }

const begun = () => story().run().jobs('a').pod('pod-1').start('a', 'pod-1')
const jobOf = ({ fleet }: Story) => fleet.jobs.get(jobKey) as Job
const attemptOf = (told: Story) => jobOf(told).attempts.at(-1) as Attempt
const dueNow = (told: Story, signs: Signs) => due(jobOf(told), attemptOf(told), signs, told.now, DEFAULT_LIMITS)

/** Signs that were last seen so many minutes ago; null: cannot be seen. */
function ago({ now }: Story, minutes: Record<keyof Signs, number | null>): Signs {
  const at = (sign: keyof Signs) => (minutes[sign] === null ? null : now - minutes[sign] * MINUTE)
  return { message: at('message'), gpu: at('gpu'), log: at('log'), file: at('file') }
}

/** Warned five minutes ago, silent for as long as `minutes` says. */
function warned(silentFor: number): { told: Story; signs: Signs } {
  const told = begun()
  told.tell({
    type: 'attempt.stuck_warned',
    ...at,
    since: told.now,
    silent: ['message', 'gpu', 'log', 'file'],
    reason: '',
  })
  told.wait(silentFor * MINUTE)
  return { told, signs: ago(told, { message: silentFor, gpu: silentFor, log: silentFor, file: silentFor }) }
}

describe('a silent attempt', () => {
  test('is warned of after five minutes, with what is silent and since when', () => {
    const told = begun().wait(20 * MINUTE)
    expect(dueNow(told, ago(told, { message: 4.9, gpu: 9, log: 9, file: 9 }))).toBeNull()
    expect(dueNow(told, ago(told, { message: 6, gpu: 7, log: 8, file: 9 }))).toEqual({
      kind: 'warn',
      since: told.now - 6 * MINUTE,
      silent: ['message', 'gpu', 'log', 'file'],
    })
  })

  test('is warned of when three signs of four are silent', () => {
    const told = begun().wait(20 * MINUTE)
    expect(dueNow(told, ago(told, { message: 6, gpu: 0, log: 8, file: 9 }))).toMatchObject({
      kind: 'warn',
      silent: ['message', 'log', 'file'],
    })
    expect(dueNow(told, ago(told, { message: 6, gpu: 0, log: 0, file: 9 }))).toBeNull()
  })

  test('that reports progress is left alone, however silent all else is', () => {
    const told = begun().wait(60 * MINUTE)
    expect(dueNow(told, ago(told, { message: 1, gpu: 60, log: 60, file: 60 }))).toBeNull()
  })

  test('of whose GPU nothing is known must be silent in all other ways', () => {
    const told = begun().wait(60 * MINUTE)
    expect(dueNow(told, ago(told, { message: 6, gpu: null, log: 6, file: 6 }))?.kind).toBe('warn')
    expect(dueNow(told, ago(told, { message: 6, gpu: null, log: 1, file: 6 }))).toBeNull()
  })

  test('of which fewer than three signs can be seen is never called stuck', () => {
    const told = begun().wait(60 * MINUTE)
    expect(quietSince(ago(told, { message: 60, gpu: null, log: null, file: 60 }))).toBeNull()
    expect(dueNow(told, ago(told, { message: 60, gpu: null, log: null, file: 60 }))).toBeNull()
  })
})

describe('a warned attempt', () => {
  test('that shows life again is no longer called stuck', () => {
    const { told, signs } = warned(6)
    expect(dueNow(told, { ...signs, message: told.now })).toEqual({ kind: 'clear' })
  })

  test('is acted upon after ten minutes, and not before', () => {
    const early = warned(9.9)
    expect(dueNow(early.told, early.signs)).toBeNull()
    const late = warned(10)
    expect(dueNow(late.told, late.signs)).toMatchObject({ kind: 'step', step: 'interrupt' })
  })

  test('whose GPU works is given half an hour', () => {
    const early = warned(29)
    expect(dueNow(early.told, { ...early.signs, gpu: early.told.now })).toBeNull()
    const late = warned(30)
    expect(dueNow(late.told, { ...late.signs, gpu: late.told.now })).toMatchObject({ kind: 'step' })
  })

  test('is left alone for ten more minutes when a person wants to wait', () => {
    const { told, signs } = warned(9)
    told.tell({ type: 'attempt.wait_requested', ...at }).wait(9 * MINUTE)
    expect(dueNow(told, signs)).toBeNull()
    told.wait(MINUTE)
    expect(dueNow(told, signs)).toMatchObject({ kind: 'step' })
  })

  test('whose GPU nobody sees is given half an hour, too', () => {
    const early = warned(29)
    expect(dueNow(early.told, { ...early.signs, gpu: null })).toBeNull()
    const late = warned(30)
    expect(dueNow(late.told, { ...late.signs, gpu: null })).toMatchObject({ kind: 'step' })
  })

  test('that was interrupted before its engine died has ComfyUI started anew, then leaves the pod', () => {
    const { told, signs } = warned(10)
    told.tell({ type: 'attempt.stuck_step', ...at, step: 'interrupt', reason: '' })
    expect(dueNow(told, signs)).toMatchObject({ step: 'restart' })
    told.tell({ type: 'attempt.stuck_step', ...at, step: 'restart', reason: '' })
    expect(dueNow(told, signs)).toMatchObject({ step: 'new_pod' })
  })

  test('for which the last step is taken is over, and so is its pod, whoever took it', () => {
    const { told } = warned(11)
    told.tell({ type: 'attempt.stuck_step', ...at, step: 'restart', reason: '' })
    expect(giveUpStuck(told.fleet)).toEqual([])
    told.tell({ type: 'attempt.stuck_step', ...at, step: 'new_pod', reason: '' })
    const fault = { kind: 'pod', code: 'attempt_stuck', message: 'a was stuck on pod-1, and nothing helped' }
    expect(giveUpStuck(told.fleet)).toEqual([
      { type: 'attempt.failed', ...at, fault },
      { type: 'pod.broken', podId: 'pod-1', fault },
    ])
    told.tell(...giveUpStuck(told.fleet))
    expect(giveUpStuck(told.fleet)).toEqual([])
  })

  test('that was stuck on the same pod before leaves it at once', () => {
    const told = begun().fail('a', 'transient', 'attempt_stuck').start('a', 'pod-1')
    told.tell({ type: 'attempt.stuck_warned', jobKey, attempt: 2, since: told.now, silent: ['message'], reason: '' })
    told.wait(10 * MINUTE)
    expect(dueNow(told, ago(told, { message: 10, gpu: 10, log: 10, file: 10 }))).toMatchObject({ step: 'new_pod' })
  })
})

describe('time', () => {
  test('in which nobody looked is nobody’s silence', () => {
    const told = begun().wait(20 * MINUTE)
    const signs = ago(told, { message: 20, gpu: null, log: 20, file: 20 })
    expect(dueNow(told, signs)).toMatchObject({ kind: 'warn' })
    expect(dueNow(told, shifted(signs, 16 * MINUTE))).toBeNull()
  })

  test('begins anew with a new engine, but for what the one before had seen silent', () => {
    const told = begun().wait(MINUTE)
    expect(quietSince({ ...firstSigns(attemptOf(told), told.now, DEFAULT_LIMITS), gpu: told.now })).toBe(told.now)
    const { told: later } = warned(8)
    const signs = { ...firstSigns(attemptOf(later), later.now, DEFAULT_LIMITS), gpu: null }
    expect(quietSince(signs)).toBe(later.now - DEFAULT_LIMITS.stuckWarnMs)
    expect(dueNow(later, signs)).toBeNull()
  })
})

test('the evidence is told in words, with the GPU’s figure where there is one', () => {
  expect(evidence(['message', 'gpu', 'log', 'file'], 362_000, 0)).toBe(
    'no message for 6:02, GPU 0 %, no log line, no file',
  )
  expect(evidence(['message', 'log', 'file'], 362_000, 98)).toBe('no message for 6:02, GPU 98 %, no log line, no file')
  expect(evidence(['message', 'log', 'file'], 362_000, null)).toBe('no message for 6:02, no log line, no file')
})
