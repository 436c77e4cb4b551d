// What must be true when the last start has ended: jobs done once, nothing rented, nothing of others touched, the bill right.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { openPorts } from '../e2e/port.ts'
import type { CloudStatus } from './cloud.ts'
import { type Ended, type Home, type JournalEvent, within } from './home.ts'
import type { Weather } from './weather.ts'

/** Output file → digest of what it shows, of a batch to which nothing happened. */
export type Reference = ReadonlyMap<string, string>
type Publication = { path: string | null; sha256: string }

/** A process that ends leaves the table a moment after its last word. */
const ALONE_MAX_MS = 8000

/** The last start said what really became of its jobs, and every run is over. Empty when all is well, as of all checks here. */
export function checkResult(last: Ended, events: JournalEvent[], weather: Weather): string[] {
  const wrongs: string[] = []
  const closed = last.stdout === '' ? null : (JSON.parse(last.stdout) as { status: string; jobs: { status: string }[] })
  if (!closed) return [`the last start ended with ${last.code ?? last.signal} and no result: ${last.stderr.trim()}`]
  const failed = closed.jobs.filter(job => job.status !== 'completed').length
  const isLucky = !weather.faults.some(fault => /^(comfy-crash|preempt|ssh-cut|capacity)/.test(fault))
  if (last.code === 0 && (failed > 0 || closed.status !== 'completed'))
    wrongs.push(`exit 0, and the run is ${closed.status} with ${failed} jobs that are not completed`)
  if (last.code !== 0 && (failed === 0 || closed.status !== 'failed' || ![1, 5].includes(last.code ?? -1)))
    wrongs.push(`exit ${last.code ?? last.signal} of a run that is ${closed.status}, ${failed} jobs not completed`)
  if (last.code !== 0 && isLucky)
    wrongs.push(`no fault of this round makes jobs fail, and the exit code is ${last.code}`)
  if (closed.jobs.length !== weather.jobs)
    wrongs.push(`the result tells of ${closed.jobs.length} of ${weather.jobs} jobs`)
  const open = new Set(events.filter(event => event.type === 'run.opened').map(event => event.runId))
  for (const event of events) if (event.type === 'run.closed') open.delete(event.runId)
  for (const runId of open) wrongs.push(`${runId} was never closed`)
  return wrongs
}

/** Each job completed exactly once, with the right files and no others. Only for a batch that came through. */
export function checkJobs(home: Home, events: JournalEvent[], weather: Weather, reference: Reference | null): string[] {
  const wrongs: string[] = []
  const completions = events.filter(event => event.type === 'job.completed')
  const expected: string[] = []
  for (let number = 1; number <= weather.jobs; number++) {
    const mine = completions.filter(event => String(event.jobKey).endsWith(`/job-${number}`))
    if (mine.length !== 1) wrongs.push(`job-${number} was completed ${mine.length} times`)
    for (const { path, sha256 } of (mine[0]?.published ?? []) as Publication[]) {
      if (path === null) continue
      const name = basename(path)
      expected.push(name)
      if (!existsSync(path)) wrongs.push(`${name} is not on disk`)
      else if (digestOf(path) !== sha256) wrongs.push(`${name} is not what the journal says was published`)
      else if (reference && reference.get(name) !== contentOf(path))
        wrongs.push(`${name} is not what a calm run makes of it`)
    }
  }
  const found = existsSync(home.outDir) ? outputsIn(home.outDir) : []
  if (found.join() !== expected.sort().join()) wrongs.push(`out/ has ${found.join()} instead of ${expected.join()}`)
  return wrongs
}

/** No prompt was queued twice or without a word in the journal; a job's earlier attempts failed, and only its last one gave its files. */
export function checkPrompts(events: JournalEvent[], { prompts }: CloudStatus): string[] {
  const wrongs: string[] = []
  const known = new Set<string>()
  const attempts = events.filter(event => event.type === 'attempt.requested')
  for (const { promptId, jobKey, attempt } of attempts) {
    known.add(String(promptId))
    const ends = events.filter(
      event =>
        ['attempt.succeeded', 'attempt.failed', 'attempt.cancelled'].includes(event.type) &&
        event.jobKey === jobKey &&
        event.attempt === attempt,
    )
    const queued = prompts[String(promptId)] ?? 0
    const name = `attempt ${attempt} of ${jobKey}`
    if (ends.length !== 1) wrongs.push(`${name} ended ${ends.length} times`)
    if (queued > 1) wrongs.push(`${name} was queued ${queued} times`)
    if (ends[0]?.type === 'attempt.succeeded' && queued !== 1)
      wrongs.push(`${name} succeeded and was queued ${queued} times`)
  }
  for (const jobKey of new Set(attempts.map(event => event.jobKey))) {
    const succeeded = events.filter(event => event.type === 'attempt.succeeded' && event.jobKey === jobKey)
    if (succeeded.length > 1) wrongs.push(`${succeeded.length} attempts of ${jobKey} succeeded`)
  }
  for (const id of Object.keys(prompts))
    if (!known.has(id)) wrongs.push(`prompt ${id} was queued, and no journal knows it`)
  return wrongs
}

