// From files to a run in the journal: two runs that start in the same moment, each looking before the other has written.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parse } from '../../src/cli/args.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { type Follow, view } from '../../src/cli/follow.ts'
import type { Home } from '../../src/cli/home.ts'
import { facts, order, type Quote, withoutImpossible } from '../../src/cli/launch.ts'
import type { FaultData } from '../../src/domain/fault.ts'
import { loadSettings } from '../../src/edge/config.ts'

const picture = fileURLToPath(new URL('../../fixtures/inputs/lighthouse.jpg', import.meta.url))
let folder: string
let home: Home
let looking: Follow[]

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'launch-')))
  const loaded = loadSettings({ home: folder, cwd: folder })
  home = { dir: join(folder, 'home'), provider: 'sandbox', settings: {}, loaded, cwd: folder }
  looking = [view(home), view(home)]
})
afterEach(async () => {
  for (const follow of looking) await follow.close()
  rmSync(folder, { recursive: true })
})

function file(name: string, target: string): string {
  mkdirSync(join(folder, 'jobs'), { recursive: true })
  const path = join(folder, 'jobs', `${name}.json`)
  writeFileSync(
    path,
    JSON.stringify({ workflow_template: 'resize', inputs: { image: picture }, outputs: { image: target } }),
  )
  return path
}

const run = COMMANDS.find(command => command.name === 'run')

/** Both look, then both write; what the second is told, and whether it was written. */
async function twoAtOnce(first: string, second: string, ...flags: string[]) {
  if (!run) throw new Error('no command run')
  const [one, other] = looking as [Follow, Follow]
  const paths = [first, second]
  const { flags: given } = parse(run, flags)
  const [before, late] = await Promise.all(
    [one, other].map((follow, at) => order(home, [paths[at] as string], given, follow.fleet)),
  )
  if (!before || !late) throw new Error('nothing ordered')
  one.record(fleet => facts(before, home.cwd, fleet))
  let told: unknown = null
  try {
    other.record(fleet => facts(late, home.cwd, fleet))
  } catch (error) {
    told = error
  }
  return { told, before, late, fleet: other.fleet }
}

test.each([[], ['--again']])(
  'a target that another run took after it was looked at is refused when the run is written',
  async (...flags) => {
    const first = file('a', './out/same.png')
    const { told, before, late, fleet } = await twoAtOnce(first, file('b', './out/same.{ext}'), ...flags)
    const what = `will be written by a of ${before.runId}, which is under way, and would be written over`
    expect(told).toMatchObject({
      data: {
        kind: 'job',
        code: 'job_file_invalid',
        message: `jobs/b.json: outputs.image: ${join(folder, 'out/same.{ext}')} ${what}`,
      },
    })
    expect(fleet.runs.has(late.runId)).toBe(false)
    expect([...fleet.jobs.keys()]).toEqual([`${before.runId}/a`])
  },
)

test('a job that another run began after it was looked for is followed, not rendered twice', async () => {
  const path = file('a', './out/')
  const { told, before, late, fleet } = await twoAtOnce(path, path)
  expect(told).toBe(null)
  expect([...fleet.jobs.keys()]).toEqual([`${before.runId}/a`])
  expect(fleet.runs.get(late.runId)?.follows).toEqual([`${before.runId}/a`])
})

test('a job that no GPU can ever serve is queued as failed beside others, and alone begins no run', async () => {
  if (!run) throw new Error('no command run')
  const [one] = looking as [Follow, Follow]
  const paths = [file('a', './out/a.png'), file('b', './out/b.png')]
  const ordered = await order(home, paths, parse(run, []).flags, one.fleet)
  const refused: FaultData = { kind: 'capacity', code: 'gpu_impossible', message: 'no GPU type has it', hint: 'x' }
  const quotes = (ids: string[]): Quote[] =>
    ordered.specs.map(spec => {
      const why = ids.includes(spec.jobId) ? refused : null
      return { spec, offer: null, worst: null, refused: why, unknown: [] }
    })
  one.record(fleet => facts(withoutImpossible(ordered, quotes(['b'])), home.cwd, fleet))
  const jobs = [...one.fleet.jobs.values()]
  expect(jobs.map(job => [job.spec.jobId, job.status, job.fault])).toEqual([
    ['a', 'waiting', null],
    ['b', 'failed', refused],
  ])
  expect(() => withoutImpossible(ordered, quotes(['a', 'b']))).toThrow('a: no GPU type has it\nb: no GPU type has it')
})
