// Picture arithmetic of the image nodes: raw 8-bit frames between nodes, `sharp` for the heavy work.
// A real server keeps floats, so a chain of nodes may differ here by rounding; sizes and frame counts are the same.
import { setImmediate } from 'node:timers/promises'
import sharp from 'sharp'

/** A batch of frames of one size; 3 channels an IMAGE, 1 a MASK. */
export type Pictures = { width: number; height: number; channels: 1 | 3; frames: Buffer[] }

const decode = (image: Pictures, frame: Buffer) =>
  sharp(frame, { raw: { width: image.width, height: image.height, channels: image.channels } })

/** Python's round(): halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1
  return Math.round(value)
}

// sharp has no plain area filter; its linear kernel averages when it shrinks, which is what area does.
const kernels = {
  'nearest-exact': 'nearest',
  bilinear: 'linear',
  area: 'linear',
  bicubic: 'cubic',
  lanczos: 'lanczos3',
} as const

export type Scaling = { method: string; width: number; height: number; crop: string }

/** Width and height after scaling: 0 for one side keeps the ratio, 0 for both keeps the picture. */
export function scaledSize(
  image: Pictures,
  want: { width: number; height: number },
): { width: number; height: number } {
  if (want.width === 0 && want.height === 0) return { width: image.width, height: image.height }
  if (want.width === 0) {
    return { width: Math.max(1, roundHalfEven((image.width * want.height) / image.height)), height: want.height }
  }
  if (want.height === 0) {
    return { width: want.width, height: Math.max(1, roundHalfEven((image.height * want.width) / image.width)) }
  }
  return want
}

export async function scaleFrame(image: Pictures, frame: Buffer, scaling: Scaling): Promise<Buffer> {
  const { width, height } = scaledSize(image, scaling)
  let [left, top] = [0, 0]
  if (scaling.crop === 'center') {
    const [before, after] = [image.width / image.height, width / height]
    if (before > after) left = roundHalfEven((image.width - image.width * (after / before)) / 2)
    if (before < after) top = roundHalfEven((image.height - image.height * (before / after)) / 2)
  }
  const kernel = kernels[scaling.method as keyof typeof kernels] ?? 'linear'
  return await decode(image, frame)
    .extract({ left, top, width: image.width - 2 * left, height: image.height - 2 * top })
    .resize(width, height, { fit: 'fill', kernel })
    .raw()
    .toBuffer()
}

/** The real node cuts its Gaussian off at `radius`; a narrower full Gaussian has the same spread. */
export async function blurFrame(image: Pictures, frame: Buffer, radius: number, sigma: number): Promise<Buffer> {
  let [weights, spread] = [0, 0]
  for (let at = -radius; at <= radius; at++) {
    const weight = Math.exp(-(at * at) / (2 * sigma * sigma))
    weights += weight
    spread += weight * at * at
  }
  const even = Math.sqrt(spread / weights)
  // Below 0.3 sharp refuses, and the eye sees nothing.
  if (even < 0.3) return frame
  return await decode(image, frame).blur(even).raw().toBuffer()
}

export async function invertFrame(image: Pictures, frame: Buffer): Promise<Buffer> {
  return await decode(image, frame).negate({ alpha: false }).raw().toBuffer()
}

export async function cropFrame(
  image: Pictures,
  frame: Buffer,
  area: { left: number; top: number; width: number; height: number },
): Promise<Buffer> {
  return await decode(image, frame).extract(area).raw().toBuffer()
}

const softLight = (a: number, b: number) => {
  if (b <= 0.5) return a - (1 - 2 * b) * a * (1 - a)
  const light = a <= 0.25 ? ((16 * a - 12) * a + 4) * a : Math.sqrt(a)
  return a + (2 * b - 1) * (light - a)
}

const modes: Record<string, (a: number, b: number) => number> = {
  normal: (_, b) => b,
  multiply: (a, b) => a * b,
  screen: (a, b) => 1 - (1 - a) * (1 - b),
  overlay: (a, b) => (a <= 0.5 ? 2 * a * b : 1 - 2 * (1 - a) * (1 - b)),
  soft_light: softLight,
  difference: (a, b) => a - b,
}

/** Result for every pair of byte values, so that a frame costs one look-up a byte. */
export function blendTable(mode: string, factor: number): Uint8Array {
  const blend = modes[mode]
  if (!blend) throw new Error(`Unsupported blend mode: ${mode}`)
  const table = new Uint8Array(0x10000)
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) {
      const mixed = (a / 255) * (1 - factor) + blend(a / 255, b / 255) * factor
      table[a * 256 + b] = Math.round(Math.min(1, Math.max(0, mixed)) * 255)
    }
  }
  return table
}

export async function blendFrame(table: Uint8Array, first: Buffer, second: Buffer): Promise<Buffer> {
  const result = Buffer.allocUnsafe(first.length)
  // In pieces of about 2 ms, so that sockets are served in between.
  const piece = 0x80000
  for (let from = 0; from < first.length; from += piece) {
    const end = Math.min(first.length, from + piece)
    for (let at = from; at < end; at++) result[at] = table[(first[at] ?? 0) * 256 + (second[at] ?? 0)] ?? 0
    await setImmediate()
  }
  return result
}

/** A JPEG of at most 512 pixels a side, as the real server's previews are. */
export async function previewJpeg(image: Pictures, frame: Buffer): Promise<Buffer> {
  return await decode(image, frame)
    .resize(512, 512, { fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 75 })
    .toBuffer()
}

export async function png(image: Pictures, frame: Buffer, compressionLevel: number): Promise<Buffer> {
  return await decode(image, frame).png({ compressionLevel }).toBuffer()
}

export async function animatedWebp(
  image: Pictures,
  options: { fps: number; lossless: boolean; quality: number; effort: number },
): Promise<Buffer> {
  const { width, height, channels, frames } = image
  const raw = { width, height: height * frames.length, channels, pageHeight: height }
  const delay = frames.map(() => Math.trunc(1000 / options.fps))
  const { lossless, quality, effort } = options
  return await sharp(Buffer.concat(frames), { raw }).webp({ lossless, quality, effort, delay, loop: 0 }).toBuffer()
}

/** Reads a picture file, every page of it; the mask is what is transparent, 64x64 of nothing when there is no alpha. */
export async function readPictures(path: string): Promise<{ image: Pictures; mask: Pictures }> {
  const { pages = 1, hasAlpha } = await sharp(path).metadata()
  const image: Pictures = { width: 0, height: 0, channels: 3, frames: [] }
  const mask: Pictures = { width: 64, height: 64, channels: 1, frames: [] }
  for (let page = 0; page < pages; page++) {
    const upright = sharp(path, { page }).autoOrient().toColourspace('srgb')
    const { data, info } = await upright.clone().removeAlpha().raw().toBuffer({ resolveWithObject: true })
    Object.assign(image, { width: info.width, height: info.height })
    image.frames.push(data)
    if (!hasAlpha) {
      mask.frames.push(Buffer.alloc(64 * 64))
      continue
    }
    Object.assign(mask, { width: info.width, height: info.height })
    mask.frames.push(await upright.clone().extractChannel('alpha').negate().raw().toBuffer())
  }
  return { image, mask }
}
