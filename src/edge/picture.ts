// Pictures as small RGB pixels, for terminals. The only door to sharp outside the sandbox; loaded when the first picture comes.

/** At most `widthMax` wide, never enlarged; null for what is no picture. */
export async function pixelsOf(
  bytes: Uint8Array,
  widthMax: number,
): Promise<{ width: number; height: number; rgb: Uint8Array } | null> {
  const { default: sharp } = await import('sharp')
  try {
    const small = sharp(bytes).resize({ width: widthMax, withoutEnlargement: true }).removeAlpha().toColourspace('srgb')
    const { data, info } = await small.raw().toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, rgb: data }
  } catch {
    return null
  }
}
