// Foreign text on its way into cells: nothing that a terminal would obey, and its width known.
import { expect, test } from 'vitest'
import { newScreen, put, textOf } from '../../src/tui/screen.ts'
import { colourOf, palette } from '../../src/tui/style.ts'
import { clean, cut, cutMiddle, textWidth, wrap } from '../../src/tui/text.ts'

test('control sequences leave nothing behind, 7 or 8 bit, finished or not', () => {
  expect(clean('a\x1b[31mb\x1b[0mc')).toBe('abc')
  expect(clean('a\u009b2Jb\u009d0;title\x07c\x9cd')).toBe('abcd')
  expect(clean('a\x1b]52;c;cHdu\x1b\\b\x1bPq#0\x1b\\c\x1b(0d\x1bMe')).toBe('abcde')
  expect(clean('a\x1b[38;2::1:2:3mb\x1b[?1049')).toBe('ab')
  expect(clean('a\x00\x07\x08\x7fb\r\n\tc')).toBe('ab c')
})

test('invisible and reordering characters are gone, unsure widths get a stand-in', () => {
  expect(clean('\u202etxt.exe\u2066\u200b\u200d\ufeff\u00ad')).toBe('txt.exe')
  expect(clean('e\u0301a\u0300\u0316 Z\u0335\u0321')).toBe('éà Z')
  expect(clean('👩‍👩‍👧 ✅ ⚡')).toBe('▯▯▯ ▯ ▯')
  expect(clean('\ud800x')).toBe('x')
  expect(clean('{red-bg}字')).toBe('{red-bg}字')
})

test('widths, cuts and wraps count cells', () => {
  expect(textWidth('a字b')).toBe(4)
  expect(cut('字字字', 5)).toBe('字字…')
  expect(cut('字字字', 6)).toBe('字字字')
  expect(cut('abc', 2)).toBe('a…')
  expect(cut('abc', 0)).toBe('')
  expect(cutMiddle('lighthouse-small', 12)).toBe('lighth…small')
  expect(cutMiddle('字字字字字字', 7)).toBe('字字…字')
  expect(cutMiddle('job-001', 7)).toBe('job-001')
  expect(wrap('one two three', 8)).toEqual(['one two', 'three'])
  expect(wrap('字字字字', 4)).toEqual(['字字', '字字'])
  expect(wrap('', 8)).toEqual([''])
})

test('a screen never holds half a wide character or a control character', () => {
  const screen = newScreen(6, 1, palette(0), false)
  put(screen, 0, 0, '字字字', 0)
  put(screen, 1, 0, 'x', 0)
  expect(textOf(screen)).toBe(' x字字\n')
  put(screen, 5, 0, '字', 0)
  expect(textOf(screen)).toBe(' x字字\n')
  put(screen, 4, 0, '\x1b\u009b', 0)
  expect(textOf(screen)).toBe(' x字\n')
})

test('colours of pictures are the nearest of the 256', () => {
  expect(colourOf(255, 0, 0)).toBe(196)
  expect(colourOf(0, 0, 0)).toBe(16)
  expect(colourOf(255, 255, 255)).toBe(231)
  expect(colourOf(128, 128, 128)).toBe(244)
})
