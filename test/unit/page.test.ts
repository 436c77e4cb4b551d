// The report: one page that needs nothing else, in which nothing from outside is markup, and whose sums are the result document's.
import { expect, test } from 'vitest'
import { resultOf } from '../../src/cli/report.ts'
import { type Review, reviewOf } from '../../src/domain/review.ts'
import type { Run } from '../../src/domain/run.ts'
import { type PageOptions, pageOf, runOfPage } from '../../src/report/page.ts'
import { keyOf, RUN, type Story, specOf, story } from './fleet-story.ts'
import { longNight } from './long-night.ts'

const OPTIONS: PageOptions = {
  shots: new Map(),
  hrefOf: path => encodeURIComponent(path),
  nameOf: path => path,
  zone: () => 90,
  version: '0.1.0',
}
const runOf = (s: Story) => s.fleet.runs.get(RUN) as Run
const reviewed = (s: Story, later = 0): Review => reviewOf(s.fleet, runOf(s), s.now + later)
const microOf = (usd: number) => Math.round(usd * 1e6)
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

const VOID = new Set(['meta', 'img', 'br'])

/** Names of all elements; throws where a tag is not closed, closed twice, or has an attribute without quotes. */
function elementsOf(page: string): string[] {
  const open: string[] = []
  const names: string[] = []
  const body = page.replace('<!doctype html>', '').replace(/<style>[^<]*<\/style>/, '')
  const rest = body.replace(
    /<(\/?)([a-zA-Z0-9]+)((?:\s+[a-zA-Z0-9-]+="[^"<]*")*)\s*(\/?)>/g,
    (_, end, name, __, self) => {
      if (!end) names.push(name)
      if (end && open.pop() !== name) throw new Error(`</${name}> closes ${open.at(-1)}`)
      if (!end && !self && !VOID.has(name)) open.push(name)
      return ''
    },
  )
  if (open.length > 0 || /[<>]/.test(rest))
    throw new Error(`left: ${open.join()} ${/.{0,40}[<>].{0,40}/.exec(rest)?.[0]}`)
  return names
}

test.each([
  ['a thousand jobs of which fifty failed', () => longNight(1000)],
  ['a pod that is not proven gone', () => longNight(30, true)],
  ['a run that ended before anything was rented', () => story().run().jobs('a')],
])('the page and the result document of %s agree to the micro-dollar', (_, told) => {
  const s = told()
  const review = reviewed(s)
  const document = resultOf(s.fleet, runOf(s), s.now, '/')
  expect(review.total).toBe(microOf(document.cost_usd))
  expect(sum(review.entries.map(entry => entry.micro))).toBe(review.total)
  expect(sum(review.causes.map(cause => cause.micro))).toBe(review.total)
  expect(review.jobCosts).toEqual(document.jobs.map(job => microOf(job.cost_usd)))
  const page = pageOf(review, OPTIONS)
  expect(elementsOf(page)).toContain('table')
  const jobs = page.slice(page.indexOf('<h2>Jobs</h2>'), page.indexOf('<h2>Pods</h2>') >>> 0)
  const figures = [...jobs.matchAll(/<data value="(\d+)">/g)].map(([, value]) => Number(value))
  expect(figures.pop()).toBe(review.total)
  expect(sum(figures)).toBe(review.total)
})

test('failures are told by cause: what was lost for good first, what another try mended and what broke before it had work', () => {
  const { failures, jobs, waste, causes } = reviewed(longNight(1000))
  expect(
    failures.map(({ code, jobs: lost, recovered, attempts, pods }) => [
      code,
      lost.length,
      recovered.length,
      attempts,
      pods.length,
    ]),
  ).toEqual([
    ['memory_exhausted', 25, 0, 25, 0],
    ['model_missing', 25, 0, 25, 0],
    ['boot_late', 0, 0, 0, 1],
    ['link_dead', 0, 1, 1, 0],
  ])
  const failed = causes.find(({ cause }) => cause === 'failed')
  // Pods that broke while they booted are not in it: their time is `boot`.
  expect(sum(failures.filter(failure => failure.pods.length === 0).map(({ micro }) => micro))).toBe(failed?.micro)
  expect(waste).toBeGreaterThan(failed?.micro ?? 0)
  expect(jobs.filter(job => job.status === 'failed')).toHaveLength(50)
})

test('nothing from outside is markup, turns the text round, or leads somewhere else', () => {
  const evil = '<script>alert(1)</script>"\' onload=x & \u202egnp.exe\u0007\u001b[31m'
  const s = story().run()
  s.jobs(specOf('a', { jobId: evil }), specOf('b'))
  s.pod('pod-0001', 'ready', { gpuName: evil }).start('b', 'pod-0001').wait(1000)
  const fault = { kind: 'job' as const, code: evil, message: evil, hint: evil, node: { id: evil, classType: 'x"><b>' } }
  s.tell({ type: 'job.failed', jobKey: keyOf(evil), fault })
  const published = [{ name: evil, path: `/out/${evil}.png`, url: null, bytes: 1, sha256: 'ab' }]
  s.tell(
    { type: 'attempt.succeeded', jobKey: keyOf('b'), attempt: 1 },
    { type: 'job.completed', jobKey: keyOf('b'), published },
  )
  s.tell({ type: 'pod.release_requested', podId: 'pod-0001', cause: evil })
  const shots = new Map([[keyOf('b'), { src: 'data:image/webp;base64,AAAA', width: 4, height: 3, isPreview: false }]])
  const page = pageOf(reviewed(s), { ...OPTIONS, shots })
  expect(elementsOf(page).filter(name => ['script', 'iframe', 'link', 'object', 'b'].includes(name))).toEqual([])
  expect(page).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
  expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onload=x &amp; �gnp.exe��[31m')
  expect(page).toMatch(/Content-Security-Policy" content="default-src 'none'; img-src data:; /)
  const addresses = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address)
  expect(addresses).toContain('data:image/webp;base64,AAAA')
  for (const address of addresses) expect(address).toMatch(/^data:image\/webp;base64,|^%2Fout%2F/)
})

test('a run without pods and a run under way have a page, too; a page knows whose it is', () => {
  const page = pageOf(reviewed(story().run().jobs('a')), OPTIONS)
  expect(page).toContain('still running</span> – 0 of 1 job done, 1 not run')
  expect(page).toContain('2026-11-22 01:30:00')
  expect(page).toContain('UTC+01:30')
  expect(runOfPage(page.slice(0, 1000))).toBe(RUN)
  expect(runOfPage('<html><title>a report of somebody else</title>')).toBeNull()
})

test('a pod that is not proven gone is the first thing said, with what ends it', () => {
  const page = pageOf(reviewed(longNight(30, true), 60_000), OPTIONS)
  expect(page.indexOf('pod-0008 is not proven gone')).toBeGreaterThan(0)
  expect(page.indexOf('pod-0008 is not proven gone')).toBeLessThan(page.indexOf('<h2>'))
  expect(page).toContain('<code>autopod kill pod-0008</code>')
})

test('a long night with every picture stays a page of a few megabytes', () => {
  const review = reviewed(longNight(1000))
  const src = `data:image/webp;base64,${'A'.repeat(4000)}`
  const shots = new Map(review.jobs.map(job => [job.key, { src, width: 160, height: 90, isPreview: false }]))
  const page = pageOf(review, { ...OPTIONS, shots })
  expect(page.length - 1000 * 4000).toBeLessThan(1_000_000)
  expect(page.match(/<img /g)).toHaveLength(1000)
})
