// PATH… of the command line → job files: a file, a folder of them (not below it), or a glob; each once, in natural order.
import { glob, readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Flaw, shownPath, whyUnreadable } from './jobdir-read.ts'

// More is a mistake (a glob over node_modules), not a batch.
const filesMax = 10_000

/** `job-2` before `job-10`. */
const natural = new Intl.Collator('en', { numeric: true })

/** Settings may lie in the folder of the jobs; only who names that file means it as a job. */
function isJson(name: string): boolean {
  return name.toLowerCase().endsWith('.json') && !name.startsWith('.') && name !== 'autopod.json'
}

/** Absolute paths of the files, and what is wrong with a PATH. @param from folder that relative PATHs start at */
export async function jobPaths(paths: string[], from: string): Promise<{ files: string[]; flaws: Flaw[] }> {
  const files = new Set<string>()
  const flaws: Flaw[] = []
  const say = (file: string, what: string, remedy: string) => flaws.push({ file, place: '', what, remedy })
  for (const path of paths) {
    if (path === '' || path.includes('\0')) {
      say(JSON.stringify(path), 'is not a path', 'Name a job file, a folder of them, or a glob.')
      continue
    }
    const whole = resolve(from, path)
    const info = await stat(whole).catch((error: unknown) => whyUnreadable(error))
    if (typeof info !== 'string' && !info.isDirectory()) {
      files.add(whole)
    } else if (typeof info !== 'string') {
      const names = await readdir(whole).catch((error: unknown) => whyUnreadable(error))
      if (typeof names === 'string') say(shownPath(whole, from), names, 'Make the folder readable.')
      else if (!names.some(isJson)) {
        say(
          shownPath(whole, from),
          'is a folder without job files (*.json)',
          'Name the folder that holds the job files.',
        )
      } else for (const name of names.filter(isJson).sort(natural.compare)) files.add(join(whole, name))
    } else if (/[*?[{]/.test(path)) {
      const found: string[] = []
      for await (const name of glob(path, { cwd: from })) {
        if (found.length > filesMax) break
        if (isJson(name.split(/[\\/]/).at(-1) ?? '')) found.push(resolve(from, name))
      }
      if (found.length === 0)
        say(path, 'matches no job file (*.json)', 'Correct the pattern, and quote it for the shell.')
      for (const name of found.sort(natural.compare)) files.add(name)
    } else say(path, info, 'Name a job file, a folder of them, or a glob.')
  }
  if (files.size > filesMax) say(paths.join(' '), `is more than ${filesMax} files`, 'Run them in smaller folders.')
  return { files: files.size > filesMax ? [] : [...files], flaws }
}
