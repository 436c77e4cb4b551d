// Writes a run's report.html beside its outputs: finds the place, makes the small pictures, never replaces a file that is not ours.
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, openSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, parse, relative, sep } from 'node:path'
import { emptyFleet, type Fleet } from '../domain/fleet.ts'
import type { Job } from '../domain/job.ts'
import { jobsOfRun, type Review, reviewOf } from '../domain/review.ts'
import type { Run } from '../domain/run.ts'
import { isViewable } from '../domain/viewable.ts'
import { systemClock } from '../edge/clock.ts'
import { version } from '../edge/config.ts'
import { makeFolderNow } from '../edge/folder.ts'
import { thumbnailOf } from '../edge/picture.ts'
import { previewPath } from '../edge/trace.ts'
import { pageOf, runOfPage, type Shot } from '../report/page.ts'
import { SHOTS_LARGE_MAX } from '../report/tables.ts'
import { type Invocation, usage } from './args.ts'
import { EXIT } from './exit.ts'
import { type Home, homeToSee } from './home.ts'
import { pastOf } from './past.ts'
import { openWithSystem } from './viewer.ts'

/** Pixels: twice what the page gives them, for sharp screens. */
const LARGE = 360
const SMALL = 160
/** Making one takes about 20 ms of a core: more than these, and the end of a run would be waited for. */
const SHOTS_MAX = 300
/** All pictures together; a page of a few megabytes still opens at once and goes by mail. */
const SHOTS_BYTES_MAX = 3_000_000
/** A file of this size is a film or a print: it is not read through for a thumbnail. */
const SOURCE_MAX = 100_000_000
/** As many as sharp has threads for; one after the other would leave cores idle. */
const AT_ONCE = 4
/** The mark stands within the first lines. */
const HEAD_BYTES = 2000

/** Writes the report of a run as it stands now; answers where. Also for runs of long ago: everything is in the journal. */
export async function writeReport(home: Home, fleet: Fleet, run: Run): Promise<string> {
  const review = reviewOf(fleet, run, systemClock.now())
  const shots = await shotsOf(home, review.jobs)
  const path = placeOf(home, fleet, review)
  const folder = dirname(path)
  const page = pageOf(review, {
    shots,
    hrefOf: file => (isViewable(file) ? relative(folder, file).split(sep).map(encodeURIComponent).join('/') : null),
    nameOf: file => relative(folder, file),
    zone: at => -new Date(at).getTimezoneOffset(),
    version: version(),
  })
  const beside = `${path}.${randomBytes(4).toString('hex')}.part`
  try {
    writeFileSync(beside, page, { flag: 'wx' })
    renameSync(beside, path)
  } finally {
    rmSync(beside, { force: true })
  }
  return path
}

/** `autopod report`: for runs of long ago, too. */
export async function report({ flags, words }: Invocation): Promise<number> {
  const home = homeToSee(flags)
  const fleet = pastOf(home) ?? emptyFleet()
  const run = runCalled(fleet, words[0])
  const path = await writeReport(home, fleet, run)
  process.stdout.write(`${path}\n`)
  if (flags.on('open')) openWithSystem(path)
  return EXIT.ok
}

/** By its id, or a unique part of it; the last one without a word. Faults: usage. */
function runCalled(fleet: Fleet, word: string | undefined): Run {
  const runs = [...fleet.runs.values()]
  const found = word === undefined ? runs.slice(-1) : runs.filter(({ id }) => id.includes(word))
  const [run, another] = found.some(({ id }) => id === word) ? found.filter(({ id }) => id === word) : found
  if (run && !another) return run
  throw usage(
    word === undefined ? 'no run yet' : `${found.length === 0 ? 'no run' : 'more than one run'} ${word}`,
    'See autopod status.',
  )
}

/**
 * `report.html` in the folder that all outputs share; with the run's id where somebody's file has that name, or the page of a run that is
 * newer, or that delivered something when this one did not; else in the home.
 */
function placeOf(home: Home, fleet: Fleet, { jobs, run }: Review): string {
  const runId = run.id
  const isEmpty = !hasDelivered(jobs)
  const mayGo = (owner: string) => {
    const other = fleet.runs.get(owner)
    return owner === runId || (owner < runId && !(isEmpty && (!other || hasDelivered(jobsOfRun(fleet, other)))))
  }
  const folder = folderOf(jobs)
  if (folder !== null) {
    try {
      makeFolderNow(folder)
      for (const name of ['report.html', `report-${runId}.html`])
        if (isFree(join(folder, name), mayGo)) return join(folder, name)
    } catch {
      // A folder that cannot be made or read: the home is ours.
    }
  }
  const own = join(home.dir, 'reports')
  makeFolderNow(own, 0o700)
  return join(own, `${runId}.html`)
}

/** The deepest folder above all local targets; null when there is none, or none that is meant for results. */
export function folderOf(jobs: readonly Job[]): string | null {
  const folders = jobs.flatMap(job =>
    job.spec.outputs.filter(({ target }) => !target.startsWith('r2://')).map(({ target }) => fixedFolder(target)),
  )
  const [first, ...others] = folders
  if (first === undefined) return null
  let shared = first
  for (const other of others) while (other !== shared && !other.startsWith(join(shared, sep))) shared = dirname(shared)
  return shared === parse(shared).root || shared === homedir() ? null : shared
}

/** Up to the first placeholder. */
function fixedFolder(target: string): string {
  const fixed = target.split('{')[0] ?? ''
  return fixed.endsWith('/') ? fixed.slice(0, -1) || '/' : dirname(fixed)
}

function hasDelivered(jobs: readonly Job[]): boolean {
  return jobs.some(job => job.published.length > 0)
}

/** Nothing is there, or a report of ours of a run whose page may go. */
function isFree(path: string, mayGo: (owner: string) => boolean): boolean {
  if (!existsSync(path)) return true
  if (!statSync(path).isFile()) return false
  const file = openSync(path, 'r')
  const head = Buffer.alloc(HEAD_BYTES)
  const read = readSync(file, head)
  closeSync(file)
  const owner = runOfPage(head.toString('utf8', 0, read))
  return owner !== null && mayGo(owner)
}

/** By job key; of jobs that are done. */
async function shotsOf(home: Home, jobs: readonly Job[]): Promise<Map<string, Shot>> {
  const wanted = jobs.filter(job => job.status === 'completed').slice(0, SHOTS_MAX)
  const width = wanted.length > SHOTS_LARGE_MAX ? SMALL : LARGE
  const shots = new Map<string, Shot>()
  let bytes = 0
  for (let from = 0; from < wanted.length; from += AT_ONCE) {
    const some = wanted.slice(from, from + AT_ONCE)
    const made = await Promise.all(some.map(job => shotOf(home, job, width)))
    for (const [index, shot] of made.entries()) {
      bytes += shot?.src.length ?? 0
      if (bytes > SHOTS_BYTES_MAX) return shots
      const job = some[index]
      if (shot && job) shots.set(job.key, shot)
    }
  }
  return shots
}

async function shotOf(home: Home, job: Job, width: number): Promise<Shot | null> {
  const outputs = job.published.flatMap(({ path }) => (path && isViewable(path) ? [path] : []))
  for (const path of [...outputs.slice(0, 1), previewPath(home.dir, job.key)]) {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? Number.POSITIVE_INFINITY
    const small = size <= SOURCE_MAX ? await thumbnailOf(path, width) : null
    if (small)
      return {
        src: `data:image/webp;base64,${Buffer.from(small.webp).toString('base64')}`,
        width: small.width,
        height: small.height,
        isPreview: !outputs.includes(path),
      }
  }
  return null
}
