// Which files may be given to the system's viewer: what would be run instead of shown may not.

/** A pod chooses the ending of its outputs; of these, every system makes a picture, a film or a sound. */
const SHOWN = new Set(
  'png jpg jpeg webp gif avif heic tif tiff bmp mp4 webm mov mkv avi m4v mp3 wav flac ogg opus m4a'.split(' '),
)

export function isViewable(path: string): boolean {
  return SHOWN.has((/\.(\w+)$/.exec(path)?.[1] ?? '').toLowerCase())
}
