// What the image nodes of the sandbox's ComfyUI make of pixels.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFolders } from '../../src/sandbox/comfy/folders.ts'
import { type NodeContext, nodeRuns } from '../../src/sandbox/comfy/nodes.ts'
import { blendTable, type Pictures, roundHalfEven, scaledSize } from '../../src/sandbox/comfy/pixels.ts'

let root: string
let context: NodeContext
let steps: [number, number][]
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'pixels-'))
  steps = []
  const step = async (done: number, total: number) => void steps.push([done, total])
  context = { folders: await openFolders(root), prompt: {}, pngInfo: { workflow: { name: 'é' } }, step }
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const run = async (name: string, inputs: Record<string, unknown>) => await nodeRuns[name]!(inputs, context)
const image = async (color: number, width = 4, height = 2, batch_size = 1): Promise<Pictures> => {
  const { values } = await run('EmptyImage', { width, height, batch_size, color })
  return values[0]!
}
const firstPixel = (result: Pictures, frame = 0) => [...result.frames[frame]!.subarray(0, 3)]

describe('image nodes', () => {
  it('fill, invert and repeat', async () => {
    const red = await image(0xff0010)
    expect([red.width, red.height, firstPixel(red)]).toEqual([4, 2, [255, 0, 16]])
    const inverted = (await run('ImageInvert', { image: red })).values[0]!
    expect(firstPixel(inverted)).toEqual([0, 255, 239])
    expect((await run('RepeatImageBatch', { image: red, amount: 3 })).values[0]!.frames).toHaveLength(3)
  })
  it('scale to the size asked for, and keep the ratio for a side of 0', async () => {
    const wide = await image(0x336699, 40, 20)
    const scaled = await run('ImageScale', {
      image: wide,
      upscale_method: 'lanczos',
      width: 0,
      height: 10,
      crop: 'center',
    })
    const { width, height, frames } = scaled.values[0]!
    expect([width, height, frames[0]?.length]).toEqual([20, 10, 600])
    expect(scaledSize(wide, { width: 0, height: 0 })).toEqual({ width: 40, height: 20 })
    const by = await run('ImageScaleBy', { image: wide, upscale_method: 'area', scale_by: 0.5 })
    expect([by.values[0]!.width, by.values[0]!.height]).toEqual([20, 10])
  })
  it('report at least eight steps when they are heavy, one a frame when there are more', async () => {
    const blur = async (frames: number) => {
      steps = []
      await run('ImageBlur', { image: await image(1, 4, 2, frames), blur_radius: 1, sigma: 1 })
      return steps
    }
    expect((await blur(1)).at(-1)).toEqual([8, 8])
    expect(await blur(12)).toHaveLength(12)
  })
  it('crop what lies inside the picture', async () => {
    const cropped = await run('ImageCrop', { image: await image(7, 10, 8), width: 512, height: 3, x: 4, y: 6 })
    expect([cropped.values[0]!.width, cropped.values[0]!.height]).toEqual([6, 2])
  })
  it('bring a second picture to the size of the first before they batch', async () => {
    const both = await run('ImageBatch', { image1: await image(1, 4, 2), image2: await image(2, 9, 9) })
    expect(both.values[0]!.frames.map(frame => frame.length)).toEqual([24, 24])
  })
  it('refuse to blend batches of different lengths', async () => {
    const inputs = {
      image1: await image(1, 4, 2, 2),
      image2: await image(1, 4, 2, 3),
      blend_factor: 1,
      blend_mode: 'normal',
    }
    await expect(run('ImageBlend', inputs)).rejects.toThrow('size of tensor a (2) must match')
  })
  it.each([
    ['normal', 1, 200],
    ['normal', 0, 100],
    ['multiply', 1, 78],
    ['screen', 1, 222],
    ['overlay', 1, 157],
    ['difference', 1, 0],
    ['multiply', 0.5, 89],
  ] as const)('blend 100 with 200 by %s at %d to %d', (mode, factor, result) => {
    expect(blendTable(mode, factor)[100 * 256 + 200]).toBe(result)
  })
  it('give frames that differ their own place in an animation', async () => {
    const two = await run('ImageBatch', { image1: await image(0xff0000, 8, 8), image2: await image(0x0000ff, 8, 8) })
    const images = two.values[0]!
    const common = { images, filename_prefix: 'v/clip', fps: 6 }
    const webp = await run('SaveAnimatedWEBP', { ...common, lossless: true, quality: 80, method: 'default' })
    expect(webp.ui).toEqual({
      images: [{ filename: 'clip_00001_.webp', subfolder: 'v', type: 'output' }],
      animated: [true],
    })
    const info = await sharp(join(root, 'output/v/clip_00001_.webp'), { animated: true }).metadata()
    expect([info.pages, info.pageHeight, info.delay]).toEqual([2, 8, [166, 166]])
    const png = await run('SaveAnimatedPNG', { ...common, compress_level: 4 })
    expect(png.ui).toMatchObject({ images: [{ filename: 'clip_00002_.png' }], animated: [true] })
  })
  it('save pixels without loss, with the prompt in the file', async () => {
    await run('SaveImage', { images: await image(0x0a0b0c), filename_prefix: 'p' })
    const path = join(root, 'output/p_00001_.png')
    const { comments } = await sharp(path).metadata()
    expect(comments).toContainEqual({ keyword: 'workflow', text: '{"name":"\\u00e9"}' })
    expect([...(await sharp(path).raw().toBuffer()).subarray(0, 3)]).toEqual([10, 11, 12])
  })
  it('load a picture with its mask, and call a broken one what Python calls it', async () => {
    const see = { r: 10, g: 20, b: 30, alpha: 0.25 }
    await sharp({ create: { width: 5, height: 3, channels: 4, background: see } })
      .png()
      .toFile(join(root, 'input/a.png'))
    const [loaded, mask] = (await run('LoadImage', { image: 'a.png' })).values
    expect([loaded?.width, loaded?.height, firstPixel(loaded!)]).toEqual([5, 3, [10, 20, 30]])
    expect([mask?.channels, mask?.frames[0]?.length, mask?.frames[0]?.[0]]).toEqual([1, 15, 191])
    writeFileSync(join(root, 'input/bad.png'), 'no picture')
    const broken = run('LoadImage', { image: 'bad.png' })
    await expect(broken).rejects.toMatchObject({ exceptionType: 'PIL.UnidentifiedImageError' })
  })
  it('rounds halves to even, as Python does', () => {
    expect([0.5, 1.5, 2.5, 2.4, 2.6].map(roundHalfEven)).toEqual([0, 2, 2, 2, 3])
  })
})
