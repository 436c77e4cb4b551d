// What must be under way, read off the journal alone: a start is just another tick.
import { describe, expect, test } from 'vitest'
import { effectKey, effects } from '../../src/domain/effect.ts'
import { keyOf, type Story, story } from './fleet-story.ts'

const keys = (told: Story) => effects(told.fleet).map(effectKey)
const broken = { type: 'pod.broken', podId: 'p', fault: { kind: 'pod', code: 'x', message: 'x' } } as const

describe('a pod', () => {
  const states: [string, () => Story, string[]][] = [
    ['that is only wished for is created', () => story().run().pod('p', 'requested'), ['create:p']],
    ['that boots is tended', () => story().run().pod('p', 'booting'), ['tend:p']],
    ['that is ready is tended', () => story().run().pod('p'), ['tend:p']],
    ['that broke is left alone until it is released', () => story().run().pod('p').tell(broken), []],
    [
      'that is released is released',
      () => story().run().pod('p').tell({ type: 'pod.release_requested', podId: 'p', cause: 'x' }),
      ['release:p'],
    ],
    [
      'that is released before it is known to exist must first be found',
      () => story().run().pod('p', 'requested').tell({ type: 'pod.release_requested', podId: 'p', cause: 'x' }),
      ['create:p'],
    ],
    [
      'that is being stopped is stopped',
      () => story().run().pod('p').tell({ type: 'pod.stop_requested', podId: 'p' }),
      ['stop:p'],
    ],
  ]
  test.each(states)('%s', (_, told, wanted) => expect(keys(told())).toEqual(['watch:cloud', ...wanted]))

  test('that is gone or was refused needs nothing, not even a watch', () => {
    const told = story().run().pod('p').pod('q', 'requested').tell({ type: 'pod.gone', podId: 'p', billedUntil: 0 })
    told.tell({ type: 'pod.refused', podId: 'q', fault: { kind: 'capacity', code: 'x', message: 'x' } })
    expect(keys(told)).toEqual([])
  })

  test('shares one watch with all pods of its provider', () => {
    expect(keys(story().run().pod('p').pod('q')).filter(key => key.startsWith('watch'))).toEqual(['watch:cloud'])
  })
})

describe('a job', () => {
  const running = () => story().run().jobs('a').pod('p').start('a', 'p')
  const ofJob = (told: Story) => effects(told.fleet).filter(effect => 'jobKey' in effect)

  test('at work runs, and is told when it is to be cancelled, under the same key', () => {
    const told = running()
    const before = ofJob(told)
    told.tell({ type: 'job.cancel_requested', jobKey: keyOf('a') })
    expect(ofJob(told)).toEqual([{ kind: 'run', jobKey: keyOf('a'), attempt: 1, podId: 'p', cancel: true }])
    expect(ofJob(told).map(effectKey)).toEqual(before.map(effectKey))
  })

  test('whose attempt succeeded is published', () => {
    const told = running().tell({ type: 'attempt.succeeded', jobKey: keyOf('a'), attempt: 1 })
    expect(ofJob(told)).toEqual([{ kind: 'publish', jobKey: keyOf('a') }])
    told.tell({ type: 'job.completed', jobKey: keyOf('a'), published: [] })
    expect(ofJob(told)).toEqual([])
  })

  test('that waits needs nothing', () => {
    expect(ofJob(running().fail('a', 'transient'))).toEqual([])
  })
})
