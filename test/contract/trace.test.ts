// What pods say, kept in files: bounded, whatever they say and how fast.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openTrace, podLogPath } from '../../src/edge/trace.ts'

test('of a pod that floods its log, so many lines a second are kept, and how many are not is told', () => {
  const home = mkdtempSync(join(tmpdir(), 'trace-'))
  onTestFinished(() => rmSync(home, { recursive: true }))
  let now = 5_000_000
  const clock = { now: () => now, sleep: () => Promise.resolve(), uuid: () => '' }
  const trace = openTrace(home, clock)
  for (let line = 0; line < 3000; line++) trace.pod('pod-0001', `line ${line}`, null)
  trace.pod('pod-0002', 'another pod', null)
  now += 1000
  trace.pod('pod-0001', 'after it', null)
  const lines = readFileSync(podLogPath(home, 'pod-0001'), 'utf8').trimEnd().split('\n')
  expect(lines).toHaveLength(2002)
  expect(lines[1999]).toMatch(/ line 1999$/)
  expect(lines.slice(2000).map(line => line.slice(25))).toEqual(['… 1000 lines of one second are left out', 'after it'])
  expect(readFileSync(podLogPath(home, 'pod-0002'), 'utf8')).toMatch(/ another pod$/m)
})
