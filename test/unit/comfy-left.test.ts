// A farewell read as the end of one prompt: only what ended well and was saved whole is an attempt's output.
import { expect, test } from 'vitest'
import { leftFiles } from '../../src/edge/executors/comfy-left.ts'
import type { Farewell } from '../../src/ports.ts'
import { taskWith } from '../contract/courier-worlds.ts'

const task = { ...taskWith(), promptId: 'p1' }
const image = (filename: string) => ({ filename, subfolder: 'run1-job-1', type: 'output' })
const entry = (status_str: string, ...names: string[]) => ({
  outputs: { '9': { images: names.map(image) } },
  status: { status_str, messages: [] },
})
const saved = (path: string, isSaved = true) => ({ path, bytes: 1, sha256: 'a'.repeat(64), saved: isSaved })

function farewell(history: unknown, files: Farewell['files'], tarKey: string | null = 'farewell/pod.tar'): Farewell {
  const told = { pod: 'pod', podId: 'ref', reason: 'lease', prompt: 'none', ageMs: 1, silentMs: 1 } as const
  const tar = { bytes: 1, sha256: 'b'.repeat(64) }
  return { ...told, tar, tarAt: 'bucket', tarKey, files, log: '', comfyLog: null, history }
}

test('the files that the history names are the outputs, in its order, and nothing beside them', () => {
  const files = [saved('run1-job-1/b.png'), saved('run1-job-1/a.png'), saved('other/c.png')]
  const left = leftFiles(task, farewell({ p1: entry('success', 'a.png', 'b.png') }, files))
  expect(left?.files.map(({ podPath, nodeId }) => [podPath, nodeId])).toEqual([
    ['run1-job-1/a.png', '9'],
    ['run1-job-1/b.png', '9'],
  ])
})

test.each([
  ['a prompt that failed or was interrupted', { p1: entry('error', 'a.png') }, true],
  ['another prompt', { p2: entry('success', 'a.png') }, true],
  ['a file that did not fit into the tar', { p1: entry('success', 'a.png') }, false],
  ['a target without a file', { p1: entry('success') }, true],
  ['a history that is none', 'NaN', true],
])('%s is no output', (_, history, isSaved) => {
  expect(leftFiles(task, farewell(history, [saved('run1-job-1/a.png', isSaved)]))).toBeNull()
})

test('a tar that went down with its pod gives nothing', () => {
  const files = [saved('run1-job-1/a.png')]
  expect(leftFiles(task, farewell({ p1: entry('success', 'a.png') }, files, null))).toBeNull()
})
