// What a catalogue can never do, and the names it does not know.
import { expect, test } from 'vitest'
import type { Need } from '../../src/domain/placement.ts'
import { impossible, type Kind, unknownKinds } from '../../src/domain/possible.ts'

const kinds: Kind[] = [
  { id: 'NVIDIA GeForce RTX 4090', name: 'RTX 4090', vramGb: 24, countMax: 8 },
  { id: 'NVIDIA H200', name: 'H200', vramGb: 141, countMax: 4 },
]
const need = (more: Partial<Need>): Need => ({
  provider: 'runpod',
  gpuTypes: [],
  gpuCount: 1,
  regions: [],
  cloud: null,
  vramGbMin: 0,
  ...more,
})
const why = (more: Partial<Need>, of = kinds) => impossible(need(more), of)?.message ?? null

test('memory that no card has is told with the most there is, of the types that are wanted', () => {
  expect(impossible(need({ vramGbMin: 500 }), kinds)).toMatchObject({ kind: 'capacity', code: 'gpu_impossible' })
  expect(why({ vramGbMin: 500 })).toBe('no GPU type of runpod has 500 GB; 141 GB is the most')
  expect(why({ vramGbMin: 48, gpuTypes: ['4090'] })).toBe(
    'no GPU type of runpod among 4090 has 48 GB; 24 GB is the most',
  )
  expect(why({ vramGbMin: 141 })).toBeNull()
})

test('more cards than a pod can have are told, counted over types with memory enough', () => {
  expect(why({ gpuCount: 16 })).toBe('no GPU type of runpod has 16 cards in one pod; 8 is the most')
  expect(why({ gpuCount: 8, vramGbMin: 48 })).toBe('no GPU type of runpod has 8 cards in one pod; 4 is the most')
  expect(why({ gpuCount: 8 })).toBeNull()
})

test('where the catalogue does not tell, nothing is said to be impossible', () => {
  const [small, large] = kinds as [Kind, Kind]
  expect(why({ gpuCount: 16 }, [small, { ...large, countMax: null }])).toBeNull()
  expect(why({ gpuCount: 16, gpuTypes: ['Nope'] })).toBeNull()
  expect(why({ gpuCount: 16 }, [])).toBeNull()
})

test('a name of a list that no type has is told with the nearest', () => {
  expect(unknownKinds(need({ gpuTypes: ['RTX 4O90', '4090', 'Nope'] }), kinds)).toEqual([
    '"RTX 4O90" (did you mean "RTX 4090"?)',
    '"Nope"',
  ])
  expect(unknownKinds(need({ gpuTypes: [] }), kinds)).toEqual([])
})
