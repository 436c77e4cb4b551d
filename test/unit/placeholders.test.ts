// Filling a template: types, text, defaults, and the errors that name file, node and field.
import { describe, expect, it } from 'vitest'
import { didYouMean, distance, nearest } from '../../src/domain/nearest.ts'
import { checkTemplate, fillTemplate, type Param, paramFault, type Template } from '../../src/domain/template.ts'
import { outputNode } from '../../src/domain/template-output.ts'

const base: Template = {
  name: 'bare',
  path: '/t/bare.json',
  description: '',
  params: null,
  inputs: null,
  outputs: {},
  requires: { models: [], nodes: [], vramGb: 0 },
  graph: {},
}

function template(inputs: Record<string, unknown>, more: Partial<Template> = {}): Template {
  return { ...base, graph: { '7': { class_type: 'KSampler', inputs } }, ...more }
}

const values = { jobId: 'job-1', inputs: {}, params: {} }
const places = (found: { place: string; what: string }[]) => found.map(each => `${each.place}: ${each.what}`)

describe('a placeholder', () => {
  it('that is the whole string takes the type of its value', () => {
    const { graph } = fillTemplate(template({ steps: '{param.steps}', on: '{param.on}', seed: '{param.seed}' }), {
      ...values,
      params: { steps: 20, on: false, seed: '007' },
    })
    expect(graph['7']?.inputs).toEqual({ steps: 20, on: false, seed: '007' })
  })

  it('within other text becomes text, as often as it stands there', () => {
    const { graph } = fillTemplate(template({ text: '{job_id}: {param.n} of {param.n}', two: '{param.n}{param.n}' }), {
      ...values,
      params: { n: 2 },
    })
    expect(graph['7']?.inputs).toEqual({ text: 'job-1: 2 of 2', two: '22' })
  })

  it('is found in lists and objects, and leaves links and numbers as they are', () => {
    const given = { a: ['4', 0], b: { deep: ['{param.n}', { x: '{input.image}' }] }, c: 3, d: null }
    const { graph } = fillTemplate(template(given), { ...values, inputs: { image: 'autopod/x.png' }, params: { n: 1 } })
    expect(graph['7']?.inputs).toEqual({ a: ['4', 0], b: { deep: [1, { x: 'autopod/x.png' }] }, c: 3, d: null })
  })

  it('in a value is not filled again: what a user writes stays what it is', () => {
    const { graph } = fillTemplate(template({ text: 'a {param.prompt}' }), {
      ...values,
      params: { prompt: '{job_id} {red|blue} $& {param.prompt}' },
    })
    expect(graph['7']?.inputs.text).toBe('a {job_id} {red|blue} $& {param.prompt}')
  })

  it('is not every brace: alternatives and JSON in a prompt are text', () => {
    const text = '{red|blue} {"a": 1} {} { param.x } {0}'
    expect(checkTemplate(template({ text }))).toEqual([])
    expect(fillTemplate(template({ text }), values).graph['7']?.inputs.text).toBe(text)
  })

  it('nobody knows is an error with node, field and the nearest one', () => {
    const declared = { params: { prompt: { type: 'string', description: '' } satisfies Param }, inputs: {} }
    expect(places(checkTemplate(template({ text: '{parm.prompt}', on: '{param.prompt}' }, declared)))).toEqual([
      'node 7 (KSampler), field text: unknown placeholder {parm.prompt} (did you mean "param.prompt"?)',
    ])
    expect(places(checkTemplate(template({ a: { b: ['{jobid}'] } })))).toEqual([
      'node 7 (KSampler), field a.b[0]: unknown placeholder {jobid} (did you mean "job_id"?)',
    ])
  })

  it('must be declared where there is a header, and what is declared must be used', () => {
    const params: Record<string, Param> = {
      steps: { type: 'int', description: '' },
      free: { type: 'int', description: '', unused: true },
    }
    const found = places(checkTemplate(template({ n: '{param.stesp}' }, { params, inputs: {} })))
    expect(found).toHaveLength(2)
    expect(found[0]).toContain('{param.stesp} is not declared under autopod.params (did you mean "param.steps"?)')
    expect(found[1]).toBe('autopod.params.steps: is declared, but no node uses it')
  })
})

