// What each node does when it runs: the model-free image nodes of the core, on real pixels.
// Heavy nodes report at least eight steps, which the real ones do not: a job on a CPU-only sandbox must be seen to work.
import { createHash, randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { joinFrames, withTexts } from './apng.ts'
import { annotatedPath, type Folders, type FolderType, nextName } from './folders.ts'
import type { Prompt, PromptNode } from './graph.ts'
import {
  animatedWebp,
  blendFrame,
  blendTable,
  blurFrame,
  cropFrame,
  invertFrame,
  type Pictures,
  png,
  readPictures,
  roundHalfEven,
  scaledSize,
  scaleFrame,
} from './pixels.ts'

export type NodeContext = {
  folders: Folders
  prompt: Prompt
  pngInfo: Record<string, unknown>
  /** Tells progress and waits one step; throws when the prompt was interrupted. `frame` is what a preview would show. */
  step(done: number, total: number, image: Pictures, frame: Buffer): Promise<void>
}
export type NodeResult = { values: Pictures[]; ui?: Record<string, unknown[]> }
type NodeRun = (inputs: Record<string, unknown>, context: NodeContext) => Promise<NodeResult>

const minSteps = 8

/** An error with the Python class name a real server would report. */
export function pythonError(exceptionType: string, message: string): Error {
  return Object.assign(new Error(message), { exceptionType })
}

const picture = (value: unknown): Pictures => {
  if (typeof value === 'object' && value !== null && 'frames' in value) return value as Pictures
  throw pythonError('AttributeError', "'NoneType' object has no attribute 'shape'")
}
const number = (value: unknown) => Number(value)

/** Works the frames off, spread over the steps. */
async function inSteps(
  image: Pictures,
  context: NodeContext,
  size: { width: number; height: number },
  work: (frame: Buffer, index: number) => Promise<Buffer>,
): Promise<Pictures> {
  const result: Pictures = { ...image, ...size, frames: [] }
  const total = Math.max(minSteps, image.frames.length)
  for (let done = 1; done <= total; done++) {
    while (result.frames.length < Math.ceil((done * image.frames.length) / total)) {
      const index = result.frames.length
      result.frames.push(await work(image.frames[index] ?? Buffer.alloc(0), index))
    }
    await context.step(done, total, result, result.frames.at(-1) ?? Buffer.alloc(0))
  }
  return result
}

const scaleAll = (
  image: Pictures,
  context: NodeContext,
  method: string,
  width: number,
  height: number,
  crop: string,
) => {
  const scaling = { method, width, height, crop }
  return inSteps(image, context, scaledSize(image, scaling), frame => scaleFrame(image, frame, scaling))
}

/** `image` in the size of `model`, as the real nodes do before they combine two. */
async function fitted(image: Pictures, model: Pictures, method: string): Promise<Pictures> {
  const { width, height } = model
  if (image.width === width && image.height === height) return image
  const frames = image.frames.map(frame => scaleFrame(image, frame, { method, width, height, crop: 'center' }))
  return { ...image, width, height, frames: await Promise.all(frames) }
}

// Python's json.dumps writes ASCII only; PNG texts are Latin-1, so this must as well.
const asciiJson = (value: unknown) =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

async function savePngs(image: Pictures, context: NodeContext, type: FolderType, prefix: string, level: number) {
  const place = await nextName(context.folders[type], prefix, image, new Date())
  const texts: Record<string, string> = { prompt: asciiJson(context.prompt) }
  for (const [key, value] of Object.entries(context.pngInfo)) texts[key] = asciiJson(value)
  const images: unknown[] = []
  for (const [index, frame] of image.frames.entries()) {
    const name = place.name.replaceAll('%batch_num%', String(index))
    const filename = `${name}_${String(place.counter + index).padStart(5, '0')}_.png`
    await writeFile(join(place.folder, filename), withTexts(await png(image, frame, level), texts))
    images.push({ filename, subfolder: place.subfolder, type })
  }
  return { values: [image], ui: { images } }
}

async function saveAnimation(
  image: Pictures,
  context: NodeContext,
  prefix: unknown,
  extension: string,
  encode: () => Promise<Buffer>,
): Promise<NodeResult> {
  await inSteps(image, context, image, async frame => frame)
  const place = await nextName(context.folders.output, String(prefix), image, new Date())
  const filename = `${place.name}_${String(place.counter).padStart(5, '0')}_.${extension}`
  await writeFile(join(place.folder, filename), await encode())
  const images = [{ filename, subfolder: place.subfolder, type: 'output' }]
  return { values: [image], ui: { images, animated: [image.frames.length > 1] } }
}

// One suffix a process, so that previews of two servers on one folder do not collide; the real node does the same.
const previewSuffix = `_temp_${Array.from({ length: 5 }, () => 'abcdefghijklmnopqrstupvxyz'[randomInt(26)]).join('')}`

export const nodeRuns: Record<string, NodeRun> = {
  async EmptyImage(inputs) {
    const [width, height, color] = [number(inputs.width), number(inputs.height), number(inputs.color)]
    const pixel = Buffer.from([(color >> 16) & 0xff, (color >> 8) & 0xff, color & 0xff])
    const frame = Buffer.alloc(width * height * 3, pixel)
    const frames = Array<Buffer>(number(inputs.batch_size)).fill(frame)
    return { values: [{ width, height, channels: 3, frames }] }
  },
  async LoadImage(inputs, { folders }) {
    const path = annotatedPath(folders, String(inputs.image))
    if (!path || !existsSync(path)) {
      throw pythonError('FileNotFoundError', `[Errno 2] No such file or directory: '${path}'`)
    }
    const read = await readPictures(path).catch(() => null)
    if (!read) throw pythonError('PIL.UnidentifiedImageError', `cannot identify image file '${path}'`)
    return { values: [read.image, read.mask] }
  },
  async ImageScale(inputs, context) {
    const image = picture(inputs.image)
    const [width, height] = [number(inputs.width), number(inputs.height)]
    return {
      values: [await scaleAll(image, context, String(inputs.upscale_method), width, height, String(inputs.crop))],
    }
  },
  async ImageScaleBy(inputs, context) {
    const image = picture(inputs.image)
    const by = number(inputs.scale_by)
    const [width, height] = [roundHalfEven(image.width * by), roundHalfEven(image.height * by)]
    if (width < 1 || height < 1) {
      const message = `Input and output sizes should be greater than 0, but got input (H: ${image.height}, W: ${image.width}) output (H: ${height}, W: ${width})`
      throw pythonError('RuntimeError', message)
    }
    return { values: [await scaleAll(image, context, String(inputs.upscale_method), width, height, 'disabled')] }
  },
  async ImageInvert(inputs) {
    const image = picture(inputs.image)
    return { values: [{ ...image, frames: await Promise.all(image.frames.map(frame => invertFrame(image, frame))) }] }
  },
  async ImageBlend(inputs, context) {
    const first = picture(inputs.image1)
    const second = await fitted(picture(inputs.image2), first, 'bicubic')
    const [a, b] = [first.frames.length, second.frames.length]
    if (a !== b && a !== 1 && b !== 1) {
      const message = `The size of tensor a (${a}) must match the size of tensor b (${b}) at non-singleton dimension 0`
      throw pythonError('RuntimeError', message)
    }
    const table = blendTable(String(inputs.blend_mode), number(inputs.blend_factor))
    const base = {
      ...first,
      frames: Array.from({ length: Math.max(a, b) }, (_, at) => first.frames[a === 1 ? 0 : at]!),
    }
    const blended = await inSteps(base, context, base, (frame, at) =>
      blendFrame(table, frame, second.frames[b === 1 ? 0 : at]!),
    )
    return { values: [blended] }
  },
  async ImageBlur(inputs, context) {
    const image = picture(inputs.image)
    const [radius, sigma] = [number(inputs.blur_radius), number(inputs.sigma)]
    return { values: [await inSteps(image, context, image, frame => blurFrame(image, frame, radius, sigma))] }
  },
  async ImageCrop(inputs) {
    const image = picture(inputs.image)
    const [left, top] = [Math.min(number(inputs.x), image.width - 1), Math.min(number(inputs.y), image.height - 1)]
    const width = Math.min(number(inputs.width), image.width - left)
    const height = Math.min(number(inputs.height), image.height - top)
    const frames = image.frames.map(frame => cropFrame(image, frame, { left, top, width, height }))
    return { values: [{ ...image, width, height, frames: await Promise.all(frames) }] }
  },
  async ImageBatch(inputs) {
    const first = picture(inputs.image1)
    const second = await fitted(picture(inputs.image2), first, 'bilinear')
    return { values: [{ ...first, frames: [...first.frames, ...second.frames] }] }
  },
  async RepeatImageBatch(inputs) {
    const image = picture(inputs.image)
    const frames = Array.from({ length: number(inputs.amount) }, () => image.frames).flat()
    return { values: [{ ...image, frames }] }
  },
  SaveImage: (inputs, context) =>
    savePngs(picture(inputs.images), context, 'output', String(inputs.filename_prefix), 4),
  PreviewImage: (inputs, context) => savePngs(picture(inputs.images), context, 'temp', `ComfyUI${previewSuffix}`, 1),
  async SaveAnimatedWEBP(inputs, context) {
    const image = picture(inputs.images)
    const efforts: Record<string, number> = { default: 4, fastest: 0, slowest: 6 }
    const effort = efforts[String(inputs.method)] ?? 4
    const options = {
      fps: number(inputs.fps),
      lossless: inputs.lossless === true,
      quality: number(inputs.quality),
      effort,
    }
    return await saveAnimation(image, context, inputs.filename_prefix, 'webp', () => animatedWebp(image, options))
  },
  async SaveAnimatedPNG(inputs, context) {
    const image = picture(inputs.images)
    const level = number(inputs.compress_level)
    const encode = async () => {
      const frames = await Promise.all(image.frames.map(frame => png(image, frame, level)))
      return joinFrames(frames, Math.trunc(1000 / number(inputs.fps)))
    }
    return await saveAnimation(image, context, inputs.filename_prefix, 'png', encode)
  },
}

/** What decides a node's result besides its inputs: for LoadImage the file's content, so a changed file is read again. */
export async function fingerprint(node: PromptNode, folders: Folders): Promise<string> {
  if (node.class_type !== 'LoadImage') return ''
  const path = annotatedPath(folders, String(node.inputs.image))
  const content = path ? await readFile(path).catch(() => null) : null
  return content ? createHash('sha256').update(content).digest('hex') : ''
}
