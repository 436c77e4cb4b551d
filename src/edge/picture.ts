// Pictures as small RGB pixels, for terminals. The only door to sharp outside the sandbox; loaded when the first picture comes.

/** Of a preview: a few kilobytes can claim a picture of gigabytes. */
const PIXELS_MAX = 4096 * 4096

/** At most `widthMax` wide, never enlarged; null for what is no picture, or too large for a preview. */
export async function pixelsOf(
  bytes: Uint8Array,
  widthMax: number,
): Promise<{ width: number; height: number; rgb: Uint8Array } | null> {
  const { default: sharp } = await import('sharp')
  try {
    const small = sharp(bytes, { limitInputPixels: PIXELS_MAX })
      .resize({ width: widthMax, withoutEnlargement: true })
      .removeAlpha()
      .toColourspace('srgb')
    const { data, info } = await small.raw().toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, rgb: data }
  } catch {
    return null
  }
}

/** What a camera or a workflow saves; not SVG, which may refer to other files. */
const FORMATS = new Set(['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'])

/** The first frame as a small WebP at most `widthMax` wide and half again as high; null for what is no picture. */
export async function thumbnailOf(
  source: Uint8Array | string,
  widthMax: number,
): Promise<{ width: number; height: number; webp: Uint8Array } | null> {
  const { default: sharp } = await import('sharp')
  try {
    const { format } = await sharp(source).metadata()
    if (!FORMATS.has(format)) return null
    const size = {
      width: widthMax,
      height: Math.round(widthMax * 1.5),
      fit: 'inside',
      withoutEnlargement: true,
    } as const
    const { data, info } = await sharp(source)
      .rotate()
      .resize(size)
      .webp({ quality: 72 })
      .toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, webp: data }
  } catch {
    return null
  }
}
