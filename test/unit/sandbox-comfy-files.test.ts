// Names, chunks and forms of the sandbox's ComfyUI.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { joinFrames, readChunks, withTexts } from '../../src/sandbox/comfy/apng.ts'
import { nextName } from '../../src/sandbox/comfy/folders.ts'
import { parseForm } from '../../src/sandbox/comfy/multipart.ts'

const solid = (r: number, g: number, b: number) =>
  sharp({ create: { width: 6, height: 4, channels: 3, background: { r, g, b } } })
    .png()
    .toBuffer()

describe('an animated PNG', () => {
  it('numbers controls and frames in one sequence and counts its frames', async () => {
    const apng = joinFrames([await solid(255, 0, 0), await solid(0, 255, 0), await solid(0, 0, 255)], 166)
    const chunks = readChunks(apng).filter(({ type }) => type !== 'pHYs')
    expect(chunks.map(({ type }) => type)).toEqual([
      ...['IHDR', 'acTL', 'fcTL', 'IDAT'],
      ...['fcTL', 'fdAT', 'fcTL', 'fdAT', 'IEND'],
    ])
    expect(chunks[1]?.data.readUInt32BE(0)).toBe(3)
    const sequence = chunks.filter(({ type }) => type === 'fcTL' || type === 'fdAT')
    expect(sequence.map(({ data }) => data.readUInt32BE(0))).toEqual([0, 1, 2, 3, 4])
    expect([sequence[0]?.data.readUInt16BE(20), sequence[0]?.data.readUInt16BE(22)]).toEqual([166, 1000])
  })

  it('shows its first frame to who knows no animation', async () => {
    const apng = joinFrames([await solid(255, 0, 0), await solid(0, 255, 0)], 100)
    const { data, info } = await sharp(apng).raw().toBuffer({ resolveWithObject: true })
    expect([info.width, info.height, ...data.subarray(0, 3)]).toEqual([6, 4, 255, 0, 0])
  })

  it('keeps a PNG readable when texts are added', async () => {
    const told = withTexts(await solid(1, 2, 3), { prompt: '{"1":{}}' })
    const text = readChunks(told).find(({ type }) => type === 'tEXt')
    expect(text?.data.toString('latin1')).toBe('prompt\0{"1":{}}')
    expect((await sharp(told).metadata()).width).toBe(6)
  })
})

describe('the name of the next output', () => {
  let root: string
  const at = new Date(2026, 2, 4, 5, 6, 7)
  const size = { width: 64, height: 48 }
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'names-'))
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  it('is one above the highest that exists, whatever is missing below', async () => {
    for (const name of ['a_00002_.png', 'a_00007_.png', 'ab_00040_.png', 'a_x_.png'])
      writeFileSync(join(root, name), '')
    expect(await nextName(root, 'a', size, at)).toMatchObject({ name: 'a', counter: 8, subfolder: '' })
  })
  it('starts again when the files are gone', async () => {
    expect(await nextName(root, 'gone', size, at)).toMatchObject({ counter: 1 })
  })
  it('knows the size and the time, and leaves other marks alone', async () => {
    const { name } = await nextName(
      root,
      '%width%x%height%-%year%%month%%day%-%hour%%minute%%second%-%date:yy%',
      size,
      at,
    )
    expect(name).toBe('64x48-20260304-050607-%date:yy%')
  })
  it('goes into the subfolder its prefix names', async () => {
    mkdirSync(join(root, 'x/y'), { recursive: true })
    writeFileSync(join(root, 'x/y/z_00003_.webp'), '')
    expect(await nextName(root, 'x/y/z', size, at)).toMatchObject({ subfolder: 'x/y', name: 'z', counter: 4 })
  })
  it.each(['../z', 'x/../../z', '/etc/z'])('never leaves the output folder, not with %s', async prefix => {
    await expect(nextName(root, prefix, size, at)).rejects.toThrow('outside the output folder')
  })
})

describe('a multipart form', () => {
  it('gives back fields and files byte for byte', () => {
    const data = Buffer.from([0, 13, 10, 45, 45, 255, 13, 10])
    const head = (text: string) => Buffer.from(`--b1\r\nContent-Disposition: form-data; ${text}\r\n\r\n`)
    const body = Buffer.concat([
      head('name="image"; filename="a b.png"'),
      data,
      Buffer.from('\r\n'),
      head('name="subfolder"'),
      Buffer.from('job-7\r\n--b1--\r\n'),
    ])
    const form = parseForm('multipart/form-data; boundary="b1"', body)
    expect(form.get('image')).toEqual({ filename: 'a b.png', data })
    expect(form.get('subfolder')).toEqual({ filename: null, data: Buffer.from('job-7') })
  })
  it('refuses a body without a boundary', () => {
    expect(() => parseForm('application/json', Buffer.alloc(0))).toThrow('boundary')
  })
})
