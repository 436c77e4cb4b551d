// Where a user's JSON is wrong: the place itself, whatever the parser tells of it.
import { expect, test } from 'vitest'
import { jsonFault } from '../../src/domain/json-place.ts'

test.each([
  ['{\n  "a": 1,\n  "b": {\n    "c": NaN\n  },\n  "d": "long enough to be cut by the parser, and more"\n}\n', 4, 10],
  ['// a comment\n{ "a": 1 }\n', 1, 1],
  [`{ "a": 1, // a comment\n${'  "b": "some text",\n'.repeat(20)}  "c": 2 }`, 1, 11],
  ['{\n  "a": [1, 2,],\n  "b": 1\n}', 2, 14],
  ['{\n  "a": 1,\n}', 3, 1],
  ["{\n  'a': 1\n}", 2, 3],
  ['{ "a": \'b\' }', 1, 8],
  ['{ "a": nulx }', 1, 11],
  ['{ "a": undefined }', 1, 8],
  ['undefined', 1, 1],
  ['{ "a": 1 } {', 1, 12],
  ['{ "a": "bä€😀", "b": x }', 1, 22],
  ['{ "a": 1', 1, 9],
  ['{ "a": ', 1, 8],
])('%j is wrong at line %i column %i', (text, line, column) => {
  let told: unknown = null
  try {
    JSON.parse(text)
  } catch (error) {
    told = jsonFault(text, error)
  }
  expect(told).toMatchObject({ line, column, what: expect.stringMatching(/^[A-Z]\w+ [^"]*$/) })
})
