// Paths as words of sh.
import { Fault } from '../../domain/fault.ts'

/** One word of sh, whatever is in it: spaces, quotes, `$(x)`, newlines. */
export const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/** A path that no program takes for an option, quoted. Fault job `path_invalid` for what no file can be called. */
export function quotePath(path: string): string {
  if (path === '' || path.includes('\0'))
    throw new Fault({ kind: 'job', code: 'path_invalid', message: `${JSON.stringify(path)} is not a path` })
  return quote(path.startsWith('-') ? `./${path}` : path)
}
