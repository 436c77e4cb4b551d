// What npm would publish: packed, installed into a prefix of its own without scripts, and run from there.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import card from '../../package.json' with { type: 'json' }
import { result } from './result.ts'
import { inWorld, pictureJob, root } from './world.ts'

const execute = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'autopod-package-'))
const installed = join(folder, 'bin/autopod')
const node24 = await findNode(24)

// The only part that may need the registry: whatever is in npm's cache is taken from there.
beforeAll(async () => {
  // From a copy: packing builds, and a test leaves nothing behind.
  const tree = join(folder, 'tree')
  for (const part of ['src', 'templates', 'config', 'package.json', 'tsconfig.json', 'README.md', 'LICENSE'])
    cpSync(join(root, part), join(tree, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  await execute('npm', ['pack', '--pack-destination', folder], { cwd: tree })
  const archive = join(folder, `autopod-${card.version}.tgz`)
  const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
  await execute('npm', ['install', '--global', '--prefix', folder, ...quiet, archive], { cwd: folder })
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('only what the program needs is in the package', () => {
  const own = join(folder, 'lib/node_modules/autopod')
  expect(readdirSync(own).toSorted()).toEqual([
    'LICENSE',
    'README.md',
    'config',
    'dist',
    'node_modules',
    'package.json',
    'templates',
  ])
})

test('the installed program runs a job in the embedded cloud that it starts itself', () => runs(process.execPath))

test.skipIf(node24 === null)('so it does on Node 24 (skipped where none is on PATH or in ~/.nvm)', () =>
  runs(node24 as string),
)

function runs(node: string): Promise<void> {
  const settings = { sandbox: { boot_ms: 200, step_ms: 1 } }
  return inWorld({ firstPort: 12_800, cloud: 'by itself', settings, program: [node, installed] }, async world => {
    const version = await world.start(['--version'], { provider: null }).ended
    expect(version).toMatchObject({ code: 0, stdout: `${card.version}\n`, stderr: '' })
    world.job('small', pictureJob('lighthouse.jpg'))
    const told = await world.run('run', 'jobs', '--yes', '--json')
    expect(told).toMatchObject({ code: 0, stderr: '' })
    expect(result.parse(JSON.parse(told.stdout))).toMatchObject({ status: 'completed' })
    expect(world.outputs()).toEqual(['small.png'])
  })
}

async function findNode(major: number): Promise<string | null> {
  const nvm = join(homedir(), '.nvm/versions/node')
  const versions = existsSync(nvm) ? readdirSync(nvm).map(name => join(nvm, name, 'bin')) : []
  for (const place of [...(process.env.PATH ?? '').split(delimiter), ...versions]) {
    const path = join(place, 'node')
    if (!existsSync(path)) continue
    const { stdout } = await execute(path, ['--version']).catch(() => ({ stdout: '' }))
    if (stdout.startsWith(`v${major}.`)) return path
  }
  return null
}
