// The shipped templates: each is checked node by node against what a real ComfyUI says its nodes take.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { describe, expect, it } from 'vitest'
import type { Graph } from '../../src/domain/job.ts'
import { fillTemplate, type ParamValue, type Template } from '../../src/domain/template.ts'
import { jsonSchemaOf, listTemplates, readTemplate } from '../../src/edge/jobdir.ts'
import { nodeNames } from '../../src/sandbox/comfy/signatures.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const dir = `${root}templates`
const names = readdirSync(dir)
  .filter(name => name.endsWith('.json'))
  .map(name => name.slice(0, -5))
const readConfig = (name: string) => JSON.parse(readFileSync(`${root}config/${name}`, 'utf8'))
const load = (name: string) => readTemplate(name, { cwd: root, templateDirs: [dir] })

type Spec = {
  input: Record<'required' | 'optional', Record<string, [unknown, Options?]> | undefined>
  output: string[]
}
type Options = { min?: number; max?: number; options?: unknown[] }
const recorded = fileURLToPath(
  new URL('../../../shared/recordings/comfyui/v0.33.0/object_info.all.json', import.meta.url),
)
const unrecorded = `skipped: no recorded GET /object_info of ComfyUI 0.33.0 at ${recorded}`
if (!existsSync(recorded)) console.log(unrecorded)

/** Every param at its default; one that has none at its smallest value or some text. */
function filled(template: Template): Graph {
  const example = { int: 1, float: 1, string: 'dusk', boolean: true, enum: '' }
  const params = Object.entries(template.params ?? {}).map(([name, param]): [string, ParamValue] => [
    name,
    param.default ?? param.min ?? param.choices?.[0] ?? example[param.type],
  ])
  const texts = params.map(([name, value]): [string, ParamValue] =>
    template.params?.[name]?.type === 'string' && typeof value !== 'string' ? [name, 'dusk'] : [name, value],
  )
  const inputs = Object.keys(template.inputs ?? {}).map(name => [name, `autopod/${name}`])
  const values = { jobId: 'job', inputs: Object.fromEntries(inputs), params: Object.fromEntries(texts) }
  const { graph, problems } = fillTemplate(template, values)
  expect(problems).toEqual([])
  return graph
}

/** What the server would refuse. Combos of file names are empty on a server without models: those are not compared. */
function faults(graph: Graph, specs: Record<string, Spec>): string[] {
  const wrong: string[] = []
  for (const [id, node] of Object.entries(graph)) {
    const spec = specs[node.class_type]
    if (!spec) {
      wrong.push(`node ${id}: no class ${node.class_type}`)
      continue
    }
    const known = { ...spec.input.required, ...spec.input.optional }
    for (const field of Object.keys(spec.input.required ?? {})) {
      if (!(field in node.inputs)) wrong.push(`node ${id} (${node.class_type}): ${field} is missing`)
    }
    for (const [field, value] of Object.entries(node.inputs)) {
      const place = `node ${id} (${node.class_type}): ${field}`
      const [type, options] = known[field] ?? []
      if (type === undefined) wrong.push(`${place} does not exist`)
      else if (Array.isArray(value)) {
        const from = graph[String(value[0])]
        const given = from && specs[from.class_type]?.output[Number(value[1])]
        if (given !== type) wrong.push(`${place} wants ${type}, gets ${given} of ${from?.class_type}`)
      } else if (type === 'INT' || type === 'FLOAT') {
        const number = Number(value)
        if (typeof value !== 'number' || (type === 'INT' && !Number.isInteger(value)))
          wrong.push(`${place} is ${value}`)
        if (number < (options?.min ?? -Infinity) || number > (options?.max ?? Infinity))
          wrong.push(`${place}: ${value}`)
      } else if (type === 'BOOLEAN' || type === 'STRING') {
        if (typeof value !== String(type).toLowerCase()) wrong.push(`${place} is ${value}`)
      } else {
        const choices = Array.isArray(type) ? type : (options?.options ?? [])
        const keys = choices.map(choice => (choice as { key?: unknown }).key ?? choice)
        const areFiles = /_name\d?$|^image$|^audio$|^model$/.test(field)
        if (typeof value !== 'string') wrong.push(`${place} is ${JSON.stringify(value)}, not one of ${type}`)
        else if (!areFiles && !keys.includes(value)) wrong.push(`${place}: ${value} is not one of ${keys}`)
      }
    }
  }
  return wrong
}