describe('a job', () => {
  const steps: Param = { type: 'int', default: 20, min: 1, max: 50, description: 'Steps of the sampler.' }
  const declared = template(
    { n: '{param.steps}', image: '{input.image}' },
    {
      params: { steps, seed: { type: 'int', unused: true, description: '' } },
      inputs: { image: { kind: 'image', description: '' } },
    },
  )

  it('gets the default of a param it does not name', () => {
    const filled = fillTemplate(declared, { ...values, inputs: { image: 'autopod/x.png' } })
    expect(filled.graph['7']?.inputs).toEqual({ n: 20, image: 'autopod/x.png' })
  })

  it('is told every missing, unknown and unused name at once', () => {
    const filled = fillTemplate(declared, { ...values, inputs: { imgae: 'x', audio: 'y' }, params: { step: 3 } })
    expect(places(filled.problems)).toEqual([
      'inputs.imgae: is not used: template "bare" has no input "imgae" (did you mean "image"?)',
      'inputs.audio: is not used: template "bare" has no input "audio"',
      'inputs.image: is missing: node 7 (KSampler), field image of template "bare" needs it',
      'params.step: is not used: template "bare" has no param "step" (did you mean "steps"?)',
    ])
  })

  it('may give what the template accepts and does not use', () => {
    const filled = fillTemplate(declared, { ...values, inputs: { image: 'x' }, params: { seed: 1 } })
    expect(filled.problems).toEqual([])
    const wrong = fillTemplate(declared, { ...values, inputs: { image: 'x' }, params: { seed: 'one' } })
    expect(places(wrong.problems)).toEqual(['params.seed: must be a whole number, not text "one"'])
  })

  it('cannot mean what every object has: "constructor" is an unknown param', () => {
    const filled = fillTemplate(declared, { ...values, inputs: { image: 'x' }, params: { constructor: 1 } })
    expect(places(filled.problems)[0]).toContain('params.constructor: is not used')
    const bare = template({ a: '{param.constructor}' })
    expect(places(fillTemplate(bare, values).problems)[0]).toContain('params.constructor: is missing')
  })
})

describe('the type of a param', () => {
  const param = (type: Param['type'], more: Partial<Param> = {}): Param => ({ type, description: '', ...more })

  it.each([
    [param('int'), '20', 'must be a whole number, not text "20"'],
    [param('int'), 2.5, 'must be a whole number, not 2.5'],
    [param('int'), true, 'must be a whole number, not true'],
    [param('int'), 2 ** 60, 'do not survive JSON'],
    [param('int', { min: 1 }), 0, 'must be at least 1, not 0'],
    [param('float', { max: 1 }), 1.5, 'must be at most 1, not 1.5'],
    [param('float'), 'x', 'must be a number, not text "x"'],
    [param('boolean'), 'true', 'must be true or false, not text "true"'],
    [param('string'), 5, 'must be text, not 5'],
    [param('string', { min: 1 }), '', 'must have at least 1 characters'],
    [param('enum', { choices: ['area', 'lanczos'] }), 'lanzcos', '(did you mean "lanczos"?)'],
  ])('%j refuses %j', (declared, value, expected) => {
    expect(paramFault(declared, value)).toContain(expected)
  })

  it('accepts what it allows, its bounds included, and a whole number for a float', () => {
    expect(paramFault(param('int', { min: 1, max: 3 }), 3)).toBeNull()
    expect(paramFault(param('float', { min: 0 }), 0)).toBeNull()
    expect(paramFault(param('boolean'), false)).toBeNull()
    expect(paramFault(param('string'), '')).toBeNull()
    expect(paramFault(param('enum', { choices: [1, 2] }), 2)).toBeNull()
  })

  it('is asked of a default, too, and an enum needs choices', () => {
    const params = { n: param('int', { default: 'x' }), e: param('enum') }
    expect(places(checkTemplate(template({ n: '{param.n}', e: '{param.e}' }, { params, inputs: {} })))).toEqual([
      'autopod.params.n.default: must be a whole number, not text "x"',
      'autopod.params.e: is an enum without choices',
    ])
  })
})

