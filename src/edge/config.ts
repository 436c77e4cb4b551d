// Settings from all their sources, the later wins: shipped defaults, the home's file, the folder's file, environment, flags.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import { Fault } from '../domain/fault.ts'
import { jsonFault } from '../domain/json-place.ts'
import { didYouMean } from '../domain/nearest.ts'
import { ENVIRONMENT, type Settings, settingsFile } from '../wire/files-settings.ts'
import { issueWords, valueAt } from '../wire/issue-words.ts'
import { isSecret, type Secret } from '../wire/secret.ts'
import { whyUnreadable } from './jobdir-read.ts'

export type Loaded = {
  settings: Settings
  /** Dotted path → where its value comes from. */
  sources: Map<string, string>
}

/** The package's own folder: `templates/` and `config/` lie in it, beside `src/` as well as beside `dist/`. */
export const packageDir = fileURLToPath(new URL('../../', import.meta.url))

export function version(): string {
  return (JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as { version: string }).version
}

/** `$AUTOPOD_HOME`, default `~/.autopod`. Fault operator `settings_invalid` when that is a file. */
export function homeDir(): string {
  // Between quotes no shell opens a `~`, and a folder of that name is what nobody means.
  const dir = resolve((process.env.AUTOPOD_HOME || '~/.autopod').replace(/^~(?=\/|$)/, homedir()))
  if (existsSync(dir) && !statSync(dir).isDirectory())
    throw invalid('AUTOPOD_HOME', `${dir} is no folder`, 'Set it to a folder you may write.')
  return dir
}

/** What the terminal says of itself. */
export function terminalHints(): {
  term: string
  colorTerm: string
  noColor: boolean
  locale: string
  ssh: boolean
  tmux: boolean
} {
  const { env } = process
  return {
    term: env.TERM ?? '',
    colorTerm: env.COLORTERM ?? '',
    noColor: Boolean(env.NO_COLOR),
    locale: env.LC_ALL || env.LC_CTYPE || env.LANG || '',
    ssh: Boolean(env.SSH_CONNECTION),
    tmux: Boolean(env.TMUX),
  }
}

/** Folders in which tools are looked for, as the shell has them. */
export function searchPath(): string {
  return process.env.PATH ?? ''
}

/** JSON Schema (draft 2020-12) of the settings files. */
export function settingsSchema(): object {
  return { title: 'autopod settings', ...z.toJSONSchema(settingsFile, { io: 'input' }) }
}

/** The caller's environment, for processes that go on with the same settings. */
export function inheritedEnv(): NodeJS.ProcessEnv {
  return process.env
}

/** Faults: operator `settings_invalid`, naming the file (or variable), the setting and the remedy. */
export function loadSettings(options: { home: string; cwd: string; flags?: Settings }): Loaded {
  const loaded: Loaded = { settings: {}, sources: new Map() }
  merge(loaded, readFile(join(packageDir, 'config/default.json')), 'default')
  const ofFolder = join(options.cwd, 'autopod.json')
  for (const path of [join(options.home, 'config.json'), ofFolder]) {
    if (!existsSync(path)) continue
    const found = readFile(path)
    refuseExposed(path, found)
    merge(loaded, found, path)
  }
  for (const [name, { path, as }] of Object.entries(ENVIRONMENT)) {
    const text = process.env[name]
    if (text === undefined || text === '') continue
    const parts = () => text.split(',').flatMap(part => part.trim() || [])
    const value = as === 'number' && !Number.isNaN(Number(text)) ? Number(text) : as === 'list' ? parts() : text
    merge(loaded, check(nest(path, value), name), name)
  }
  if (options.flags) merge(loaded, options.flags, 'flag')
  refuseDetour(loaded, ofFolder)
  return loaded
}

/** Whether what is sent to `url` stays on this machine. */
export function isLoopback(url: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(URL.parse(url)?.hostname ?? '')
}

/**
 * Fault operator `settings_invalid`: the file of a folder, which anybody may have written, sends a key from elsewhere to an address of
 * its own. The bucket's secret is never sent: requests are signed with it.
 */
