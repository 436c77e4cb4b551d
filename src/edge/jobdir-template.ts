// Finds and reads templates: by name in the template folders, or by path; a bare API-format graph is one too.
import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import type { Graph } from '../domain/job.ts'
import { didYouMean } from '../domain/nearest.ts'
import { checkTemplate, type Param, type Template } from '../domain/template.ts'
import * as wire from '../wire/files-template.ts'
import { type Flaw, type Read, readJson, schemaFlaws, shownPath } from './jobdir-read.ts'

export type TemplateOptions = {
  /** Folder of the command. */
  cwd: string
  /** Searched in order; the first that has the name wins. Folders that do not exist are passed over. */
  templateDirs: string[]
  /** Folder of the job file that names the template. */
  jobFolder?: string
}

const keys = {
  '': Object.keys(wire.templateFile.shape),
  autopod: Object.keys(wire.header.shape),
  'autopod.requires': ['models', 'nodes', 'vram_gb', 'note'],
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A workflow as ComfyUI's editor saves it by default: it has what the screen needs, not what the server runs. */
export function isEditorFormat(value: unknown): boolean {
  return isRecord(value) && Array.isArray(value.nodes) && Array.isArray(value.links)
}

/** Looks like a graph in API format. */
export function isGraph(value: unknown): boolean {
  if (!isRecord(value)) return false
  const nodes = Object.values(value)
  return nodes.length > 0 && nodes.some(node => isRecord(node) && typeof node.class_type === 'string')
}

function graphFlaw(file: string, place: string, raw: unknown): Flaw | null {
  const remedy = 'In ComfyUI: Workflow > Export (API), in older versions Save (API Format).'
  if (isEditorFormat(raw)) {
    const what = "is a workflow in the editor's format (it has nodes and links), not in API format"
    return { file, place, what, remedy: `Export it with ${remedy.slice('In ComfyUI: '.length)}` }
  }
  if (isRecord(raw) && Object.keys(raw).length === 0) return { file, place, what: 'has no nodes', remedy }
  return null
}

/** Without the keys of a node that only the editor uses. */
function plainGraph(nodes: TemplateNodes): Graph {
  return Object.fromEntries(
    Object.entries(nodes).map(([id, node]) => {
      const title = node._meta?.title
      const plain = { class_type: node.class_type, inputs: node.inputs }
      return [id, title === undefined ? plain : { ...plain, _meta: { title } }]
    }),
  )
}
type TemplateNodes = wire.TemplateFile['workflow']

function parse(path: string, file: string, raw: unknown): Read<Template> {
  const base = { name: basename(path, extname(path)), path }
  if (isRecord(raw) && ('autopod' in raw || 'workflow' in raw)) {
    const early = graphFlaw(file, 'workflow', raw.workflow)
    if (early) return { flaws: [early] }
    const parsed = wire.templateFile.safeParse(raw)
    if (!parsed.success) return { flaws: schemaFlaws(file, raw, parsed.error.issues, keys) }
    const { autopod, workflow } = parsed.data
    const outputs = Object.entries(autopod.outputs).map(([name, output]) => {
      return [name, typeof output === 'string' ? { node: output, kind: null } : { kind: null, ...output }]
    })
    const template: Template = {
      ...base,
      description: autopod.description,
      params: autopod.params as Record<string, Param>,
      inputs: autopod.inputs,
      outputs: Object.fromEntries(outputs),
      requires: { models: autopod.requires.models, nodes: autopod.requires.nodes, vramGb: autopod.requires.vram_gb },
      graph: plainGraph(workflow),
    }
    return { value: template }
  }
  const early = graphFlaw(file, '', raw)
  if (early) return { flaws: [early] }
  if (!isGraph(raw)) {
    const inner = isRecord(raw) && isGraph(raw.prompt)
    const what = inner
      ? 'is a request to POST /prompt, not a template'
      : 'is no template: neither a ComfyUI graph in API format nor {"autopod", "workflow"}'
    const remedy = inner ? 'Keep only what is under "prompt".' : 'Export the workflow from ComfyUI: Export (API).'
    return { flaws: [{ file, place: '', what, remedy }] }
  }
  const parsed = wire.graph.safeParse(raw)
  if (!parsed.success) return { flaws: schemaFlaws(file, raw, parsed.error.issues, {}) }
  const requires = { models: [], nodes: [], vramGb: 0 }
  const graph = plainGraph(parsed.data)
  return { value: { ...base, description: '', params: null, inputs: null, outputs: {}, requires, graph } }
}

/** One template file, checked. */
export async function readTemplateFile(path: string, cwd: string): Promise<Read<Template>> {
  const file = shownPath(path, cwd)
  const raw = await readJson(path, cwd)
  if ('flaws' in raw) return raw
  const template = parse(path, file, raw.value)
  if ('flaws' in template) return template
  const problems = checkTemplate(template.value)
  if (problems.length === 0) return template
  return {
    flaws: problems.map(problem => ({ file, place: problem.place, what: problem.what, remedy: problem.remedy })),
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    info => info.isFile(),
    () => false,
  )
}

/** Every template file by name, in the order of the folders; the first of a name counts. */
export async function templatePaths(dirs: string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const dir of dirs) {
    const names = await readdir(dir).catch(() => [] as string[])
    for (const name of names.sort()) {
      const stem = basename(name, '.json')
      if (name.endsWith('.json') && !name.startsWith('.') && !found.has(stem)) found.set(stem, resolve(dir, name))
    }
  }
  return found
}

/** Where the template of that name or path lies, or what was tried. */
export async function findTemplate(
  nameOrPath: string,
  options: TemplateOptions,
): Promise<{ path: string } | { what: string; remedy: string }> {
  if (nameOrPath.includes('\0')) return { what: 'contains a NUL character', remedy: 'Correct the path.' }
  const isPath = /[\\/]/.test(nameOrPath) || nameOrPath.toLowerCase().endsWith('.json')
  if (!isPath) {
    const known = await templatePaths(options.templateDirs)
    const path = known.get(nameOrPath)
    if (path) return { path }
    const names = [...known.keys()].sort()
    const what = `template "${nameOrPath}" does not exist${didYouMean(nameOrPath, names)}`
    const searched = options.templateDirs.map(dir => shownPath(dir, options.cwd)).join(', ')
    return { what, remedy: names.length ? `Known templates: ${names.join(', ')}.` : `No templates in: ${searched}.` }
  }
  const folders = [options.cwd, ...(options.jobFolder ? [options.jobFolder] : [])]
  const tried = [...new Set(folders.map(folder => resolve(folder, nameOrPath)))]
  // `resize.json` without a folder is also the name of a template.
  if (!/[\\/]/.test(nameOrPath)) tried.push(...options.templateDirs.map(dir => join(dir, nameOrPath)))
  for (const path of tried) if (await isThere(path)) return { path: resolve(path) }
  for (const path of tried) {
    const isFolder = await stat(path).then(
      info => info.isDirectory(),
      () => false,
    )
    if (isFolder) return { what: `${path} is a folder, not a template file`, remedy: 'Name the .json file in it.' }
  }
  const what = `template file ${nameOrPath} does not exist; tried ${tried.join(' and ')}`
  return { what, remedy: 'Correct the path, or use a name of `autopod template list`.' }
}
