// Pictures from outside, as small pixels for terminals.
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { pixelsOf } from '../../src/edge/picture.ts'

const png = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#102030' } })
    .png({ compressionLevel: 1 })
    .toBuffer()

test('a picture becomes pixels of the width that is wanted, never larger than it is', async () => {
  expect(await pixelsOf(await png(100, 50), 64)).toMatchObject({ width: 64, height: 32 })
  expect((await pixelsOf(await png(10, 5), 64))?.rgb.subarray(0, 3)).toEqual(Buffer.from([0x10, 0x20, 0x30]))
})

test('what is no picture, or claims more pixels than any preview has, is none', async () => {
  expect(await pixelsOf(Buffer.from('<svg'), 64)).toBe(null)
  expect(await pixelsOf(await png(4097, 4096), 64)).toBe(null)
})
