// Where a job's results go: placeholders filled as far as they are known, and nothing that exists is written over.
import { access, constants, lstat, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { didYouMean } from '../domain/nearest.ts'
import { addressFault, r2Parts } from './jobdir-input.ts'

type Wrong = { what: string; remedy: string }

const known = ['job_id', 'name', 'index', 'ext']

/**
 * Absolute path or `r2://…` with `{job_id}` and `{name}` filled in; `{index}` and `{ext}` stay.
 * @param cwd folder that relative targets start at
 */
export function outputTarget(target: string, name: string, jobId: string, cwd: string): { target: string } | Wrong {
  const wrong = addressFault(target, 'Write a local path, or r2://, the bucket, "/" and the key.')
  if (wrong) return wrong
  for (const match of target.matchAll(/\{([^{}]*)\}/g)) {
    const word = match[1] ?? ''
    if (known.includes(word)) continue
    const remedy = `Known placeholders: ${known.map(each => `{${each}}`).join(', ')}.`
    return { what: `unknown placeholder {${word}}${didYouMean(word, known)}`, remedy }
  }
  const single = /[{}]/.exec(target.replaceAll(/\{[^{}]*\}/g, ''))?.[0]
  if (single !== undefined) {
    const what = `${target} has a "${single}" without its "${single === '{' ? '}' : '{'}"`
    return { what, remedy: 'Write placeholders as {job_id}; other braces cannot be in the path.' }
  }
  const filled = target.replaceAll('{job_id}', jobId).replaceAll('{name}', name)
  const long = tooLong(filled)
  if (long) return long
  if (filled.startsWith('r2://')) return { target: filled }
  const isFolder = /[\\/]$/.test(filled) || /(^|[\\/])\.{1,2}$/.test(filled)
  const path = resolve(cwd, filled)
  if (/\{(index|ext)\}/.test(isFolder ? path : dirname(path))) {
    return {
      what: '{index} and {ext} are only known for the file itself',
      remedy: 'Use them in the last part of the path.',
    }
  }
  // `resolve` takes a trailing slash away; it is what says "folder".
  return { target: isFolder ? join(path, '/') : path }
}

/** A name of 255 bytes is the most that file systems of Linux, macOS and Windows take; a key of 1,024 the most of R2 (docs 2026-08). */
function tooLong(target: string): Wrong | null {
  const shortest = target.replaceAll('{index}', '0').replaceAll('{ext}', '')
  const isKey = target.startsWith('r2://')
  const parts = isKey ? [r2Parts(shortest)?.key ?? ''] : shortest.split('/')
  const bytesMax = isKey ? 1024 : 255
  const longest = Math.max(...parts.map(part => Buffer.byteLength(part)))
  if (longest <= bytesMax) return null
  const what = `${isKey ? 'the key' : 'a name in the path'} would have ${longest} bytes; ${bytesMax} is the most`
  return { what, remedy: 'Choose a shorter name.' }
}

/** What a name or key with {index} or {ext} can become; null for one that is complete. */
export function pattern(name: string): RegExp | null {
  if (!/\{(index|ext)\}/.test(name)) return null
  const source = name.split(/(\{index\}|\{ext\})/).map(part => {
    if (part === '{index}') return '\\d+'
    return part === '{ext}' ? '[A-Za-z0-9]+' : part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  })
  return new RegExp(`^${source.join('')}$`)
}

/** Asked before anything is rented: a result that cannot be put down was paid for nothing. */
async function isWritable(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Another job will have written the target before this one does. */
export function claimFault(target: string, claimed: (target: string) => string | null): Wrong | null {
  const job = claimed(target)
  if (job === null) return null
  const remedy = 'Choose another name, or wait until that job is done; --again replaces what it put there then.'
  return { what: `${target} will be written by ${job}, which is under way, and would be written over`, remedy }
}

export function existsFlaw(place: string): Wrong {
  const remedy = 'Choose another name, or move the file away; --again replaces only what a job of this home put there.'
  return { what: `${place} exists and would be written over`, remedy }
}

/** Looked at without following: a link that leads nowhere is there, too. */
async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

function lostLink(path: string): Wrong {
  return { what: `${path} is a link that leads nowhere`, remedy: 'Remove the link, or make what it leads to.' }
}

/** What stands in the way of a local target: a folder, a file as a folder, a folder that may not be written, or an earlier result; null when nothing does. */
export async function targetFault(target: string, replaceable: (path: string) => boolean): Promise<Wrong | null> {
  if (target.startsWith('r2://')) return null
  for (let folder = target.endsWith('/') ? target : dirname(target); ; folder = dirname(folder)) {
    const info = await stat(folder).catch(() => null)
    if (!info && (await isThere(folder))) return lostLink(folder)
    if (info && !info.isDirectory()) {
      return { what: `${folder} is a file, so nothing can be put below it`, remedy: 'Choose another folder.' }
    }
    if (info && !(await isWritable(folder))) {
      return {
        what: `${folder} may not be written (permission denied)`,
        remedy: 'Make it writable, or choose another folder.',
      }
    }
    if (info || dirname(folder) === folder) break
  }
  if (target.endsWith('/')) return null
  const expected = pattern(basename(target))
  const names = expected ? await readdir(dirname(target)).catch(() => [] as string[]) : [basename(target)]
  for (const name of names.sort()) {
    const path = join(dirname(target), name)
    if (expected && !expected.test(name)) continue
    const info = await stat(path).catch(() => null)
    if (!info && (await isThere(path))) return lostLink(path)
    if (info?.isDirectory() && !expected) {
      return { what: `${path} is a folder`, remedy: `Write ${path}/ to put the files into it, or choose another name.` }
    }
    if (info && !info.isDirectory() && !replaceable(path)) return existsFlaw(path)
  }
  return null
}
