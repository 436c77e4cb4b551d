// Keys that an object of a JSON text has twice.
import { expect, test } from 'vitest'
import { doubledKey } from '../../src/domain/json-keys.ts'

test('a key that one object has twice is found with its line, however it is written', () => {
  expect(doubledKey('{"a": 1,\n "b": {"c": [], "d": 2},\n "a": 3}')).toEqual({ key: 'a', line: 3 })
  expect(doubledKey('[{"x": {"y": 1, "\\u0079": 2}}]')).toEqual({ key: 'y', line: 1 })
  expect(doubledKey('{"a": [{"b": 1}, "b", {"b": 2, "c": "}", "b": 1}]}')).toEqual({ key: 'b', line: 1 })
})

test('the same key in two objects, and the same text as a value, are none', () => {
  for (const text of [
    '{"a": "a", "b": ["a", "a", {"a": 1}], "c": {"a": 2}}',
    '{"a": "\\"a\\": {", "b": ",", "": 1, " ": 2}',
    '["a", "a"]',
    '"a"',
    `{"a": "${'x\\\\'.repeat(1_000_000)}"}`,
  ])
    expect(doubledKey(text)).toBeNull()
})
