// A world for one test: a folder with a home, settings and job files of its own, an embedded cloud in a process of its own,
// and the real program as child processes. Closing it ends what is left and says what should not have been left.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import type { SandboxDescription } from '../../src/sandbox/sandbox.ts'
import { isOpen, openPorts } from './port.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const SOURCE = [process.execPath, join(root, 'src/main.ts')] as const
/** Stripping types is most of a short command's time: what one process compiled, the next one reads. */
const CACHE = join(root, 'node_modules/.cache/autopod-e2e')
/** Processes of other processes and journals of other writers tell nobody when they change. */
const LOOK_MS = 40
/** Between looks at the processes of the machine: each starts one, and a dozen worlds look at a time. */
const LOOK_AROUND_MS = 300
/** A process that just begins does not show its home yet. */
const NOBODY_MS = 2000
/** Less than the runner's own limit, which would leave every process behind. */
const WORLD_MAX_MS = 110_000

/** Every child of this test process that is alive: a suite that is broken off must not leave its clouds behind. */
const children = new Set<ChildProcess>()
for (const end of ['exit', 'disconnect'] as const)
  process.on(end, () => {
    for (const child of children) child.kill('SIGKILL')
  })

export type Ended = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }
export type Running = {
  readonly pid: number
  /** Resolves with the first line of standard output that fits, written already or later; rejects when the process ends first. */
  line(fits: (line: string) => boolean): Promise<string>
  kill(signal: NodeJS.Signals): void
  ended: Promise<Ended>
}
export type JournalEvent = { seq: number; type: string } & Record<string, unknown>
/** What there really is, by the cloud itself. */
export type CloudStatus = {
  pods: { id: string; name: string; status: string }[]
  bills: { podId: string; name: string; micro: number; seconds: number }[]
  prompts: Record<string, number>
}
export type Cloud = {
  access: SandboxDescription
  status(): Promise<CloudStatus>
  /** Stopped, it accepts connections and answers nothing, until it is continued. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): Promise<void>
  end(): Promise<void>
}

export type WorldOptions = {
  /** Of the first tunnel; each test has a range of 20 for itself, below the ports that systems give out by themselves. */
  firstPort: number
  bootMs?: number
  stepMs?: number
  faults?: string[]
  /** Who starts the embedded cloud: the test, before anything else, or the program, when it needs one. */
  cloud?: 'before' | 'by itself'
  /** More of autopod.json. */
  settings?: Record<string, unknown>
  /** Executable and first arguments, when it is not the program of the source tree. */
  program?: readonly [string, ...string[]]
}

export type World = {
  /** The folder that commands are run in. */
  folder: string
  /** Where state of `--provider sandbox` lies. */
  home: string
  firstPort: number
  cloud: Cloud
  env: NodeJS.ProcessEnv
  /** Executable and first arguments. */
  program: readonly [string, ...string[]]
  /** Writes `jobs/NAME.json`: a small film, or with `picture` another picture, or with other `changes` anything. */
  job(name: string, changes?: Record<string, unknown>): string
  /** Writes autopod.json anew; the port range stays. */
  settings(more: Record<string, unknown>): void
  /** Starts the program. */
  start(args: string[], more?: { env?: NodeJS.ProcessEnv; provider?: string | null }): Running
  /** Runs the program to its end. */
  run(...args: string[]): Promise<Ended>
  /** Standard output as JSON; the exit code must be the expected one. */
  json(code: number, ...args: string[]): Promise<unknown>
  events(): JournalEvent[]
  /** Resolves with the first event of the journal that fits. */
  event(type: string, fits?: (event: JournalEvent) => boolean): Promise<JournalEvent>
  /** Processes of this world but its cloud, as `pid command`. */
  processes(): Promise<string[]>
  /** Resolves when no process of this world is left but its cloud. */
  alone(): Promise<void>
  /** What lies in `out`, but the report. */
  outputs(): string[]
}

/** What jobs delivered; the page about them lies beside. */
export function outputsIn(folder: string): string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter(name => !/^report(-run_\w+)?\.html$/.test(name))
        .sort()
    : []
}

/** A test in a world of its own, which must be empty again at the test's end. */
export async function inWorld(options: WorldOptions, body: (world: World) => Promise<void>): Promise<void> {
  const { world, expectEmpty, remove } = await openWorld(options)
  const late = new AbortController()
  const timeout = sleep(WORLD_MAX_MS, undefined, { signal: late.signal }).then(() => {
    throw new Error(`not done after ${WORLD_MAX_MS / 1000} s; journal: ${JSON.stringify(world.events().slice(-5))}`)
  })
  try {
    await Promise.race([body(world).then(expectEmpty), timeout])
  } finally {
    late.abort()
    timeout.catch(() => {})
    await remove()
  }
}

