// `npm run sim:planted [-- NAME…]`: plants each mistake of mutants.ts in a copy of the source and plays worlds there until one fails.
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MUTANTS, type Mutant } from './mutants.ts'

export type Catch = { mutant: Mutant; seed: number | null; wrong: string }

/** A mistake that so many worlds do not notice is one that they would not notice. */
const SEEDS_MAX = 2000
/** A plan that never comes to rest plays no second world: the mistake shows, but nobody says so. */
const HUNT_MAX_MS = 180_000
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Throws when the search text does not occur exactly once: the code moved on. */
export function plant(mutant: Mutant): string {
  const text = readFileSync(join(root, 'src', mutant.file), 'utf8')
  const parts = text.split(mutant.search)
  if (parts.length !== 2) throw new Error(`${mutant.name}: found ${parts.length - 1} times in src/${mutant.file}`)
  return parts.join(mutant.replace)
}

/** Plays worlds with the mistake planted, in a process of its own; null = none of them noticed. */
export async function hunt(mutant: Mutant): Promise<Catch> {
  const planted = plant(mutant)
  const folder = mkdtempSync(join(tmpdir(), 'autopod-planted-'))
  try {
    for (const part of ['src/domain', 'src/engine', 'src/ports.ts', 'test/sim', 'package.json'])
      cpSync(join(root, part), join(folder, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'src', mutant.file), planted)
    const output = await read(join(folder, 'test/sim', mutant.inBudget ? 'budget.ts' : 'sim.ts'), [
      '--until-failure',
      String(SEEDS_MAX),
    ])
    const [, seed, wrong] = /^seed (\d+): (.*)$/m.exec(output) ?? []
    return { mutant, seed: seed === undefined ? null : Number(seed), wrong: wrong ?? output.slice(-300) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** All mistakes, two at a time; told as they are caught. */
export async function huntAll(mutants: readonly Mutant[], told: (caught: Catch) => void): Promise<Catch[]> {
  const left = [...mutants]
  const caught: Catch[] = []
  const next = async (): Promise<void> => {
    for (let mutant = left.shift(); mutant; mutant = left.shift()) {
      const one = await hunt(mutant)
      caught.push(one)
      told(one)
    }
  }
  await Promise.all([next(), next()])
  return caught
}

function read(script: string, args: string[]): Promise<string> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: HUNT_MAX_MS })
  let output = ''
  child.stdout.on('data', chunk => (output += chunk))
  child.stderr.on('data', chunk => (output += chunk))
  return new Promise(resolve => child.on('close', () => resolve(output)))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const words = process.argv.slice(2)
  const chosen = MUTANTS.filter(({ name }) => words.length === 0 || words.some(word => name.includes(word)))
  const started = performance.now()
  const caught = await huntAll(chosen, ({ mutant, seed, wrong }) =>
    process.stdout.write(
      seed === null
        ? `NOT CAUGHT  ${mutant.name}: ${wrong}\n`
        : `${String(seed).padStart(5)} seeds  ${mutant.name}: ${wrong.slice(0, 120)}\n`,
    ),
  )
  const free = caught.filter(({ seed }) => seed === null)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stdout.write(`${caught.length - free.length} of ${caught.length} mistakes caught in ${seconds} s\n`)
  process.exitCode = free.length > 0 ? 1 : 0
}
