// What a schema found wrong, in the words of a user: what is allowed there, and what was given.
import type * as z from 'zod'

const KINDS: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
}

/** Messages of zod's own (4.6); those of our schemas are in a user's words already. */
const OF_ZOD = /^(Invalid|Too (small|big)|Unrecognized)\b/

/** The end of a sentence that begins with the place. Text is quoted only where no key is expected. @param given what lies at `issue.path` */
export function issueWords(issue: z.core.$ZodIssue, given: unknown): string {
  if (!OF_ZOD.test(issue.message)) return issue.message
  switch (issue.code) {
    case 'invalid_type': {
      const isPlain = ['number', 'int', 'boolean'].includes(issue.expected) && typeof given === 'string'
      return `must be ${KINDS[issue.expected] ?? `a ${issue.expected}`}, not ${isPlain ? `text ${quoted(given)}` : kindOf(given)}`
    }
    case 'too_small':
      if (issue.origin === 'string') return given === '' ? 'must not be empty' : `must have ${issue.minimum} characters`
      if (issue.origin === 'array' || issue.origin === 'set') return `must have ${count(issue.minimum)} at least`
      return `must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}, not ${kindOf(given)}`
    case 'too_big':
      if (issue.origin === 'string') return `is longer than ${issue.maximum} characters`
      if (issue.origin === 'array' || issue.origin === 'set') return `must have ${count(issue.maximum)} at most`
      return `must be ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}, not ${kindOf(given)}`
    case 'invalid_value':
      return `must be ${issue.values.map(value => String(value)).join(' or ')}, not ${typeof given === 'string' ? quoted(given) : kindOf(given)}`
    case 'invalid_format':
      return issue.format === 'url' ? 'must be an address such as https://…' : 'is not written as it must be'
    default:
      return `is not what belongs here, but ${kindOf(given)}`
  }
}

export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return typeof value === 'string' ? 'text' : typeof value === 'boolean' ? String(value) : `the number ${value}`
}

/** What lies at a path of an object or list; undefined when nothing does. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value
  for (const key of path) found = (found as Record<PropertyKey, unknown> | null | undefined)?.[key]
  return found
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 39)}…` : text)
}

function count(entries: number | bigint): string {
  return `${entries} ${Number(entries) === 1 ? 'entry' : 'entries'}`
}
