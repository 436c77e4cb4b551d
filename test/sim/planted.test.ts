// Mistakes on purpose: do the simulated worlds notice? A few here; `npm run sim:planted` hunts all of them.
import { describe, expect, test } from 'vitest'
import { MUTANTS } from './mutants.ts'
import { hunt, plant } from './planted.ts'

/** The cheap ones of different kinds: order of intent and effect, sweep, meter, cancel, files. */
const FEW = [
  'a pod is rented before the journal knows of it',
  'a pod is destroyed only once',
  'the meter starts when the pod is made',
  'a cancel is not waited for',
  'an attempt is submitted again after a restart',
  'jobs start although 90 % of the money is spent',
]

describe('planted mistakes', () => {
  test.each(FEW)('%s: a world notices', async name => {
    const mutant = MUTANTS.find(known => known.name === name)
    if (!mutant) throw new Error(`no mistake ${name}`)
    expect((await hunt(mutant)).seed).not.toBeNull()
  })

  test('each can still be planted: its text occurs exactly once', () => {
    for (const mutant of MUTANTS) expect(() => plant(mutant)).not.toThrow()
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length)
    expect(MUTANTS.length).toBeGreaterThanOrEqual(15)
  })
})