function refuseDetour({ settings, sources }: Loaded, ofFolder: string): void {
  const keyFrom = sources.get('runpod.api_key')
  if (keyFrom === undefined || keyFrom === ofFolder) return
  for (const name of ['api_url', 'graphql_url'] as const)
    if (sources.get(`runpod.${name}`) === ofFolder && !isLoopback(settings.runpod?.[name] ?? ''))
      throw invalid(
        ofFolder,
        `runpod.${name} would get the key of ${keyFrom}`,
        `Name the address where the key is (${keyFrom}), if that is meant.`,
      )
}

function readFile(path: string): Settings {
  const remedy = 'Mend the file, or move it away and run autopod config init.'
  let text: string
  try {
    text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    throw invalid(path, whyUnreadable(error), remedy)
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    const { line, column, what } = jsonFault(text, error)
    throw invalid(path, `line ${line} column ${column}: is not valid JSON: ${what}`, remedy)
  }
  return check(parsed, path)
}

/** Fault operator `settings_invalid`: others of this machine may read a file that holds a key. One without keys may be anybody's. */
function refuseExposed(path: string, settings: Settings): void {
  const keys = secretsOf(settings)
  const mode = statSync(path).mode & 0o777
  if (keys.length === 0 || (mode & 0o077) === 0) return
  const what = `holds ${keys.join(', ')} and is open to others (mode 0${mode.toString(8)})`
  throw invalid(path, what, `chmod 600 ${path}`)
}

/** Dotted paths. */
function secretsOf(part: unknown, path = ''): string[] {
  if (isSecret(part)) return [path]
  if (part === null || typeof part !== 'object' || Array.isArray(part)) return []
  return Object.entries(part).flatMap(([key, value]) => secretsOf(value, path ? `${path}.${key}` : key))
}

function check(value: unknown, source: string): Settings {
  const read = settingsFile.safeParse(value)
  if (read.success) return read.data
  const problems = read.error.issues.map(issue => describe(issue, value))
  throw invalid(source, problems.join('; '), 'See autopod schema config for the keys there are.')
}

function describe(issue: z.core.$ZodIssue, value: unknown): string {
  const place = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys')
    return `${place || 'the file'}: ${issueWords(issue, valueAt(value, issue.path))}`
  const known = knownKeys(issue.path.map(String))
  return issue.keys.map(key => `unknown key "${place ? `${place}.` : ''}${key}"${didYouMean(key, known)}`).join('; ')
}

function knownKeys(path: string[]): string[] {
  let schema: unknown = settingsFile
  for (const part of path) schema = unwrap((unwrap(schema) as z.ZodObject).shape[part])
  return Object.keys((unwrap(schema) as z.ZodObject).shape)
}

function unwrap(schema: unknown): unknown {
  const inner = schema as { unwrap?: () => unknown }
  return inner.unwrap ? inner.unwrap() : schema
}

function invalid(source: string, what: string, hint: string): Fault {
  return new Fault({ kind: 'operator', code: 'settings_invalid', message: `${source}: ${what}`, hint })
}

function merge(loaded: Loaded, from: Settings, source: string): void {
  const walk = (into: Record<string, unknown>, part: Record<string, unknown>, path: string) => {
    for (const [key, value] of Object.entries(part)) {
      if (value === undefined || key === '$schema') continue
      const at = path ? `${path}.${key}` : key
      if (value !== null && typeof value === 'object' && !Array.isArray(value) && !isSecret(value)) {
        into[key] ??= {}
        walk(into[key] as Record<string, unknown>, value as Record<string, unknown>, at)
      } else {
        into[key] = value
        loaded.sources.set(at, source)
      }
    }
  }
  walk(loaded.settings as Record<string, unknown>, from as Record<string, unknown>, '')
}

function nest(path: string, value: unknown): unknown {
  return path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
}

/** Every value with its source, secrets masked; for `config show` and for logs. */
export function explain(loaded: Loaded): { key: string; value: unknown; source: string }[] {
  return [...loaded.sources].map(([key, source]) => {
    const value = key.split('.').reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], loaded.settings)
    return { key, value: isSecret(value) ? mask(value) : value, source }
  })
}

/** The last four characters tell two keys apart; shorter ones tell nothing. */
export function mask(secret: Secret): string {
  const text = secret.reveal()
  return text.length >= 12 ? `…${text.slice(-4)}` : '…'
}
