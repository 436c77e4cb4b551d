// The folders of one ComfyUI (`--base-directory`): where they lie, what may be reached in them, what is listed.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path'

/** Names of GET /models, in the real server's order (ComfyUI 0.33.0, 2026-08). */
export const modelFolders = [
  'checkpoints',
  'configs',
  'loras',
  'vae',
  'text_encoders',
  'diffusion_models',
  'clip_vision',
  'style_models',
  'embeddings',
  'diffusers',
  'vae_approx',
  'controlnet',
  'gligen',
  'upscale_models',
  'latent_upscale_models',
  'custom_nodes',
  'datasets',
  'hypernetworks',
  'photomaker',
  'classifiers',
  'model_patches',
  'audio_encoders',
  'background_removal',
  'frame_interpolation',
  'geometry_estimation',
  'optical_flow',
  'detection',
]

export type FolderType = 'input' | 'output' | 'temp'
export type Folders = { root: string } & Record<FolderType, string>

const imageExtensions = new Set(['.png', '.jpg', '.jpeg', '.webp', '.gif', '.bmp', '.tif', '.tiff', '.avif', '.svg'])

/** Makes what is missing and empties temp, as the real server does at every start. */
export async function openFolders(rootFolder: string): Promise<Folders> {
  const root = resolve(rootFolder)
  const at = (name: string) => join(root, name)
  rmSync(at('temp'), { recursive: true, force: true })
  const names = ['input', 'output', 'temp', ...modelFolders.map(modelFolder)]
  await Promise.all(names.map(name => mkdir(at(name), { recursive: true })))
  return { root, input: at('input'), output: at('output'), temp: at('temp') }
}

const modelFolder = (name: string) => (name === 'custom_nodes' || name === 'datasets' ? name : `models/${name}`)

export function isFolderType(name: string): name is FolderType {
  return name === 'input' || name === 'output' || name === 'temp'
}

/** True when `path` is `folder` or lies in it. */
export function isInside(folder: string, path: string): boolean {
  const full = resolve(path)
  return full === folder || full.startsWith(folder + sep)
}

/** A LoadImage value, "sub/a.png" or "a.png [output]", as a path; null when it leaves its folder. */
export function annotatedPath(folders: Folders, name: string): string | null {
  const match = /^(.*) \[(input|output|temp)\]$/.exec(name)
  const folder = folders[(match?.[2] ?? 'input') as FolderType]
  const path = resolve(folder, match?.[1] ?? name)
  return isInside(folder, path) ? path : null
}

export function imagesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isFile())
  return files
    .map(entry => entry.name)
    .filter(name => imageExtensions.has(extname(name).toLowerCase()))
    .sort()
}

/** Where the models of each kind lie, for GET /internal/folder_paths. */
export function modelPaths(folders: Folders): Record<string, string[]> {
  return Object.fromEntries(modelFolders.map(name => [name, [join(folders.root, modelFolder(name))]]))
}

/** Files under models/<name>, as paths with forward slashes; null when there is no such folder. */
export async function modelsIn(folders: Folders, name: string): Promise<string[] | null> {
  if (!modelFolders.includes(name)) return null
  const folder = join(folders.root, modelFolder(name))
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])
  const files = entries.filter(entry => entry.isFile())
  return files.map(entry => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/')).sort()
}

/**
 * Where the next file of this prefix goes. Counter = highest existing one + 1, so deleting files makes names repeat
 * (recording 02). Throws a plain Error, with the real server's words, when the prefix leaves the folder.
 */
export async function nextName(
  folder: string,
  prefix: string,
  size: { width: number; height: number },
  now: Date,
): Promise<{ folder: string; subfolder: string; name: string; counter: number }> {
  const two = (value: number) => String(value).padStart(2, '0')
  const values: Record<string, string> = {
    width: String(size.width),
    height: String(size.height),
    year: String(now.getFullYear()),
    month: two(now.getMonth() + 1),
    day: two(now.getDate()),
    hour: two(now.getHours()),
    minute: two(now.getMinutes()),
    second: two(now.getSeconds()),
  }
  const expanded = prefix.replace(/%(\w+)%/g, (whole, name: string) => values[name] ?? whole)
  const full = resolve(folder, expanded)
  const [target, name] = full === folder ? [folder, '.'] : [dirname(full), basename(full)]
  if (!isInside(folder, target)) {
    throw new Error(
      `**** ERROR: Saving image outside the output folder is not allowed.\n full_output_folder: ${target}\n output_dir: ${folder}`,
    )
  }
  await mkdir(target, { recursive: true })
  const taken = (await readdir(target))
    .filter(file => file.startsWith(`${name}_`))
    .map(file => Number.parseInt(file.slice(name.length + 1).split('_')[0] ?? '', 10))
    .filter(Number.isFinite)
  return { folder: target, subfolder: relative(folder, target), name, counter: Math.max(0, ...taken) + 1 }
}
