// Opening things with the system's own viewer: never through a shell, and never a file that would be run instead of shown.
import { spawn } from 'node:child_process'
import { extname, isAbsolute } from 'node:path'

/** A pod chooses the ending of its outputs; of these, every system makes a picture, a film or a sound. */
const SHOWN = new Set(
  'png jpg jpeg webp gif avif heic tif tiff bmp mp4 webm mov mkv avi m4v mp3 wav flac ogg opus m4a'.split(' '),
)

export function isViewable(path: string): boolean {
  return isAbsolute(path) && SHOWN.has(extname(path).slice(1).toLowerCase())
}

/** Best effort, `target` an absolute path or an http address of ours: on a machine without a desktop the path that was shown is what counts. */
export function openWithSystem(target: string): void {
  const [command, ...args] =
    process.platform === 'darwin'
      ? ['open']
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler']
        : ['xdg-open']
  const child = spawn(command as string, [...args, target], { stdio: 'ignore', detached: true })
  child.on('error', () => {})
  child.unref()
}
