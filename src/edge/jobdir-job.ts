// One job file → one complete job: template filled, inputs hashed, outputs decided; or everything that is wrong with it.
import { createHash } from 'node:crypto'
import { basename, dirname, extname } from 'node:path'
import type { InputFile, JobSpec, OutputTarget } from '../domain/job.ts'
import { fillTemplate, type ParamValue, type Template } from '../domain/template.ts'
import { outputNode } from '../domain/template-output.ts'
import { microFromUsd } from '../domain/units.ts'
import { type JobFile, jobFile } from '../wire/files-job.ts'
import { type Hashes, inputFile } from './jobdir-input.ts'
import { claimFault, outputTarget, targetFault } from './jobdir-output.ts'
import { type Flaw, type Read, readJson, schemaFlaws, shownPath } from './jobdir-read.ts'
import { findTemplate, isEditorFormat, isGraph, readTemplateFile } from './jobdir-template.ts'

export type JobContext = {
  cwd: string
  templateDirs: string[]
  replaceable: (path: string) => boolean
  claimed: (target: string) => string | null
  checkOutputs: boolean
  /** Caches, by absolute path. */
  hashes: Hashes
  templates: Map<string, Read<Template>>
}

const podConfig = ['gpu_type', 'gpu_count', 'max_cost_usd', 'timeout_minutes']
const keys = { '': Object.keys(jobFile.shape), pod_config: podConfig }

/** The same value always gives the same text, whatever the order of its keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1))
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`
}

function notAJob(file: string, raw: unknown): Flaw | null {
  const workflow = 'is a ComfyUI workflow, not a job file'
  const remedy = 'Name it as "workflow_template" in a job file, and move it out of the folder of jobs.'
  if (isEditorFormat(raw) || isGraph(raw)) return { file, place: '', what: workflow, remedy }
  if (typeof raw === 'object' && raw !== null && 'autopod' in raw && 'workflow' in raw) {
    return { file, place: '', what: 'is a template, not a job file', remedy }
  }
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) return null
  const what = Array.isArray(raw) ? 'is a list, not a job' : 'is no JSON object'
  return { file, place: '', what, remedy: 'One file holds one job: {"workflow_template": …, "outputs": …}.' }
}

async function inputsOf(job: JobFile, template: Template, folders: string[], hashes: Hashes, say: Say) {
  const inputs: InputFile[] = []
  for (const [name, source] of Object.entries(job.inputs ?? {})) {
    const declared = template.inputs && Object.hasOwn(template.inputs, name) ? template.inputs[name] : undefined
    const input = await inputFile(name, source, declared?.kind ?? null, folders, hashes)
    if ('what' in input) say(`inputs.${name}`, input.what, input.remedy)
    else if (!declared?.unused) inputs.push(input)
  }
  return inputs
}

async function outputsOf(job: JobFile, jobId: string, template: Template, context: JobContext, say: Say) {
  const outputs: OutputTarget[] = []
  for (const [name, written] of Object.entries(job.outputs)) {
    const node = outputNode(template, name)
    if ('problem' in node) say(node.problem.place, node.problem.what, node.problem.remedy)
    const target = outputTarget(written, name, jobId, context.cwd)
    const wrong =
      'what' in target
        ? target
        : context.checkOutputs
          ? (claimFault(target.target, context.claimed) ?? (await targetFault(target.target, context.replaceable)))
          : null
    if (wrong) say(`outputs.${name}`, wrong.what, wrong.remedy)
    else if ('nodeId' in node && 'target' in target) outputs.push({ name, nodeId: node.nodeId, target: target.target })
  }
  return outputs
}

type Say = (place: string, what: string, remedy: string) => void

/** @param path absolute path of the job file */
export async function readJob(path: string, context: JobContext): Promise<Read<JobSpec>> {
  const { cwd, templateDirs } = context
  const file = shownPath(path, cwd)
  const raw = await readJson(path, cwd)
  if ('flaws' in raw) return raw
  const early = notAJob(file, raw.value)
  if (early) return { flaws: [early] }
  const parsed = jobFile.safeParse(raw.value)
  if (!parsed.success) return { flaws: schemaFlaws(file, raw.value, parsed.error.issues, keys) }
  const job = parsed.data
  const flaws: Flaw[] = []
  const say: Say = (place, what, remedy) => flaws.push({ file, place, what, remedy })
  const jobId = job.job_id ?? basename(path, extname(path))
  if (!jobFile.shape.job_id.safeParse(jobId).success) {
    say(
      'job_id',
      `is missing, and the file's name "${jobId}" cannot be one`,
      'Add "job_id": 1 to 64 of A-Z a-z 0-9 . _ -',
    )
  }
  const folder = dirname(path)
  const found = await findTemplate(job.workflow_template, { cwd, templateDirs, jobFolder: folder })
  if ('what' in found) say('workflow_template', found.what, found.remedy)
  if (!('path' in found)) return { flaws }
  const template = context.templates.get(found.path) ?? (await readTemplateFile(found.path, cwd))
  context.templates.set(found.path, template)
  if ('flaws' in template) return { flaws: [...flaws, ...template.flaws] }
  const inputs = await inputsOf(job, template.value, [cwd, folder], context.hashes, say)
  const outputs = await outputsOf(job, jobId, template.value, context, say)
  const params: Record<string, ParamValue> = job.params ?? {}
  // Every name the job gives takes part, found or not, so that a missing file is not reported as a missing input, too.
  const paths = Object.keys(job.inputs ?? {}).map(name => [
    name,
    inputs.find(each => each.name === name)?.podPath ?? '',
  ])
  const filled = fillTemplate(template.value, { jobId, inputs: Object.fromEntries(paths), params })
  for (const problem of filled.problems) say(problem.place, problem.what, problem.remedy)
  if (flaws.length > 0) return { flaws }
  const wanted = job.pod_config ?? {}
  const needs = {
    gpuTypes: wanted.gpu_type === undefined ? [] : [wanted.gpu_type].flat(),
    gpuCount: wanted.gpu_count ?? 1,
    vramGbMin: template.value.requires.vramGb,
    costMax: wanted.max_cost_usd === undefined ? null : microFromUsd(wanted.max_cost_usd),
    timeoutMs: wanted.timeout_minutes === undefined ? null : Math.max(1, Math.round(wanted.timeout_minutes * 60_000)),
  }
  const contents = [filled.graph, inputs.map(input => [input.name, input.podPath]), outputs, jobId, needs]
  const spec: JobSpec = {
    jobId,
    digest: createHash('sha256').update(canonical(contents)).digest('hex'),
    source: path,
    executor: 'comfy',
    template: template.value.name,
    graph: filled.graph,
    inputs,
    outputs,
    models: template.value.requires.models,
    ...needs,
  }
  return { value: spec }
}
