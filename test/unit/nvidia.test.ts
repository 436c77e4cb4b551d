// nvidia-smi's lines: numbers, brackets, several cards, and the words it says instead when a driver is broken.
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readGpuLine, sumGpus } from '../../src/wire/nvidia.ts'

const fixtures = new URL('../../fixtures/wire/nvidia/', import.meta.url)
const lines = (name: string) => readFileSync(new URL(name, fixtures), 'utf8').split('\n').map(readGpuLine)
const samples = (name: string) => lines(name).flatMap(line => (line.kind === 'sample' ? [line.sample] : []))

describe('nvidia-smi', () => {
  test('a line of one card becomes numbers', () => {
    expect(readGpuLine('98 %, 41 %, 38912 MiB, 46068 MiB')).toEqual({
      kind: 'sample',
      sample: { gpuUtil: 98, memUtil: 41, vramUsedMiB: 38912, vramTotalMiB: 46068 },
    })
  })

  test('a value in brackets is not told, not zero', () => {
    expect(samples('mig.txt')).toEqual([{ gpuUtil: null, memUtil: null, vramUsedMiB: 1024, vramTotalMiB: 20096 }])
    expect(samples('not-supported.txt')[0]).toEqual({
      gpuUtil: null,
      memUtil: null,
      vramUsedMiB: 512,
      vramTotalMiB: 16384,
    })
  })

  test('several cards are one pod: the mean of their use, the sum of their memory', () => {
    expect(samples('two-gpus.txt')).toHaveLength(2)
    expect(sumGpus(samples('two-gpus.txt'))).toEqual({
      gpuUtil: 50,
      memUtil: 21,
      vramUsedMiB: 38912 + 3,
      vramTotalMiB: 2 * 46068,
    })
  })

  test('a card that does not tell its use does not pull the mean down', () => {
    const idle = { gpuUtil: null, memUtil: null, vramUsedMiB: null, vramTotalMiB: null }
    const busy = { gpuUtil: 80, memUtil: 40, vramUsedMiB: 10, vramTotalMiB: 20 }
    expect(sumGpus([idle, busy])).toEqual({ gpuUtil: 80, memUtil: 40, vramUsedMiB: 10, vramTotalMiB: 20 })
    expect(sumGpus([])).toBeNull()
  })

  const troubles = readdirSync(fixtures).filter(name => name.startsWith('trouble-'))
  test.each(troubles)('%s is trouble, never a sample', name => {
    const kinds = lines(name).map(line => line.kind)
    expect(kinds).not.toContain('sample')
    expect(kinds).toContain('trouble')
  })

  test('a line cut off in the middle is no sample', () => {
    expect(readGpuLine('98 %, 41 %, 389').kind).toBe('trouble')
    expect(readGpuLine('98 %, 41 %, 38912 MiB, ').kind).toBe('trouble')
    expect(readGpuLine('  ').kind).toBe('blank')
  })
})
