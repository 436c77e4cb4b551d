// Job files and templates of the user, read and validated completely before anything is rented.
// All problems of all files are collected into one fault: who has forty jobs wants one list, not forty runs.
import * as z from 'zod'
import { Fault } from '../domain/fault.ts'
import type { JobSpec } from '../domain/job.ts'
import type { Template } from '../domain/template.ts'
import { jobFile } from '../wire/files-job.ts'
import { templateFile } from '../wire/files-template.ts'
import { collisions } from './jobdir-collisions.ts'
import type { Hashes } from './jobdir-input.ts'
import { type JobContext, readJob } from './jobdir-job.ts'
import { claimFault } from './jobdir-output.ts'
import { jobPaths } from './jobdir-paths.ts'
import { type Flaw, flawLine, flawsFault, shownPath } from './jobdir-read.ts'
import { findTemplate, readTemplateFile, type TemplateOptions, templatePaths } from './jobdir-template.ts'

export type LoadOptions = {
  /** Absolute. Folder of the command, or --base: relative inputs and outputs start here. */
  cwd: string
  /** Absolute. Folder that relative PATHs start at, where --base names another; default `cwd`. */
  pathsFrom?: string
  /** Searched in order: ./templates of the project, $AUTOPOD_HOME/templates, the shipped ones. */
  templateDirs: string[]
  /** An existing output file that may be replaced (it is an earlier result of the same job, or --again was given). */
  replaceable?: (path: string) => boolean
  /** Whose job under way will write the target; null = nobody's. */
  claimed?: (target: string) => string | null
  /** Digests of inputs by absolute path, added to: who loads the same jobs twice reads large files once. */
  hashes?: Hashes
  /** Default true: an existing output file is an error. */
  checkOutputs?: boolean
}

export type Loaded = { specs: JobSpec[] }

/**
 * PATH…: job files, folders (their *.json, not below) and globs → complete jobs, in the order given, folders in natural order.
 * Throws one Fault (job, `job_file_invalid`): a line `file: place: what` for each problem, the hint being the remedy of the first.
 */
export async function loadJobs(paths: string[], options: LoadOptions): Promise<Loaded> {
  const { cwd, templateDirs } = options
  const { files, flaws } = await jobPaths(paths, options.pathsFrom ?? cwd)
  const context: JobContext = {
    cwd,
    templateDirs,
    replaceable: options.replaceable ?? (() => false),
    claimed: options.claimed ?? (() => null),
    checkOutputs: options.checkOutputs ?? true,
    hashes: options.hashes ?? new Map(),
    templates: new Map(),
  }
  const specs: JobSpec[] = []
  for (const file of files) {
    const read = await readJob(file, context)
    if ('flaws' in read) flaws.push(...read.flaws)
    else specs.push(read.value)
  }
  flaws.push(...collisions(specs, cwd))
  if (flaws.length > 0) throw flawsFault('job_file_invalid', flaws)
  return { specs }
}

/** Of targets alone, asked again of jobs that were loaded. Fault as `loadJobs`. */
export function refuseClaimed(
  specs: readonly JobSpec[],
  cwd: string,
  claimed: (target: string) => string | null,
): void {
  const flaws = specs.flatMap(spec =>
    spec.outputs.flatMap(({ name, target }): Flaw[] => {
      const wrong = claimFault(target, claimed)
      return wrong ? [{ file: shownPath(spec.source, cwd), place: `outputs.${name}`, ...wrong }] : []
    }),
  )
  if (flaws.length > 0) throw flawsFault('job_file_invalid', flaws)
}

export type TemplateEntry = Pick<
  Template,
  'name' | 'path' | 'description' | 'params' | 'inputs' | 'outputs' | 'requires'
> & {
  /** Why it cannot be used; null for a good one. */
  problem: string | null
}

/** Every template of the folders by name, the first of a name; a broken one is listed with what is wrong. */
export async function listTemplates(dirs: string[]): Promise<TemplateEntry[]> {
  const entries: TemplateEntry[] = []
  for (const [name, path] of await templatePaths(dirs)) {
    const read = await readTemplateFile(path, process.cwd())
    if ('value' in read) {
      const { description, params, inputs, outputs, requires } = read.value
      entries.push({ name, path, description, params, inputs, outputs, requires, problem: null })
    } else {
      const requires = { models: [], nodes: [], vramGb: 0 }
      const problem = read.flaws.map(flawLine).join('\n')
      entries.push({ name, path, description: '', params: null, inputs: null, outputs: {}, requires, problem })
    }
  }
  return entries.sort((left, right) => (left.name < right.name ? -1 : 1))
}

/** One template by name or path. Throws Fault (job, `template_unknown` or `template_invalid`). */
export async function readTemplate(nameOrPath: string, options: TemplateOptions): Promise<Template> {
  const found = await findTemplate(nameOrPath, options)
  if ('what' in found) {
    throw new Fault({ kind: 'job', code: 'template_unknown', message: found.what, hint: found.remedy })
  }
  const read = await readTemplateFile(found.path, options.cwd)
  if ('flaws' in read) throw flawsFault('template_invalid', read.flaws)
  return read.value
}

/** JSON Schema (draft 2020-12) of a file as a user may write it: keys with defaults may be left out. */
export function jsonSchemaOf(what: 'job' | 'template'): object {
  const title = what === 'job' ? 'autopod job' : 'autopod template'
  return { title, ...z.toJSONSchema(what === 'job' ? jobFile : templateFile, { io: 'input' }) }
}
