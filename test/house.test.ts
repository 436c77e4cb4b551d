// The rules of the house as tests: who may import whom, one package one door, names, sizes. Each message names file, line and remedy.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

type Import = { from: string; line: number }
type Source = { path: string; text: string; code: string; imports: Import[] }

/** Tracked and not yet tracked files alike; what git ignores is nobody's business here. */
const paths = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 16 * 1024 * 1024,
})
  .split('\n')
  .filter(path => path !== '' && existsSync(posix.join(root, path)))
const sources = paths.filter(path => /^(src|test)\/.*\.ts$/.test(path)).map(readSource)
const src = sources.filter(source => source.path.startsWith('src/'))
const tests = sources.filter(source => source.path.startsWith('test/'))

function readSource(path: string): Source {
  const text = readFileSync(posix.join(root, path), 'utf8')
  return { path, text, code: codeOf(text), imports: importsOf(text) }
}

/** Comments and plain strings blanked, lines kept: words in prose are no use of what they name. Templates stay, they hold code. */
function codeOf(text: string): string {
  const parts = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g
  return text.replace(parts, part => (part.startsWith('`') ? part : part.replace(/[^\n]/g, ' ')))
}

/** Static, side-effect, re-exporting and dynamic imports, `require` and `typeof import()` among them. */
function importsOf(text: string): Import[] {
  const found: Import[] = []
  const shapes = [
    /^\s*(?:import|export)\s[\w*{},\s$]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\b(?:import|require|createRequire\([^()]*\))\(\s*['"]([^'"]+)['"]/g,
  ]
  for (const shape of shapes)
    for (const match of text.matchAll(shape)) {
      const end = (match.index ?? 0) + match[0].length
      found.push({ from: match[1] ?? '', line: text.slice(0, end).split('\n').length })
    }
  return found
}

function lines(source: Source, word: RegExp): number[] {
  return source.code.split('\n').flatMap((line, index) => (word.test(line) ? [index + 1] : []))
}

function holds(title: string, find: () => string[]): void {
  test(title, () => expect(find().join('\n')).toBe(''))
}

const packageOf = (from: string) =>
  from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/')
const isLocal = (from: string) => from.startsWith('.')
const isPackage = (from: string) => !isLocal(from) && !from.startsWith('node:')
/** Path of the imported file in the repository. */
const target = (source: Source, from: string) => posix.join(posix.dirname(source.path), from)
const folderOf = (path: string) => path.split('/')[1]?.replace(/\.ts$/, '') ?? ''

// ---------------------------------------------------------------- who may import whom

const ANY = ['domain', 'wire', 'ports', 'edge', 'engine', 'tui', 'report', 'sandbox', 'cli', 'main']
const MAY: Record<string, { folders: string[]; node: boolean; remedy: string }> = {
  domain: { folders: ['domain'], node: false, remedy: 'Keep domain pure: pass the value in, or move the code out.' },
  wire: {
    folders: ['wire'],
    node: false,
    remedy: 'wire describes the world of others with zod alone; map it in edge.',
  },
  ports: { folders: ['domain'], node: false, remedy: 'ports are types over domain; implementations live in edge.' },
  edge: { folders: ['ports', 'wire', 'domain', 'edge'], node: true, remedy: 'An edge decides nothing; return it.' },
  engine: { folders: ['ports', 'domain', 'engine'], node: false, remedy: 'Take it through ports; cli hands it in.' },
  tui: { folders: ['domain', 'tui'], node: true, remedy: 'tui gets a fleet and gives back commands; cli joins them.' },
  report: {
    folders: ['domain', 'report'],
    node: false,
    remedy: 'A page is a text made of what is known; cli writes it.',
  },
  sandbox: { folders: ['wire', 'sandbox'], node: true, remedy: 'A simulator shares no code with the client.' },
  cli: { folders: ANY, node: true, remedy: '' },
  main: { folders: ANY, node: true, remedy: '' },
}

holds('Each folder imports only what the house allows it', () =>
  src.flatMap(source => {
    const folder = folderOf(source.path)
    const may = MAY[folder]
    if (!may) return [`${source.path}:1 lies in no folder of the house. Move it to one of: ${ANY.join(', ')}.`]
    return source.imports.flatMap(({ from, line }) => {
      const to = isLocal(from) ? target(source, from) : null
      if (from.startsWith('node:'))
        return may.node ? [] : [`${source.path}:${line} imports ${from} in ${folder}. ${may.remedy}`]
      // The folder's own tables and schemas beside src/ (config/*.json) are data, read by edge and cli only.
      if (to === null || (to.endsWith('.json') && ['edge', 'cli'].includes(folder))) return []
      return may.folders.includes(folderOf(to))
        ? []
        : [`${source.path}:${line} imports ${to}: ${folder} may import ${may.folders.join(', ')}. ${may.remedy}`]
    })
  }),
)

/** What every edge file may build on. */
const BASE =
  /^src\/edge\/(clock|config|folder|http|socket|store[\w-]*|trace|untrusted|transfer[\w-]*|jobdir[\w-]*|ssh\/[\w-]+)\.ts$/

holds('An edge file imports no other edge but the base ones and its own folder', () =>
  src
    .filter(source => source.path.startsWith('src/edge/') && source.path !== 'src/edge/all.ts')
    .flatMap(source =>
      source.imports.flatMap(({ from, line }) => {
        const to = isLocal(from) ? target(source, from) : ''
        const own = posix.dirname(source.path)
        if (!to.startsWith('src/edge/') || BASE.test(to) || (own !== 'src/edge' && posix.dirname(to) === own)) return []
        return [
          `${source.path}:${line} imports ${to}. Move what both need into a base file, or take it as a parameter.`,
        ]
      }),
    ),
)

// ---------------------------------------------------------------- one package, one door

const DOORS: [string, RegExp][] = [
  ['p-queue', /^src\/engine\/lanes\.ts$/],
  ['get-port', /^src\/edge\/ssh\//],
  ['ssh2', /^src\/(edge|sandbox)\/ssh\//],
  ['ws', /^src\/(edge\/socket|sandbox\/comfy\/sockets)\.ts$/],
  ['@aws-sdk/', /^src\/edge\/buckets\/r2/],
  ['blessed', /^src\/tui\/paint\.ts$/],
  ['node:sqlite', /^src\/edge\/store[\w-]*\.ts$/],
  ['sharp', /^src\/(sandbox\/|edge\/picture\.ts)/],
  ['zod', /^src\/(wire|sandbox)\/|^src\/edge\//],
]

holds('Each package has one door', () =>
  src.flatMap(source =>
    source.imports.flatMap(({ from, line }) => {
      const name = from.startsWith('node:') ? from : packageOf(from)
      const door = DOORS.find(([known]) => name === known || (known.endsWith('/') && name.startsWith(known)))
      if (door)
        return door[1].test(source.path)
          ? []
          : [`${source.path}:${line} imports ${from}, whose door is ${door[1].source}. Use what that file exports.`]
      return isPackage(from)
        ? [`${source.path}:${line} imports ${from}, which has no door. Name its one file in test/house.test.ts.`]
        : []
    }),
  ),
)

const WORDS: { word: RegExp; not: RegExp; remedy: string }[] = [
  { word: /\bprocess\.env\b/, not: /^src\/edge\/config\.ts$/, remedy: 'Read the environment in edge/config.ts.' },
  { word: /\bprocess\.exit\(/, not: /^src\/main\.ts$/, remedy: 'Return an exit code; only main.ts ends the process.' },
  {
    word: /\b(setTimeout|setInterval)\(|\btimers\b/,
    not: /^src\/(edge\/clock\.ts|sandbox\/)/,
    remedy: 'Take a Clock, or after() and every() of edge/clock.ts.',
  },
  { word: /\bclass\s+\w+/, not: /^src\/domain\/fault\.ts$/, remedy: 'Write a function that closes over its state.' },
  {
    word: /\binstanceof Fault\b/,
    not: /^src\/(edge|cli|main|engine\/settle)/,
    remedy: 'Use settle of engine/settle.ts.',
  },
  { word: /\bnew Fault\(/, not: /^src\/(edge|cli|main)/, remedy: 'Faults are thrown in edge; return FaultData here.' },
  { word: /^\s*export\s+default\b/, not: /^$/, remedy: 'Export it by name.' },
  { word: /^\s*export\s+\*\s+from\b/, not: /^$/, remedy: 'No barrels: import from the file that has it.' },
  { word: /^\s*(export\s+)?(declare\s+)?(const\s+)?enum\s+\w/, not: /^$/, remedy: 'Use a union of string literals.' },
  // Inside `declare module`, where a package's own types are mended, it is indented.
  { word: /^(export\s+)?(declare\s+)?namespace\s+\w/, not: /^$/, remedy: 'Use a file.' },
]

holds('The environment, the exit, timers, classes and faults have one place each', () =>
  src.flatMap(source =>
    WORDS.filter(({ not }) => !not.test(source.path)).flatMap(({ word, remedy }) =>
      lines(source, word).map(line => `${source.path}:${line} uses ${word.source}. ${remedy}`),
    ),
  ),
)

holds('The domain and the plan know neither clock nor chance nor process', () =>
  src
    .filter(source => /^src\/(domain|engine|wire)\//.test(source.path))
    .flatMap(source =>
      lines(source, /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bprocess\.|\brandomUUID\b|\bperformance\./).map(
        line =>
          `${source.path}:${line} asks the machine for time, chance or itself. Take it from the Clock or the event.`,
      ),
    ),
)

// ---------------------------------------------------------------- sizes, names, comments

holds('No source file has more than 400 lines', () =>
  src.flatMap(({ path, text }) => {
    const count = text.split('\n').length - 1
    return count > 400 ? [`${path}:401 has ${count} lines. Split it by noun.`] : []
  }),
)

holds('The first line of each source file says what it is for', () =>
  sources.flatMap(({ path, text }) => {
    const first = text.split('\n').find(line => !line.startsWith('#!')) ?? ''
    return /^(\/\/ |\/\*)/.test(first)
      ? []
      : [`${path}:1 does not begin with a comment. Say in a sentence what it is for.`]
  }),
)

holds('Relative imports end in .ts', () =>
  sources.flatMap(source =>
    source.imports
      .filter(({ from }) => isLocal(from) && !/\.(ts|json)$/.test(from))
      .map(({ from, line }) => `${source.path}:${line} imports ${from}. Write the file's whole name.`),
  ),
)

holds('Source files are named with a noun or noun-noun', () =>
  src.flatMap(({ path }) => {
    const stem = posix.basename(path).replace(/\.ts$/, '')
    if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)?$/.test(stem)) return [`${path}:1 is not noun or noun-noun. Rename it.`]
    const empty = stem
      .split('-')
      .filter(part => /^(utils?|helpers?|common|types?|managers?|services?|core)$/.test(part))
    return empty.length > 0 ? [`${path}:1 is named ${empty.join()}, which says nothing. Name what it holds.`] : []
  }),
)

const TOP = 'LICENSE README.md config fixtures package-lock.json package.json src templates test tsconfig.json'.split(
  ' ',
)

holds('The top level is the card of the house, and nothing else', () => {
  const present = new Set(paths.map(path => path.split('/')[0] ?? '').filter(name => !name.startsWith('.')))
  return [
    ...[...present]
      .filter(name => !TOP.includes(name))
      .map(name => `${name}:1 is not on the card. Move it into a folder.`),
    ...TOP.filter(name => !present.has(name)).map(name => `${name}:1 is on the card and missing. Add it.`),
  ]
})

holds('Every dependency is pinned exactly', () => {
  const text = readFileSync(posix.join(root, 'package.json'), 'utf8')
  const card = JSON.parse(text) as Record<string, Record<string, string> | undefined>
  return ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap(group =>
    Object.entries(card[group] ?? {})
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
      .map(([name, version]) => {
        const line = text.slice(0, text.indexOf(`"${name}": "${version}"`)).split('\n').length
        return `package.json:${line} pins ${name} to ${version}. Write one exact version.`
      }),
  )
})

holds('Tests are neither singled out nor skipped without a reason', () =>
  tests.flatMap(source =>
    source.code.split('\n').flatMap((line, index) => {
      const at = `${source.path}:${index + 1}`
      if (/\b(test|it|describe)\b[\w.]*\.only\b/.test(line)) return [`${at} singles a test out. Remove .only.`]
      if (/\b(test|it|describe)\b[\w.]*\.todo\b/.test(line)) return [`${at} is a promise. Write the test.`]
      // skipIf and runIf carry their reason as their condition.
      if (!/\b(test|it|describe)\b[\w.]*\.skip\b/.test(line)) return []
      const beside = source.text.split('\n').slice(Math.max(0, index - 1), index + 1)
      return beside.some(text => /\/\/ |\bbecause\b|\bskipped:/.test(text))
        ? []
        : [`${at} skips. Say why in its title or a comment, or do not.`]
    }),
  ),
)

holds('Nothing is left for later', () =>
  sources.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const mark = /\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b/.exec(line)
      return mark ? [`${path}:${index + 1} says ${mark[0]}. Do it, or open an issue.`] : []
    }),
  ),
)

/** World by world, tests run at the same time: one that finds its tunnels' ports taken gets others than it expects. */
const PORTS_OF_A_WORLD = 20
holds('No two worlds of test/e2e share their ports', () => {
  const worlds = tests
    .filter(({ path }) => path.startsWith('test/e2e/'))
    .flatMap(source =>
      source.code.split('\n').flatMap((line, index) =>
        [...line.matchAll(/\bfirstPort: (\d[\d_]*)/g)].map(match => ({
          at: `${source.path}:${index + 1}`,
          port: Number(match[1]?.replaceAll('_', '')),
        })),
      ),
    )
    .sort((a, b) => a.port - b.port)
  return worlds.flatMap(({ at, port }, index) => {
    const before = worlds[index - 1]
    if (!before || port - before.port >= PORTS_OF_A_WORLD) return []
    return [
      `${at} begins at ${port}, and ${before.at} has ${PORTS_OF_A_WORLD} from ${before.port}. Choose a free range.`,
    ]
  })
})
