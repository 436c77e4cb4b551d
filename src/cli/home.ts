// Which home a command speaks of, and with which settings: real pods and the sandbox never mix.
import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { didYouMean } from '../domain/nearest.ts'
import { homeDir, type Loaded, loadSettings, packageDir } from '../edge/config.ts'
import { PROVIDERS, type Settings } from '../wire/files-settings.ts'
import { type Flag, type Flags, usage } from './args.ts'
import { hasHistory } from './past.ts'

export type Home = {
  dir: string
  provider: 'runpod' | 'sandbox' | null
  settings: Settings
  loaded: Loaded
  cwd: string
}

/** The flag that every command takes. */
export const providerFlag: Record<string, Flag> = {
  provider: { type: 'string', value: 'NAME', about: 'runpod or sandbox; which home is meant (the configured one)' },
}

export function openHome(flags: Flags, settings: Settings = {}): Home {
  const base = homeDir()
  const cwd = resolve(flags.text('base') ?? '.')
  if (flags.text('base') && !statSync(cwd, { throwIfNoEntry: false })?.isDirectory())
    throw usage(`--base ${flags.text('base')} is no folder`, 'Name the folder that inputs and outputs start from.')
  const named = flags.text('provider')
  // A word that nobody knows must not speak of another home: `kill --all` would find no pod there and say that all is well.
  if (named !== undefined && !PROVIDERS.some(known => known === named))
    throw usage(
      `--provider ${named} is not one of ${PROVIDERS.join(', ')}${didYouMean(named, [...PROVIDERS])}`,
      'Without an account: --provider sandbox.',
    )
  const loaded = loadSettings({
    home: base,
    cwd: process.cwd(),
    flags: named ? ({ ...settings, provider: named } as Settings) : settings,
  })
  const provider = loaded.settings.provider ?? null
  return {
    dir: provider === 'sandbox' ? join(base, 'sandbox') : base,
    provider,
    settings: loaded.settings,
    loaded,
    cwd,
  }
}

/**
 * For commands that look, or speak of what is there: where no provider is configured and nothing ever ran in the base home, but something
 * did in the sandbox's, that one is meant; said on standard error.
 */
export function homeToSee(flags: Flags): Home {
  const home = openHome(flags)
  const dir = join(home.dir, 'sandbox')
  if (home.provider !== null || !hasHistory(dir) || hasHistory(home.dir)) return home
  process.stderr.write('no provider is configured; this is the home of --provider sandbox\n')
  return { ...home, dir, provider: 'sandbox' }
}

/** For commands that ask a provider. Fault usage when none is configured. */
export function rentingHome(flags: Flags): Home {
  const home = openHome(flags)
  if (home.provider === null)
    throw usage(
      'no provider is configured',
      'Try it without an account: --provider sandbox. To use your own: autopod config init.',
    )
  return home
}

export function templateDirs(cwd: string): string[] {
  return [join(cwd, 'templates'), join(homeDir(), 'templates'), join(packageDir, 'templates')]
}

/** 16 hex digits, made once per home: what marks pods as ours. Whole or not there, whenever this is cut off. */
export function ownerToken(dir: string): string {
  const path = join(dir, 'owner')
  if (!existsSync(path)) {
    const beside = `${path}.${randomBytes(4).toString('hex')}`
    writeFileSync(beside, `${randomBytes(8).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true })
    try {
      // Of two that start at once, the second takes what the first one made.
      linkSync(beside, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      unlinkSync(beside)
    }
  }
  return readFileSync(path, 'utf8').trim()
}
