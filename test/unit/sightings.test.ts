// Who waits for a listing gets one that was asked for after the question, and nothing older.
import { expect, test } from 'vitest'
import { createSightings } from '../../src/engine/sightings.ts'

function at(now: number) {
  const clock = { now: () => now, sleep: async () => {}, uuid: () => '' }
  const told: (number | null)[] = []
  const sightings = createSightings(clock)
  const signal = new AbortController()
  const next = sightings.next('sim', signal.signal).then(sighting => told.push(sighting?.askedAt ?? null))
  return { sightings, told, next, abort: () => signal.abort('over') }
}

// In simulated worlds the settling time and the direct look hide this mistake: it takes a third one to cost anything.
test('a listing that was asked for before the question is not taken for an answer', async () => {
  const { sightings, told, next } = at(1000)
  sightings.tell('sim', { rows: new Map(), askedAt: 999 })
  sightings.tell('other', { rows: new Map(), askedAt: 1001 })
  sightings.tell('sim', { rows: new Map(), askedAt: 1000 })
  await next
  expect(told).toEqual([1000])
})

test('who no longer wants a listing gets none', async () => {
  const { sightings, told, next, abort } = at(1000)
  abort()
  await next
  sightings.tell('sim', { rows: new Map(), askedAt: 2000 })
  expect(told).toEqual([null])
})

test('a listing is owed until one of the same provider was asked for late enough', () => {
  const { sightings } = at(1000)
  sightings.owe('sim', 3000)
  sightings.owe('sim', 2000)
  for (const [provider, askedAt] of [
    ['sim', 2999],
    ['other', 3000],
  ] as const)
    sightings.tell(provider, { rows: new Map(), askedAt })
  expect(sightings.isOwed('sim')).toBe(true)
  sightings.tell('sim', { rows: new Map(), askedAt: 3000 })
  expect(sightings.isOwed('sim')).toBe(false)
})
