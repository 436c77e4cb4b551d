// Where a report goes: beside the outputs, and never over a file that is not ours or over a newer run's page.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Home } from '../../src/cli/home.ts'
import { folderOf, writeReport } from '../../src/cli/page.ts'
import type { Run } from '../../src/domain/run.ts'
import { keyOf, policyOf, RUN, type Story, specOf, story } from './fleet-story.ts'

const folder = join(tmpdir(), `autopod-place-${process.pid}`)
const targets = (...paths: string[]) =>
  paths.map((target, index) => specOf(`job-${index}`, { outputs: [{ name: 'a', nodeId: '9', target }] }))
const told = (...paths: string[]) =>
  story()
    .run()
    .jobs(...targets(...paths))
const folderFor = (...paths: string[]) => folderOf([...told(...paths).fleet.jobs.values()])
beforeEach(() => mkdirSync(folder))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function written(out: string): Promise<string> {
  return place(told(join(out, 'a.{ext}')))
}

async function place({ fleet }: Story, runId = RUN): Promise<string> {
  const home = { dir: join(folder, 'home'), provider: 'sandbox', cwd: folder } as Home
  return relative(folder, await writeReport(home, fleet, fleet.runs.get(runId) as Run))
}

test('the folder is the deepest that all local outputs share, up to the first placeholder', () => {
  expect(folderFor('/out/a.{ext}', '/out/b-{index}.{ext}')).toBe('/out')
  expect(folderFor('/out/one/a.{ext}', '/out/two/', 'r2://bucket/c.{ext}')).toBe('/out')
  expect(folderFor('/out/{index}/a.{ext}', '/output/b.{ext}')).toBeNull()
  expect(folderFor('r2://bucket/c.{ext}')).toBeNull()
  expect(folderFor(join(homedir(), 'a.{ext}'))).toBeNull()
})

test('a later run replaces the page of an earlier one; a newer page and any other file keep their name', async () => {
  const out = join(folder, 'out')
  const page = join(out, 'report.html')
  expect(await written(out)).toBe('out/report.html')
  expect(await written(out)).toBe('out/report.html')
  writeFileSync(page, readFileSync(page, 'utf8').replaceAll(RUN, 'run_20991122_000000_a1b2c3d4'))
  expect(await written(out)).toBe(`out/report-${RUN}.html`)
  writeFileSync(page, '<h1>Report of somebody else</h1>')
  expect(await written(out)).toBe(`out/report-${RUN}.html`)
  expect(readFileSync(page, 'utf8')).toBe('<h1>Report of somebody else</h1>')
})

test('a run that delivered nothing leaves the page of one that did where it is', async () => {
  const spec = specOf('job-0', { outputs: [{ name: 'a', nodeId: '9', target: join(folder, 'out/a.{ext}') }] })
  const s = story().run().jobs(spec)
  const again = (runId: string) =>
    s.tell(
      { type: 'run.opened', runId, policy: policyOf(), follows: [] },
      { type: 'job.queued', runId, spec },
      { type: 'job.failed', jobKey: `${runId}/job-0`, fault: { kind: 'job', code: 'budget_reached', message: '' } },
    )
  expect(await place(s)).toBe('out/report.html')
  const [second, third] = ['run_20261123_000000_a1b2c3d4', 'run_20261124_000000_a1b2c3d4'] as const
  // Of two that came to nothing the newer one has the last word.
  expect(await place(again(second), second)).toBe('out/report.html')
  expect(await place(s)).toBe(`out/report-${RUN}.html`)
  rmSync(join(folder, 'out'), { recursive: true })
  const file = { name: 'a', path: join(folder, 'out/a.png'), url: null, bytes: 1, sha256: 'ab' }
  const jobKey = keyOf('job-0')
  s.pod('p').start('job-0', 'p').tell({ type: 'attempt.succeeded', jobKey, attempt: 1 })
  s.tell({ type: 'job.completed', jobKey, published: [file] })
  expect(await place(s)).toBe('out/report.html')
  expect(await place(again(third), third)).toBe(`out/report-${third}.html`)
  expect(readFileSync(join(folder, 'out/report.html'), 'utf8')).toContain(RUN)
})

test('without a folder that can be written, the page lies in the home', async () => {
  writeFileSync(join(folder, 'file'), '')
  expect(await written(join(folder, 'file/out'))).toBe(`home/reports/${RUN}.html`)
})
