// Names from a pod: what is refused, and that harmless ones pass.
import { expect, test } from 'vitest'
import { lastWords, nameRefusal, podPathRefusal, shownName } from '../../src/edge/untrusted.ts'

const bad: [string, string][] = [
  ['', 'is empty'],
  ['.', 'is a folder'],
  ['..', 'is a folder'],
  ['../x.png', 'leads to another folder'],
  ['a/../../x.png', 'leads to another folder'],
  ['/etc/passwd', 'leads to another folder'],
  ['a/b.png', 'leads to another folder'],
  ['..\\x.png', 'leads to another folder'],
  ['\\\\host\\share', 'leads to another folder'],
  ['C:x.png', 'starts with a drive letter'],
  ['c:\\x.png', 'starts with a drive letter'],
  ['a.png:hidden', 'contains a colon'],
  ['a\0.png', 'contains NUL'],
  ['a\n.png', 'contains control characters'],
  ['\x1b[2J.png', 'contains control characters'],
  ['a\x9b31m.png', 'contains control characters'],
  ['gnp.\u202egpj.exe', 'contains control characters'],
  ['a\ud800.png', 'is not valid Unicode'],
  ['a.', 'ends in a dot or a space'],
  ['a.png ', 'ends in a dot or a space'],
  ['CON', 'is a reserved device name'],
  ['nul.png', 'is a reserved device name'],
  ['Com1.tar.gz', 'is a reserved device name'],
  ['lpt³', 'is a reserved device name'],
  [`${'a'.repeat(232)}.png`, 'is longer than 235 bytes'],
  [`${'ä'.repeat(117)}.png`, 'is longer than 235 bytes'],
]

test.each(bad)('the file name %j is refused, because it %s', (name, why) => {
  expect(nameRefusal(name)).toBe(why)
})

const good = [
  'a.png',
  'ComfyUI_00001_.png',
  '.hidden',
  '...a',
  'a b (1).png',
  'ä日本 🎉.mp4',
  'console.png',
  'com10.png',
  '-rf',
  '$(x).png',
  "it's.png",
]

test.each(good)('the file name %j is taken', name => {
  expect(nameRefusal(name)).toBeNull()
})

test.each([
  ['output/a.png', 'is not an absolute path'],
  ['', 'is not an absolute path'],
  ['/workspace/../etc/passwd', 'leads to another folder'],
  ['/workspace/./a', 'leads to another folder'],
  ['/a\nb', 'contains control characters'],
  ['/a\\b', 'contains a backslash'],
  ['/a\0', 'contains NUL'],
  [`/${'a'.repeat(4095)}`, 'is too long'],
])('the pod path %j is refused, because it %s', (path, why) => {
  expect(podPathRefusal(path)).toBe(why)
})

test('a usual pod path is taken', () => {
  expect(podPathRefusal('/workspace/ComfyUI/output/run-1/über a..b.png')).toBeNull()
})

test('a hostile name cannot steer the screen it is shown on', () => {
  expect(shownName('\x1b[2J\r\nok\u202e')).toBe('\\u001b[2J\\u000d\\u000aok\\u202e')
  expect(shownName('a'.repeat(200))).toHaveLength(80)
})

test('of a complaint the last line is kept, without addresses and never more than a screen shows', () => {
  expect(lastWords('a warning\ncat: \x1b[31mx: No space left on device\r\n')).toBe(
    'cat: [31mx: No space left on device',
  )
  expect(lastWords(`curl: ${'x'.repeat(280)} https://bucket/key?signature=secret`)).not.toContain('secret')
  expect(lastWords('a'.repeat(1_000_000))).toHaveLength(300)
  expect(lastWords('\n')).toBe('')
})