/** Nothing of ours is left, what is not ours is as it was, and the ledger is the bill. */
export async function checkMoney(
  home: Home,
  events: JournalEvent[],
  status: CloudStatus,
  foreignId: string,
): Promise<string[]> {
  const wrongs: string[] = []
  for (const pod of status.pods) if (pod.id !== foreignId) wrongs.push(`pod ${pod.id} (${pod.name}) is ${pod.status}`)
  if (!status.pods.some(pod => pod.id === foreignId)) wrongs.push('the pod of somebody else is gone')
  if (events.some(event => event.ref === foreignId))
    wrongs.push('the journal took the pod of somebody else for its own')
  const cost = await jsonOf(home, 'cost', '--by', 'pod')
  if ('wrong' in cost) return [...wrongs, cost.wrong]
  const { total_usd: total, groups } = cost.value as { total_usd: number; groups: { pod: string; cost_usd: number }[] }
  const ours = status.bills.filter(bill => bill.podId !== foreignId)
  const billed = ours.reduce((sum, bill) => sum + bill.micro, 0)
  const booked = Math.round(total * 1e6)
  if (booked === billed) return wrongs
  const rows = ours.map(bill => {
    const created = events.find(event => event.ref === bill.podId)
    const row = groups.find(group => group.pod === created?.podId)
    return `${bill.name} ${bill.podId}: billed ${bill.micro}, booked ${row ? Math.round(row.cost_usd * 1e6) : 'nothing'}`
  })
  return [...wrongs, `the ledger says ${booked} µ$ and the bill ${billed} µ$ (${rows.join('; ')})`]
}

/** The journal can be read by the next command, and no process or port of the round is left. */
export async function checkRest(home: Home): Promise<string[]> {
  const wrongs: string[] = []
  const alone = await within(ALONE_MAX_MS, () => home.processes().length === 0, 200)
  if (!alone) for (const { pid, command } of home.processes()) wrongs.push(`process ${pid} is left: ${command}`)
  const status = await jsonOf(home, 'status')
  if ('wrong' in status) wrongs.push(status.wrong)
  else {
    const {
      engine,
      runs,
      usd_per_hour: rate,
    } = status.value as {
      engine: boolean
      usd_per_hour: number
      runs: { run_id: string; status: string }[]
    }
    if (engine) wrongs.push('status says that an engine is at work')
    if (rate !== 0) wrongs.push(`status says that ${rate} $ an hour are being spent`)
    for (const run of runs) if (run.status === 'running') wrongs.push(`status says that ${run.run_id} is running`)
  }
  for (const port of await openPorts(home.firstPort)) wrongs.push(`port ${port} is still open`)
  return wrongs
}

async function jsonOf(home: Home, ...args: string[]): Promise<{ value: unknown } | { wrong: string }> {
  const { code, signal, stdout, stderr } = await home.start(...args, '--json', '--provider', 'sandbox').ended
  if (code !== 0) return { wrong: `${args[0]} ended with ${code ?? signal}: ${stderr}` }
  return { value: JSON.parse(stdout) }
}

/** The page about the runs lies beside. */
function outputsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter(name => !/^report(-run_\w+)?\.html$/.test(name))
    .sort()
}

export function referenceOf(home: Home): Reference {
  return new Map(outputsIn(home.outDir).map(name => [name, contentOf(join(home.outDir, name))]))
}

/** Of what can be seen: ComfyUI writes the graph into a PNG's text chunks, and with it the moment's file names. */
function contentOf(path: string): string {
  const file = readFileSync(path)
  if (!path.endsWith('.png')) return digestOf(path)
  const hash = createHash('sha256')
  // Eight bytes of signature; then length, type, data and checksum of each chunk (PNG, ISO/IEC 15948).
  for (let at = 8; at < file.length; ) {
    const end = at + 12 + file.readUInt32BE(at)
    if (file.toString('latin1', at + 4, at + 8) !== 'tEXt') hash.update(file.subarray(at, end))
    at = end
  }
  return hash.digest('hex')
}

function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
