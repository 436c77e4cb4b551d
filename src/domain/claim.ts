// Who may write a file: an output is claimed by the job under way that will write it, and what is there belongs to whoever put it there.
import type { Fleet } from './fleet.ts'
import { isSettled, type Job } from './job.ts'

/**
 * A job under way that may write what `target` names; null when none can. Targets in which {index} or {ext} stay collide when any file
 * could be meant by both. In folders (a trailing `/`) files keep their own names: those are told apart when they are known.
 */
export function claimantOf(fleet: Fleet, target: string): Job | null {
  if (target.endsWith('/')) return null
  for (const job of fleet.jobs.values()) {
    if (isSettled(job) || fleet.runs.get(job.runId)?.status !== 'running') continue
    if (job.spec.outputs.some(output => !output.target.endsWith('/') && meet(output.target, target))) return job
  }
  return null
}

/**
 * With --again: what is at `place` (an absolute path or `r2://…`) is, byte for byte, what a job of this home put there before `job` was queued. What came later, nobody agreed to
 * lose: the look at targets when a job is queued did not see it.
 */
export function mayReplace(fleet: Fleet, job: Job, place: string, sha256: string): boolean {
  if (!fleet.runs.get(job.runId)?.policy.again) return false
  for (const other of fleet.jobs.values())
    if (other.settledAt !== null && other.settledAt <= job.queuedAt)
      if (other.published.some(file => (file.path ?? file.url) === place && file.sha256 === sha256)) return true
  return false
}

/** Whether two targets could name the same file: the paths through both patterns, walked together. */
function meet(one: string, other: string): boolean {
  if (one === other) return true
  const [began = '', otherBegan = ''] = [one.split('{', 1)[0], other.split('{', 1)[0]]
  // Nearly all pairs of a large batch end here: the walk takes far longer.
  if (!began.startsWith(otherBegan) && !otherBegan.startsWith(began)) return false
  if (!one.includes('{') && !other.includes('{')) return false
  const a = signsOf(one)
  const b = signsOf(other)
  const seen = new Set<number>()
  const walk = (i: number, j: number): boolean => {
    const place = i * (b.length + 1) + j
    if (seen.has(place)) return false
    seen.add(place)
    const [x, y] = [a[i], b[j]]
    if (!x && !y) return true
    if (x?.repeats && walk(i + 1, j)) return true
    if (y?.repeats && walk(i, j + 1)) return true
    return !!x && !!y && agree(x, y) && walk(x.repeats ? i : i + 1, y.repeats ? j : j + 1)
  }
  return walk(0, 0)
}

/** One place of a pattern: the characters that may stand there, and whether they may also be none or many. */
type Sign = { among: string; repeats: boolean }

const DIGITS = '0123456789'
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'
const AMONG: Record<string, string> = {
  '{index}': DIGITS,
  '{ext}': DIGITS + LETTERS + LETTERS.toUpperCase(),
}

function signsOf(target: string): Sign[] {
  return target.split(/(\{index\}|\{ext\})/).flatMap(part => {
    const among = AMONG[part]
    if (!among) return [...part].map(sign => ({ among: sign, repeats: false }))
    return [false, true].map(repeats => ({ among, repeats }))
  })
}

function agree(x: Sign, y: Sign): boolean {
  return [...x.among].some(sign => y.among.includes(sign))
}
