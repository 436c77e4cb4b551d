// A home of its own for one round: settings, job files, the program as child processes, and what its journal says.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Stripping types is most of a start's time: what one process compiled, the next one reads. */
const CACHE = join(root, 'node_modules/.cache/autopod-chaos')
const PICTURES = ['dusk-hills.jpg', 'fruit-bowl.jpg', 'lighthouse.jpg', 'night-city.png']

export type Ended = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }
export type Running = {
  pid: number
  ended: Promise<Ended>
  /** The first line of standard output. */
  line: Promise<string>
  kill(signal: NodeJS.Signals): void
}
export type JournalEvent = { seq: number; type: string; at: number } & Record<string, unknown>
export type Home = {
  folder: string
  /** Where state of `--provider sandbox` lies. */
  dir: string
  firstPort: number
  start(...args: string[]): Running
  events(): JournalEvent[]
  /** Number of events; 0 without a journal. */
  eventCount(): number
  /** Processes of this home but its cloud. */
  processes(): { pid: number; command: string }[]
  killAll(): void
  outDir: string
}

export function openHome(folder: string, firstPort: number, jobs: number): Home {
  const base = join(folder, 'home')
  const dir = join(base, 'sandbox')
  mkdirSync(join(folder, 'jobs'), { recursive: true })
  writeFileSync(
    join(folder, 'autopod.json'),
    JSON.stringify({ run: { first_port: firstPort }, pod: { boot_minutes: 1 } }),
  )
  for (let number = 1; number <= jobs; number++)
    writeFileSync(join(folder, 'jobs', `job-${number}.json`), JSON.stringify(jobOf(number)))
  const env = { PATH: process.env.PATH, HOME: folder, LANG: 'C.UTF-8', AUTOPOD_HOME: base, NODE_COMPILE_CACHE: CACHE }
  const query = <T>(ask: (journal: DatabaseSync) => T, without: T): T => {
    if (!existsSync(join(dir, 'journal.db'))) return without
    const journal = new DatabaseSync(join(dir, 'journal.db'), { readOnly: true, timeout: 5000 })
    try {
      // Its maker makes the file first and the table a moment later.
      return journal.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'event'").get() ? ask(journal) : without
    } finally {
      journal.close()
    }
  }
  const processes = () =>
    processesWith(`AUTOPOD_HOME=${base}`).filter(({ command }) => !command.includes(' sandbox --state'))
  return {
    folder,
    dir,
    firstPort,
    outDir: join(folder, 'out'),
    start: (...args) =>
      runningOf(
        spawn(process.execPath, [join(root, 'src/main.ts'), ...args], {
          cwd: folder,
          env,
          stdio: ['ignore', 'pipe', 'pipe'],
        }),
      ),
    events: () =>
      query(journal => {
        const rows = journal.prepare('SELECT seq, type, at, data FROM event ORDER BY seq').all()
        return rows.map(row => {
          const { data, ...event } = row as { seq: number; type: string; at: number; data: string }
          return { ...event, ...JSON.parse(data) } as JournalEvent
        })
      }, []),
    eventCount: () => query(journal => Number(journal.prepare('SELECT count(*) AS n FROM event').get()?.n), 0),
    processes,
    killAll() {
      for (const { pid } of processes()) end(pid)
    },
  }
}

/** Small films and pictures in turn; the number alone decides over the contents, so every round's files must be the same. */
function jobOf(number: number): Record<string, unknown> {
  const isFilm = number % 2 === 1
  const image = join(root, 'fixtures/inputs', PICTURES[number % PICTURES.length] as string)
  return {
    workflow_template: isFilm ? 'img2vid-basic' : 'resize',
    inputs: { image },
    params: isFilm ? { width: 64, height: 36 } : { width: 32 + number },
    outputs: { [isFilm ? 'video' : 'image']: './out/{job_id}.{ext}' },
    pod_config: { gpu_type: 'A40', gpu_count: 1, max_cost_usd: 1, timeout_minutes: 10 },
  }
}

function runningOf(child: ChildProcess): Running {
  let stdout = ''
  let stderr = ''
  const first = Promise.withResolvers<string>()
  const { promise: ended, resolve, reject } = Promise.withResolvers<Ended>()
  first.promise.catch(() => {})
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    if (stdout.includes('\n')) first.resolve(stdout.slice(0, stdout.indexOf('\n')))
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.on('error', reject)
  child.on('close', (code, signal) => {
    first.reject(new Error(`ended before its first line: ${code ?? signal} ${stderr}`))
    resolve({ code, signal, stdout, stderr })
  })
  return { pid: child.pid ?? 0, ended, line: first.promise, kill: signal => child.kill(signal) }
}

/** Those that have the text in their environment. */
export function processesWith(text: string): { pid: number; command: string }[] {
  const flags = process.platform === 'darwin' ? '-axEww' : 'axeww'
  const out = execFileSync('ps', [flags, '-o', 'pid=,args='], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  return out
    .split('\n')
    .filter(line => line.includes(text))
    .map(line => ({ pid: Number.parseInt(line, 10), command: line.trim().split(' PATH=')[0] ?? '' }))
}

export function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** Other processes tell nobody when something changes. False: not within `maxMs`. */
export async function within(maxMs: number, look: () => boolean | Promise<boolean>, pauseMs = 20): Promise<boolean> {
  const until = performance.now() + maxMs
  for (;;) {
    if (await look()) return true
    if (performance.now() >= until) return false
    await sleep(pauseMs)
  }
}
