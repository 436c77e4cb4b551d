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
import { facts, order } from '../../src/cli/launch.ts'
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