describe('a link', () => {
  it('to a node that does not exist is an error that names both nodes', () => {
    const graph = { '4': { class_type: 'SaveImage', inputs: { images: ['9', 0] } } }
    expect(places(checkTemplate({ ...base, graph }))).toEqual([
      'node 4 (SaveImage), field images: links to node "9", which does not exist',
    ])
  })

  const reading = (inputs: Record<string, Record<string, unknown>>) => {
    const nodes = Object.entries(inputs).map(([id, each]) => [id, { class_type: 'Any', inputs: each }])
    return places(checkTemplate({ ...base, graph: Object.fromEntries(nodes) }))
  }

  it('to its own node, or to an output that no node can have, is an error', () => {
    expect(reading({ '1': { a: ['1', 0] }, '2': { a: ['1', -1], b: ['1', 0.5] } })).toEqual([
      'node 1 (Any), field a: links to its own node',
      'node 2 (Any), field a: links to output -1 of node "1"; outputs are counted from 0',
      'node 2 (Any), field b: links to output 0.5 of node "1"; outputs are counted from 0',
    ])
  })

  it('may not close a circle: no ComfyUI runs one', () => {
    const circle = { '1': { a: ['3', 0] }, '2': { a: ['1', 0] }, '3': { b: 'x', a: ['2', 1] } }
    expect(reading({ ...circle, '4': { a: ['1', 0] }, '0': {} })).toEqual([
      'nodes: each needs the result of the next, in a circle: 1 (Any) ← 3 (Any) ← 2 (Any) ← 1 (Any)',
    ])
  })

  it('may join what was parted, and lists that are no links are values', () => {
    const two = { '1': {}, '2': { a: ['1', 0], b: ['1', 1] }, '3': { a: ['1', 0] }, '4': { a: ['2', 0], b: ['3', 0] } }
    expect(reading({ ...two, '5': { a: ['red', 0.5], b: ['1', '2'], c: [1, 2], d: ['1', 0, 0] } })).toEqual([])
    const chain = Array.from({ length: 20_000 }, (_, id) => [`${id}`, id === 0 ? {} : { a: [`${id - 1}`, 0] }])
    expect(reading(Object.fromEntries(chain))).toEqual([])
  })
})

describe('an output', () => {
  const save = (class_type: string, title?: string) => ({
    class_type,
    inputs: { images: ['1', 0] },
    ...(title === undefined ? {} : { _meta: { title } }),
  })
  const load = { class_type: 'LoadImage', inputs: { image: '{input.image}' } }
  const of = (graph: Template['graph'], outputs: Template['outputs'] = {}) => ({ ...base, graph, outputs })

  it('is what the map says, before the title', () => {
    const graph = { '1': load, '2': save('SaveImage', 'film'), '3': save('SaveImage') }
    expect(outputNode(of(graph, { film: { node: '3', kind: null } }), 'film')).toEqual({ nodeId: '3' })
    expect(outputNode(of(graph), 'film')).toEqual({ nodeId: '2' })
  })

  it('is else the only node of the kind its name says, previews not counted', () => {
    const graph = {
      '1': load,
      '2': save('SaveImage'),
      '3': save('SaveAnimatedWEBP'),
      '4': save('PreviewImage', 'image'),
    }
    expect(outputNode(of(graph), 'video')).toEqual({ nodeId: '3' })
    expect(outputNode(of(graph), 'image')).toEqual({ nodeId: '2' })
    expect(outputNode(of({ '1': load, '2': save('SaveImage') }), 'result')).toEqual({ nodeId: '2' })
    expect(outputNode(of({ '1': load, '2': save('MyOwnSaver') }), 'video')).toEqual({ nodeId: '2' })
  })

  it('that could be two nodes, or none, is an error before anything is rented', () => {
    const two = outputNode(of({ '1': load, '2': save('SaveImage'), '3': save('SaveImage') }), 'image')
    expect(two).toMatchObject({ problem: { place: 'outputs.image', what: expect.stringContaining('2, 3') } })
    const none = outputNode(of({ '1': load, '2': save('SaveImage') }, { image: { node: '2', kind: null } }), 'video')
    expect(none).toMatchObject({
      problem: {
        what: expect.stringContaining('no node'),
        remedy: /* the known ones */ 'Name one of its outputs: image.',
      },
    })
    const titles = outputNode(of({ '1': load, '2': save('SaveImage', 'a'), '3': save('SaveImage', 'a') }), 'a')
    expect(titles).toMatchObject({ problem: { what: expect.stringContaining('several nodes') } })
  })
})

describe('the nearest word', () => {
  it('counts a swap of neighbours as one edit', () => {
    expect(distance('stesp', 'steps')).toBe(1)
    expect(distance('', 'abc')).toBe(3)
    expect(distance('kitten', 'sitting')).toBe(3)
  })

  it('is suggested only when it is near, or contains what was written', () => {
    expect(nearest('outptus', ['inputs', 'outputs', 'params'])).toBe('outputs')
    expect(nearest('template', ['inputs', 'workflow_template'])).toBe('workflow_template')
    expect(nearest('colour', ['inputs', 'outputs', 'params'])).toBeNull()
    expect(didYouMean('x', [])).toBe('')
  })
})
