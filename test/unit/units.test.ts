// Money, time and bytes: exact, and never written smaller than they are.
import { expect, test } from 'vitest'
import {
  accrue,
  formatBytes,
  formatClock,
  formatLimit,
  formatShare,
  formatSpan,
  formatUsd,
  microFromUsd,
  usdFromMicro,
} from '../../src/domain/units.ts'

test('what was begun is rounded up to the next micro-dollar', () => {
  expect(accrue(3_600_000, 1)).toBe(1)
  expect(accrue(1, 1)).toBe(1)
  expect(accrue(440_000, 3_600_000)).toBe(440_000)
  expect(accrue(440_000, 3_600_001)).toBe(440_001)
})

test('nothing is charged for no time, no price, or a clock that ran backwards', () => {
  expect([accrue(440_000, 0), accrue(440_000, -5), accrue(0, 1000)]).toEqual([0, 0, 0])
})

test('a dear pod over four months stays exact', () => {
  const fourMonthsMs = 120 * 24 * 3_600_000
  expect(accrue(19_999_999, fourMonthsMs)).toBe(19_999_999 * 120 * 24)
})

test('dollars of others become whole micro-dollars without float dust', () => {
  expect(microFromUsd(0.44)).toBe(440_000)
  expect(microFromUsd(0.1 + 0.2)).toBe(300_000)
  expect(microFromUsd(0.0000001)).toBe(1)
  expect(usdFromMicro(microFromUsd(1.69))).toBe(1.69)
})

test('amounts are written rounded up, small ones with four decimals', () => {
  const texts: [micro: number, text: string][] = [
    [0, '$0.00'],
    [1, '$0.0001'],
    [8_700, '$0.0087'],
    [99_999, '$0.1000'],
    [100_000, '$0.10'],
    [100_001, '$0.11'],
    [1_239_999, '$1.24'],
    [-1, '-$0.0001'],
    [-12_345_678, '-$12.35'],
  ]
  for (const [micro, text] of texts) expect(formatUsd(micro)).toBe(text)
})

test('limits are written as they were set', () => {
  expect([0, 1, 150, 125_000, 500_000, 5_000_000, 12_340_000].map(formatLimit)).toEqual([
    '$0.00',
    '$0.000001',
    '$0.00015',
    '$0.125',
    '$0.50',
    '$5.00',
    '$12.34',
  ])
  expect([1, 20_000, 90_000, 3_600_000].map(formatSpan)).toEqual(['0.001 s', '20 s', '1.5 min', '60 min'])
})

test('durations are written as clocks', () => {
  expect([-1, 0, 42_999, 862_000, 11_100_000].map(formatClock)).toEqual(['0:00', '0:00', '0:42', '14:22', '3:05:00'])
})

test('bytes are written with at most three digits', () => {
  expect([0, 640, 1400, 23_400, 1_400_000, 5_000_000_000].map(formatBytes)).toEqual([
    '0 B',
    '640 B',
    '1.4 kB',
    '23 kB',
    '1.4 MB',
    '5.0 GB',
  ])
})

test('sizes just below the next unit are written in that unit', () => {
  expect(formatBytes(999_999)).toBe('1.0 MB')
})

test('a share of what is there is never told as nothing', () => {
  expect([formatShare(380, 1000), formatShare(4, 1000), formatShare(0, 1000), formatShare(0, 0)]).toEqual([
    '38 %',
    '< 1 %',
    '0 %',
    '–',
  ])
})
