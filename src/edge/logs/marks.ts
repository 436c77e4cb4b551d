// Which lines of a log mean trouble, and what to do about it: config/error-patterns.json, read once and tried line by line.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ErrorPatterns, errorPatternsFile } from '../../wire/files-patterns.ts'
import { packageDir } from '../config.ts'

export type Mark = { code: string; title: string; hint: string }

/** A screen asks for the same lines in every frame; two screens full of them. */
const KNOWN_MAX = 500
/** The words of an error stand near the start of its line; the trace keeps no more of a line either. */
const LOOK_CHARS = 4000

/** Tells what a cleaned line means, null for most. Throws when the file that we ship does not fit its schema. */
export function openMarks(): (text: string) => Mark | null {
  const path = join(packageDir, 'config/error-patterns.json')
  return marksOf(errorPatternsFile.parse(JSON.parse(readFileSync(path, 'utf8'))))
}

export function marksOf({ patterns }: ErrorPatterns): (text: string) => Mark | null {
  const tries = patterns.map(({ pattern, code, title, hint }) => ({
    fits: new RegExp(pattern),
    mark: { code, title, hint },
  }))
  const known = new Map<string, Mark | null>()
  return text => {
    const part = text.slice(0, LOOK_CHARS)
    const before = known.get(part)
    if (before !== undefined) return before
    const mark = tries.find(({ fits }) => fits.test(part))?.mark ?? null
    if (known.size >= KNOWN_MAX) known.clear()
    known.set(part, mark)
    return mark
  }
}
