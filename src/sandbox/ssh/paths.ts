// Where a path of an SFTP client lies on disk: always inside the pod's folder, whatever it says and wherever links lead.
import { mkdir, realpath } from 'node:fs/promises'
import { basename, dirname, join, posix, resolve, sep } from 'node:path'

export type PodPaths = {
  /** The pod's folder with all links resolved. */
  root: string
  /** The path as the client may go on using it: absolute, normal, inside root; need not exist. */
  absolute(path: string): string
  /** The file itself, links followed. Throws ENOENT, and EACCES when a link leads out of the pod. */
  follow(path: string): Promise<string>
  /** The directory entry: its folder's links followed, not its own. Same errors. */
  entry(path: string): Promise<string>
}

export async function podPaths(folder: string): Promise<PodPaths> {
  await mkdir(folder, { recursive: true })
  const root = await realpath(folder)
  const unresolved = resolve(folder)

  const absolute = (path: string) => {
    const normal = posix.resolve(root, path === '' ? '.' : path)
    if (inside(root, normal)) return normal
    // A pod's own absolute path, such as /workspace/ComfyUI, or the same folder by its unresolved name.
    return inside(unresolved, normal) ? join(root, normal.slice(unresolved.length)) : join(root, normal)
  }
  const follow = async (path: string) => {
    const real = await realpath(absolute(path))
    if (!inside(root, real)) throw Object.assign(new Error(`${path} leads out of the pod`), { code: 'EACCES' })
    return real
  }
  const entry = async (path: string) => {
    const at = absolute(path)
    return at === root ? root : join(await follow(dirname(at)), basename(at))
  }
  return { root, absolute, follow, entry }
}

function inside(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder + sep)
}
