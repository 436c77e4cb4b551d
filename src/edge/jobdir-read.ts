// Reads one JSON file of a user and says what is wrong with it as file, place and remedy; used for job files and templates.
import { readFile, stat } from 'node:fs/promises'
import { isAbsolute, relative } from 'node:path'
import type * as z from 'zod'
import { Fault } from '../domain/fault.ts'
import { doubledKey } from '../domain/json-keys.ts'
import { jsonFault } from '../domain/json-place.ts'
import { didYouMean } from '../domain/nearest.ts'
import { issueWords, valueAt } from '../wire/issue-words.ts'

/** One thing that is wrong with one file. */
export type Flaw = { file: string; place: string; what: string; remedy: string }

/** The file is there, and is not what it should be. Carries every flaw found, at least one. */
export type Read<T> = { value: T } | { flaws: Flaw[] }

// A workflow of 650 nodes is 0.4 MB; more than this is a picture or a model with a wrong name.
const bytesMax = 5_000_000

export function flawLine(flaw: Flaw): string {
  // A line break in a file's name would read as a second problem.
  return [flaw.file, flaw.place, flaw.what]
    .filter(part => part !== '')
    .join(': ')
    .replace(/[\r\n]+/g, '␤')
}

/** Of kind job; flaws: at least one. The hint is the remedy of the first. */
export function flawsFault(code: string, flaws: Flaw[]): Fault {
  // A template that ten jobs use is wrong once.
  const lines = [...new Set(flaws.map(flawLine))]
  return new Fault({ kind: 'job', code, message: lines.join('\n'), hint: flaws[0]?.remedy ?? '' })
}

/** The path as the user would write it: relative where it lies below the folder of the command. */
export function shownPath(path: string, cwd: string): string {
  const inside = relative(cwd, path)
  return inside !== '' && !inside.startsWith('..') && !isAbsolute(inside) ? inside : path
}

/** `EACCES` and its like, in words. */
export function whyUnreadable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist'
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read (permission denied)'
  if (code === 'EISDIR') return 'is a folder'
  if (code === 'ENAMETOOLONG') return 'has a name that is too long'
  if (code === 'ELOOP') return 'is a link that leads to itself'
  return `cannot be read (${code ?? String(error)})`
}

function syntaxFlaw(file: string, text: string, error: unknown): Flaw {
  const { line, column, what } = jsonFault(text, error)
  return {
    file,
    place: `line ${line} column ${column}`,
    what: `is not valid JSON: ${what}`,
    remedy: 'Correct the syntax (a comma, a quote, a bracket).',
  }
}

/** Parsed contents; a byte order mark is let pass. */
export async function readJson(path: string, cwd: string): Promise<Read<unknown>> {
  const file = shownPath(path, cwd)
  const flaw = (what: string, remedy: string) => ({ flaws: [{ file, place: '', what, remedy }] })
  let bytes: Buffer
  try {
    const info = await stat(path)
    if (!info.isFile()) return flaw('is not a file', 'Name a .json file.')
    if (info.size > bytesMax) {
      return flaw(
        `is too large for a job file or template (${info.size} bytes, limit ${bytesMax})`,
        'Name a .json file.',
      )
    }
    bytes = await readFile(path)
  } catch (error) {
    return flaw(whyUnreadable(error), 'Correct the path.')
  }
  let text: string
  try {
    // Takes a UTF-8 byte order mark away by itself.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return flaw('is not UTF-8 text', 'Save the file as UTF-8.')
  }
  if (text.trim() === '') return flaw('is empty', 'Write a job into it; `autopod schema job` shows the format.')
  try {
    let isOdd = false
    const value: unknown = JSON.parse(text, (key, item: unknown) => {
      isOdd ||= key === '__proto__'
      return item
    })
    // zod would pass over it without a word.
    if (isOdd) return flaw('has a key "__proto__"', 'Rename it.')
    const twice = doubledKey(text)
    if (twice === null) return { value }
    const what = `has the key ${JSON.stringify(twice.key)} twice in one object`
    return { flaws: [{ file, place: `line ${twice.line}`, what, remedy: 'Keep one of the two.' }] }
  } catch (error) {
    return { flaws: [syntaxFlaw(file, text, error)] }
  }
}

/** `pod_config.gpu_type[0]`; a node id or a name that is no plain word is quoted. */
export function jsonPlace(path: PropertyKey[]): string {
  return path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`
      const word = String(key)
      if (!/^[\w$-]+$/.test(word)) return `[${JSON.stringify(word)}]`
      return index === 0 ? word : `.${word}`
    })
    .join('')
}

/** What a schema found, in the user's words. `keys` are the known keys at each object's place. */
export function schemaFlaws(
  file: string,
  raw: unknown,
  issues: readonly z.core.$ZodIssue[],
  keys: Record<string, string[]>,
): Flaw[] {
  return issues.flatMap((issue): Flaw[] => {
    const place = jsonPlace(issue.path)
    if (issue.code === 'unrecognized_keys') {
      const known = keys[place] ?? []
      return issue.keys.map(key => ({
        file,
        place: jsonPlace([...issue.path, key]),
        what: `is not a known key${didYouMean(key, known)}`,
        remedy: known.length > 0 ? `Known keys here: ${known.join(', ')}.` : 'Remove it.',
      }))
    }
    const value = valueAt(raw, issue.path)
    if (issue.code === 'invalid_key') {
      const why = issue.issues[0]?.message ?? 'is not allowed'
      return [{ file, place, what: `is not a name that can be used here: ${why}`, remedy: 'Rename it.' }]
    }
    if (value === undefined) return [{ file, place, what: 'is missing', remedy: `Add "${place}".` }]
    return [{ file, place, what: issueWords(issue, value), remedy: `Correct "${place || 'the file'}".` }]
  })
}