async function openWorld(options: WorldOptions) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'autopod-e2e-')))
  const base = join(folder, 'home')
  const home = join(base, 'sandbox')
  const program = options.program ?? SOURCE
  mkdirSync(join(folder, 'jobs'))
  const settings: World['settings'] = ({ run, ...more }) => {
    const file = { ...more, run: { first_port: options.firstPort, ...(run as object) } }
    writeFileSync(join(folder, 'autopod.json'), JSON.stringify(file))
  }
  settings(options.settings ?? {})
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: folder,
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    AUTOPOD_HOME: base,
    NODE_COMPILE_CACHE: CACHE,
  }
  const running = new Set<Running>()
  const ends: Ended[] = []
  const start: World['start'] = (args, { env: others = {}, provider = 'sandbox' } = {}) => {
    const named = provider === null ? [] : ['--provider', provider]
    const split = args.indexOf('--')
    const all = split < 0 ? [...args, ...named] : [...args.slice(0, split), ...named, ...args.slice(split)]
    const child = spawn(program[0], [...program.slice(1), ...all], {
      cwd: folder,
      env: { ...env, ...others },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const one = runningOf(child)
    if (args[0] === 'sandbox') return one
    running.add(one)
    void one.ended.then(ended => {
      running.delete(one)
      ends.push(ended)
    })
    return one
  }
  const stateDir = join(home, 'cloud')
  const cloud =
    options.cloud === 'by itself'
      ? findCloud(stateDir, base)
      : await startCloud(stateDir, options, args => start(args, { provider: null }))
  const processes = async () =>
    (await processesWith(`AUTOPOD_HOME=${base}`)).filter(line => !line.includes(' sandbox --state'))

  const events = (): JournalEvent[] => {
    if (!existsSync(join(home, 'journal.db'))) return []
    const journal = new DatabaseSync(join(home, 'journal.db'), { readOnly: true, timeout: 5000 })
    try {
      // Its maker makes the file first and the table a moment later.
      if (!journal.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'event'").get()) return []
      const rows = journal.prepare('SELECT seq, type, data FROM event ORDER BY seq').all() as {
        seq: number
        type: string
        data: string
      }[]
      return rows.map(({ seq, type, data }) => ({ seq, type, ...JSON.parse(data) }))
    } finally {
      journal.close()
    }
  }

  const world: World = {
    folder,
    home,
    firstPort: options.firstPort,
    cloud,
    env,
    program,
    job(name, changes = {}) {
      const path = join(folder, 'jobs', `${name}.json`)
      writeFileSync(path, JSON.stringify({ ...filmJob('dusk-hills.jpg'), ...changes }))
      return path
    },
    settings,
    start,
    run: (...args) => start(args).ended,
    async json(code, ...args) {
      const ended = await start([...args, '--json']).ended
      if (ended.code !== code) expect(ended).toMatchObject({ code })
      return JSON.parse(ended.stdout)
    },
    events,
    event(type, fits = () => true) {
      let seenAt = performance.now()
      let lookedAt = seenAt
      return eventually(async () => {
        if (performance.now() - lookedAt > LOOK_AROUND_MS) {
          lookedAt = performance.now()
          if (running.size > 0 || (await processes()).length > 0) seenAt = lookedAt
        }
        const isOver = lookedAt - seenAt > NOBODY_MS
        const event = events().find(event => event.type === type && fits(event))
        if (!event && isOver) throw new Error(`nobody is left to write ${type}: ${JSON.stringify(ends)}`)
        return event
      })
    },
    processes,
    alone: async () => {
      await eventually(async () => ((await processes()).length === 0 ? true : undefined), LOOK_AROUND_MS)
    },
    outputs: () => outputsIn(join(folder, 'out')),
  }
  return {
    world,
    async expectEmpty() {
      const ports = await openPorts(options.firstPort)
      expect({ processes: await processes(), ports, pods: (await cloud.status()).pods }).toEqual({
        processes: [],
        ports: [],
        pods: [],
      })
      await cloud.end()
      const { runpod_url, s3_endpoint } = cloud.access
      for (const url of [runpod_url, s3_endpoint]) expect(await isOpen(Number(new URL(url).port))).toBe(false)
    },
    async remove() {
      const inHome = () => processesWith(`AUTOPOD_HOME=${base}`)
      for (const line of await inHome()) end(Number.parseInt(line, 10))
      await eventually(async () => ((await inHome()).length === 0 ? true : undefined), LOOK_AROUND_MS)
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** A job file's contents: a film of 64 × 36 from a picture of the repository. */
export function filmJob(picture: string): Record<string, unknown> {
  return {
    workflow_template: 'img2vid-basic',
    inputs: { image: join(root, 'fixtures/inputs', picture) },
    params: { width: 64, height: 36 },
    outputs: { video: './out/{job_id}.{ext}' },
    pod_config: { gpu_type: 'A40', gpu_count: 1, max_cost_usd: 1, timeout_minutes: 10 },
  }
}

/** A smaller one: a picture made smaller. */
export function pictureJob(picture: string): Record<string, unknown> {
  return {
    ...filmJob(picture),
    workflow_template: 'resize',
    params: { width: 48 },
    outputs: { image: './out/{job_id}.{ext}' },
  }
}

/** `autopod sandbox` as a child, up when its line is there. */
export async function startCloud(
  stateDir: string,
  { bootMs = 300, stepMs = 5, faults = [] }: Pick<WorldOptions, 'bootMs' | 'stepMs' | 'faults'>,
  start: (args: string[]) => Running,
): Promise<Cloud> {
  const args = ['sandbox', '--state', stateDir, '--port', '0', '--boot-ms', String(bootMs), '--step-ms', String(stepMs)]
  const server = start(faults.length > 0 ? [...args, '--faults', faults.join(',')] : args)
  const access = JSON.parse(await server.line(line => line.startsWith('{'))) as SandboxDescription
  return {
    access,
    status: () => statusOf(access),
    signal: async name => server.kill(name),
    async end() {
      server.kill('SIGTERM')
      expect(await server.ended).toMatchObject({ code: 0, stderr: '' })
    },
  }
}

/** The one that the program started in the background. */
function findCloud(stateDir: string, base: string): Cloud {
  const access = () => JSON.parse(readFileSync(join(stateDir, 'server.json'), 'utf8')) as SandboxDescription
  const servers = async () =>
    (await processesWith(`AUTOPOD_HOME=${base}`)).filter(line => line.includes(' sandbox --state'))
  return {
    get access() {
      return access()
    },
    status: () => statusOf(access()),
    async signal(name) {
      for (const line of await servers()) process.kill(Number.parseInt(line, 10), name)
    },
    async end() {
      expect(await servers()).toHaveLength(1)
      for (const line of await servers()) process.kill(Number.parseInt(line, 10), 'SIGTERM')
      await eventually(async () => ((await servers()).length === 0 ? true : undefined))
    },
  }
}

async function statusOf({ runpod_url, api_key }: SandboxDescription): Promise<CloudStatus> {
  const url = new URL('/sandbox/status', runpod_url)
  const answer = await fetch(url, { headers: { authorization: `Bearer ${api_key}`, connection: 'close' } })
  return (await answer.json()) as CloudStatus
}

export function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

/** Looks until there is something; the test's own time limit ends it. */
export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>, pauseMs = LOOK_MS): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    await sleep(pauseMs)
  }
}

function runningOf(child: ChildProcess): Running {
  let stdout = ''
  let stderr = ''
  const waiting = new Set<() => void>()
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    for (const look of [...waiting]) look()
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const { promise: ended, resolve, reject } = Promise.withResolvers<Ended>()
  children.add(child)
  child.on('exit', () => children.delete(child))
  child.on('error', reject)
  child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  return {
    pid: child.pid ?? 0,
    ended,
    kill: signal => child.kill(signal),
    line: fits =>
      new Promise((found, failed) => {
        const look = () => {
          const line = stdout.split('\n').slice(0, -1).find(fits)
          if (line === undefined) return
          waiting.delete(look)
          found(line)
        }
        waiting.add(look)
        look()
        void ended.then(end => failed(new Error(`ended before that line: ${JSON.stringify(end)}`)))
      }),
  }
}

/** Processes that have the text in their environment or command, as `pid command`. */
async function processesWith(text: string): Promise<string[]> {
  const flags = process.platform === 'darwin' ? '-axEww' : 'axeww'
  const { stdout } = await promisify(execFile)('ps', [flags, '-o', 'pid=,args='], { maxBuffer: 64 * 1024 * 1024 })
  return stdout
    .split('\n')
    .filter(line => line.includes(text))
    .map(line => line.trim().split(' PATH=')[0] ?? '')
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