describe('the shipped templates', () => {
  it('are all there, without a problem, and say what they do', async () => {
    const listed = await listTemplates([dir])
    expect(listed.map(entry => entry.name)).toEqual([...names].sort())
    expect(names).toEqual(expect.arrayContaining(['resize', 'contact-sheet', 'img2vid-basic', 'upscale']))
    expect(listed.filter(entry => entry.problem !== null || entry.description === '')).toEqual([])
  })

  it.for(names)('%s has only links, fields and values that a real server accepts', async (name, { skip }) => {
    skip(!existsSync(recorded), unrecorded)
    const specs = JSON.parse(readFileSync(recorded, 'utf8')) as Record<string, Spec>
    expect(faults(filled(await load(name)), specs)).toEqual([])
  })

  it('are refused by the same check when a field, a link or a value is wrong', async ({ skip }) => {
    skip(!existsSync(recorded), unrecorded)
    const specs = JSON.parse(readFileSync(recorded, 'utf8')) as Record<string, Spec>
    const graph = filled(await load('resize'))
    Object.assign(graph['2']?.inputs ?? {}, { image: ['1', 1], width: -1, crop: 'middle', colour: 'red' })
    delete graph['2']?.inputs.height
    expect(faults(graph, specs)).toHaveLength(5)
  })

  it('without a model use only nodes that the sandbox has, too', async () => {
    for (const name of ['resize', 'contact-sheet', 'img2vid-basic']) {
      const template = await load(name)
      const classes = Object.values(template.graph).map(node => node.class_type)
      expect(classes.filter(each => !nodeNames().includes(each))).toEqual([])
      expect(template.requires).toEqual({ models: [], nodes: [], vramGb: 0 })
    }
  })

  it('with a model name every file their loaders load, and nothing else', async () => {
    for (const name of names) {
      const template = await load(name)
      const loaded = Object.values(filled(template)).flatMap(node =>
        Object.values(node.inputs).filter(value => /\.(safetensors|pth)$/.test(String(value))),
      )
      expect(template.requires.models.map(model => model.name).sort()).toEqual([...new Set(loaded)].sort())
      if (loaded.length > 0) expect(template.requires.vramGb).toBeGreaterThan(0)
    }
  })
})

describe('config/', () => {
  it.each(['job', 'template'] as const)('%s.schema.json is what the schemas say; else run write-schemas', what => {
    expect(readConfig(`${what}.schema.json`)).toEqual(JSON.parse(JSON.stringify(jsonSchemaOf(what))))
  })

  it('has schemas that accept every shipped template and every job of the fixtures', () => {
    const ajv = new Ajv2020({ strict: false })
    addFormats.default(ajv)
    const template = ajv.compile(readConfig('template.schema.json'))
    const job = ajv.compile(readConfig('job.schema.json'))
    for (const name of names) {
      expect(template(JSON.parse(readFileSync(`${dir}/${name}.json`, 'utf8'))), JSON.stringify(template.errors)).toBe(
        true,
      )
    }
    for (const folder of ['jobs', 'jobs-one-fails']) {
      for (const name of readdirSync(`${root}fixtures/${folder}`)) {
        const raw = readFileSync(`${root}fixtures/${folder}/${name}`, 'utf8')
        expect(job(JSON.parse(raw)), `${name} ${JSON.stringify(job.errors)}`).toBe(true)
      }
    }
    expect(job({ workflow_template: 'resize', outputs: { image: 'x' }, job_idd: 'a' })).toBe(false)
  })

  it('knows each GPU by one id, and no short name twice', () => {
    type Gpu = { id: string; name: string; vram_gb: number; short: string[] }
    const { gpus } = readConfig('gpus.json') as { gpus: Gpu[] }
    const words = gpus.flatMap(gpu => [...new Set([gpu.id, gpu.name, ...gpu.short])].map(word => word.toLowerCase()))
    expect(new Set(words).size).toBe(words.length)
    expect(gpus.find(gpu => gpu.short.includes('4090'))).toMatchObject({ id: 'NVIDIA GeForce RTX 4090', vram_gb: 24 })
    expect(JSON.stringify(gpus)).not.toMatch(/price|usd|cost/i)
  })
})
