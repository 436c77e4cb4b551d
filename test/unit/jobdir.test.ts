// Job files on disk: what becomes a job, and what a user is told when something is wrong.
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Fault, type FaultData } from '../../src/domain/fault.ts'
import { type LoadOptions, listTemplates, loadJobs, readTemplate } from '../../src/edge/jobdir.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
let home: string
beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'jobdir-')))
  await put('pic.png', 'not really a picture, but bytes')
})
afterEach(() => rm(home, { recursive: true, force: true }))

async function put(name: string, contents: unknown): Promise<string> {
  const path = join(home, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, typeof contents === 'string' || Buffer.isBuffer(contents) ? contents : JSON.stringify(contents))
  return path
}

const job = (more: object = {}) => ({
  workflow_template: 'resize',
  inputs: { image: './pic.png' },
  outputs: { image: './out/{job_id}.{ext}' },
  ...more,
})
const graph = {
  '1': { class_type: 'LoadImage', inputs: { image: '{input.image}' } },
  '2': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: '{job_id}' } },
}

const options = (more: Partial<LoadOptions> = {}): LoadOptions => ({
  cwd: home,
  templateDirs: [join(home, 'templates'), join(root, 'templates')],
  ...more,
})

const load = async (paths: string | string[], more?: Partial<LoadOptions>) =>
  (await loadJobs([paths].flat(), options(more))).specs

/** The fault that loading throws. */
async function fault(paths: string | string[], more?: Partial<LoadOptions>): Promise<FaultData> {
  const error = await load(paths, more).catch((thrown: unknown) => thrown)
  if (!(error instanceof Fault)) throw new Error(`no fault, but ${JSON.stringify(error)}`)
  expect(error.data).toMatchObject({ kind: 'job', code: 'job_file_invalid' })
  expect(error.data.hint).not.toBe('')
  return error.data
}

describe('a good job file', () => {
  it('has its inputs read once, however often it is loaded with what was learned before', async () => {
    await put('a.json', job())
    const hashes: LoadOptions['hashes'] = new Map()
    const [first] = await load('a.json', { hashes })
    await put('pic.png', 'read by nobody')
    expect(await load('a.json', { hashes })).toEqual([first])
    expect((await load('a.json'))[0]?.inputs[0]?.sha256).not.toBe(first?.inputs[0]?.sha256)
  })

  it('becomes a complete job: filled graph, hashed input, absolute targets, money in micro-dollars', async () => {
    const pod_config = { gpu_type: 'A40', gpu_count: 2, max_cost_usd: 0.5, timeout_minutes: 1.5 }
    await put('a.json', job({ params: { width: 64 }, pod_config }))
    const [spec] = await load('a.json')
    expect(spec).toMatchObject({
      jobId: 'a',
      executor: 'comfy',
      template: 'resize',
      source: join(home, 'a.json'),
      outputs: [{ name: 'image', nodeId: '3', target: join(home, 'out/a.{ext}') }],
      gpuTypes: ['A40'],
      gpuCount: 2,
      costMax: 500_000,
      timeoutMs: 90_000,
      vramGbMin: 0,
      models: [],
    })
    const input = spec?.inputs[0]
    expect(input).toMatchObject({ name: 'image', source: join(home, 'pic.png'), bytes: 31 })
    expect(input?.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(input?.podPath).toBe(`autopod/${input?.sha256?.slice(0, 32)}.png`)
    expect(spec?.graph['2']?.inputs).toMatchObject({ image: ['1', 0], width: 64, height: 0, crop: 'disabled' })
    expect(spec?.graph['1']?.inputs.image).toBe(input?.podPath)
  })

  it('needs little: no id, no params, no pod_config; a byte order mark and $schema do no harm', async () => {
    await put('b.json', `\uFEFF${JSON.stringify(job({ $schema: 'x' }))}`)
    const [spec] = await load('b.json')
    expect(spec).toMatchObject({ jobId: 'b', gpuTypes: [], gpuCount: 1, costMax: null, timeoutMs: null })
  })

  it('has a digest that depends on contents and not on the order of keys or the name of the file', async () => {
    await put('c.json', job({ job_id: 'same', params: { width: 64, height: 64 } }))
    await put('d.json', { ...job({ params: { height: 64, width: 64 } }), job_id: 'same' })
    const digest = async (name: string) => (await load(name))[0]?.digest
    const before = await digest('c.json')
    expect(before).toMatch(/^[0-9a-f]{64}$/)
    expect(await digest('d.json')).toBe(before)
    await put('d.json', job({ job_id: 'same', params: { width: 65, height: 64 } }))
    expect(await digest('d.json')).not.toBe(before)
    await put('pic.png', 'another picture')
    expect(await digest('c.json')).not.toBe(before)
  })

  it('may name files in the bucket, which are neither read nor hashed', async () => {
    const inputs = { image: 'r2://my-bucket/in/Voice One.PNG' }
    await put('e.json', job({ inputs, outputs: { image: 'r2://my-bucket/out/{job_id}/' } }))
    const [spec] = await load('e.json')
    expect(spec?.inputs[0]).toMatchObject({ source: inputs.image, sha256: null, bytes: null })
    expect(spec?.inputs[0]?.podPath).toMatch(/^autopod\/[0-9a-f]{32}\.png$/)
    expect(spec?.outputs[0]?.target).toBe('r2://my-bucket/out/e/')
  })

  it('finds its inputs in the folder of the command first, then beside itself', async () => {
    await put('jobs/f.json', job({ inputs: { image: 'near.png' } }))
    await put('jobs/near.png', 'beside the job')
    expect((await load('jobs'))[0]?.inputs[0]?.source).toBe(join(home, 'jobs/near.png'))
    await put('near.png', 'in the folder of the command')
    expect((await load('jobs'))[0]?.inputs[0]?.source).toBe(join(home, 'near.png'))
  })

  it('may give an input that the template accepts and does not use: it is not sent', async () => {
    const inputs = { image: './pic.png', audio: 'r2://bucket/inputs/voice.wav' }
    const params = { prompt: 'slow pan, dusk', steps: 20, seed: 42 }
    await put('g.json', job({ workflow_template: 'img2vid-basic', inputs, params, outputs: { video: 'x.{ext}' } }))
    expect((await load('g.json'))[0]?.inputs.map(input => input.name)).toEqual(['image'])
  })
})

describe('PATH', () => {
  it('is a file, a folder without what lies below it, or a glob; each file once, in natural order', async () => {
    for (const name of ['job-10', 'job-2', 'job-1', 'below/job-3']) await put(`jobs/${name}.json`, job())
    await put('jobs/notes.txt', 'no job')
    const ids = async (paths: string | string[]) => (await load(paths)).map(spec => spec.jobId)
    expect(await ids('jobs')).toEqual(['job-1', 'job-2', 'job-10'])
    expect(await ids('jobs/job-1*.json')).toEqual(['job-1', 'job-10'])
    expect(await ids(['jobs/job-2.json', 'jobs', join(home, 'jobs/**/*.json')])).toEqual([
      'job-2',
      'job-1',
      'job-10',
      'job-3',
    ])
    expect(await load('job-2.json', { pathsFrom: join(home, 'jobs') })).toHaveLength(1)
  })

  it('that leads to nothing is an error that says so', async () => {
    await mkdir(join(home, 'empty'))
    expect((await fault('empty')).message).toBe('empty: is a folder without job files (*.json)')
    expect((await fault('none.json')).message).toBe('none.json: does not exist')
    expect((await fault('*.nothing')).message).toContain('matches no job file')
    expect((await fault('a\0b')).message).toContain('is not a path')
  })

  it('to a folder with a workflow or a template in it says what that is and where it belongs', async () => {
    await put('jobs/a.json', job())
    await put('jobs/graph.json', graph)
    await put('jobs/t.json', await readFile(join(root, 'templates/resize.json'), 'utf8'))
    await put('jobs/list.json', [1])
    const { message, hint } = await fault('jobs')
    expect(message.split('\n')).toEqual([
      'jobs/graph.json: is a ComfyUI workflow, not a job file',
      'jobs/list.json: is a list, not a job',
      'jobs/t.json: is a template, not a job file',
    ])
    expect(hint).toContain('workflow_template')
  })
})

describe('a file that is no job', () => {
  it.each([
    ['{\n  "a": 1,\n  oops\n}', 'line 3 column 3', 'is not valid JSON'],
    ['{"a": ', 'line 1 column 7', 'is not valid JSON'],
    ['', '', 'is empty'],
    ['   \n', '', 'is empty'],
    ['null', '', 'is no JSON object'],
  ])('%j is refused', async (contents, place, what) => {
    await put('x.json', contents)
    const { message } = await fault('x.json')
    expect(message).toContain(place === '' ? `x.json: ${what}` : `x.json: ${place}: ${what}`)
  })

  it('is refused when it is no text, or too large', async () => {
    await put('x.json', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))
    expect((await fault('x.json')).message).toBe('x.json: is not UTF-8 text')
    await put('x.json', Buffer.alloc(5_000_001, ' '))
    expect((await fault('x.json')).message).toContain('is too large')
  })

  it('is told every wrong key and value, with the nearest known key', async () => {
    await put('x.json', {
      job_id: 'a b',
      template: 'resize',
      inputs: { image: 5, '2x': 'a' },
      params: { width: null },
      outputs: {},
      pod_config: { gputype: 'A40', gpu_count: 1.5, max_cost_usd: -1, timeout_minutes: 'x' },
    })
    const { message } = await fault('x.json')
    for (const line of [
      'x.json: template: is not a known key (did you mean "workflow_template"?)',
      'x.json: workflow_template: is missing',
      'x.json: job_id: must be 1 to 64 of A-Z a-z 0-9 . _ -',
      'x.json: inputs.image: must be text, not the number 5',
      'x.json: params.width: must be text, a number, true or false',
      'x.json: outputs: must name at least one output',
      'x.json: pod_config.gputype: is not a known key (did you mean "gpu_type"?)',
      'x.json: pod_config.gpu_count: must be a whole number',
      'x.json: pod_config.max_cost_usd: must be more than 0',
      'x.json: pod_config.timeout_minutes: must be a number of minutes',
    ]) {
      expect(message.split('\n')).toContain(line)
    }
    expect(message).toMatch(/inputs\.2x: is not a name that can be used here/)
  })

  it('cannot smuggle a prototype in', async () => {
    await put('x.json', '{"workflow_template":"resize","outputs":{"image":"x"},"inputs":{"__proto__":"a"}}')
    expect((await fault('x.json')).message).toContain('__proto__')
    await put('x.json', JSON.stringify(job({ job_id: '..' })))
    expect((await fault('x.json')).message).toContain('must not be "." or ".."')
  })

  it('may not have a key twice: the first would be passed over', async () => {
    await put('x.json', '{"workflow_template": "resize",\n "params": {"width": 64, "width": 65},\n "outputs": {}}')
    expect((await fault('x.json')).message).toBe('x.json: line 2: has the key "width" twice in one object')
  })

  it('whose name cannot be an id needs one', async () => {
    await put('my job.json', job())
    expect((await fault('my job.json')).message).toContain('the file\'s name "my job" cannot be one')
    await put('my job.json', job({ job_id: 'mine' }))
    expect((await load('my job.json'))[0]?.jobId).toBe('mine')
  })

  it('does not hide the others: problems of all files come together', async () => {
    await put('jobs/1.json', '{')
    await put('jobs/2.json', job({ params: { widht: 3 } }))
    await put('jobs/3.json', job({ inputs: { image: 'gone.png' } }))
    const lines = (await fault('jobs')).message.split('\n')
    expect(lines.map(line => line.split(':')[0])).toEqual(['jobs/1.json', 'jobs/2.json', 'jobs/3.json'])
    expect(lines[1]).toContain('(did you mean "width"?)')
  })
})

describe('an input', () => {
  it('that is missing names every path that was tried', async () => {
    await put('jobs/a.json', job({ inputs: { image: './gone.png' } }))
    expect((await fault('jobs')).message).toBe(
      `jobs/a.json: inputs.image: file ./gone.png does not exist; tried ${join(home, 'gone.png')} and ${join(home, 'jobs/gone.png')}`,
    )
  })

  it.each([
    ['.', 'is a folder'],
    ['empty.png', 'is empty'],
    ['pic\0.png', 'NUL'],
    ['~/pic.png', 'only a shell expands'],
    ['https://example.com/a.png', 'neither a local path nor r2://'],
    ['r2://bucket', 'is not r2://bucket/key'],
    ['r2://bucket/', 'names no object'],
    ['voice.wav', 'is audio, and the template wants image here'],
  ])('%j is refused', async (image, what) => {
    await put('empty.png', '')
    await put('a.json', job({ inputs: { image } }))
    expect((await fault('a.json')).message).toContain(what)
  })
})

describe('an output', () => {
  const withTarget = (target: string) => put('a.json', job({ outputs: { image: target } }))

  it('keeps {index} and {ext}, takes {job_id} and {name}, and stays a folder when it ends in a slash', async () => {
    const target = async (written: string) => {
      await withTarget(written)
      return (await load('a.json'))[0]?.outputs[0]?.target
    }
    expect(await target('o/{job_id}/{name}-{index}.{ext}')).toBe(join(home, 'o/a/image-{index}.{ext}'))
    expect(await target('o/')).toBe(`${join(home, 'o')}/`)
    expect(await target('.')).toBe(`${home}/`)
    expect(await target(join(home, 'x.png'))).toBe(join(home, 'x.png'))
  })

  it.each([
    ['o/{jobid}.png', 'unknown placeholder {jobid} (did you mean "job_id"?)'],
    ['{index}/x.png', 'only known for the file itself'],
    ['there', 'is a folder'],
    ['pic.png/x.png', 'is a file, so nothing can be put below it'],
    ['pic.png', 'exists and would be written over'],
    ['s3://bucket/x', 'neither a local path'],
    ['a\0b', 'NUL'],
    ['o/{job_id.{ext}', 'o/{job_id.{ext} has a "{" without its "}"'],
    ['o/job_id}.png', 'has a "}" without its "{"'],
    [`${'é'.repeat(130)}.{ext}`, 'a name in the path would have 261 bytes; 255 is the most'],
    [`o/${'x'.repeat(256)}/`, 'would have 256 bytes'],
    [`r2://bucket/${'x/'.repeat(600)}a.png`, 'the key would have 1205 bytes; 1024 is the most'],
    ['lost/x.png', 'lost is a link that leads nowhere'],
    ['lost/deep/', 'lost is a link that leads nowhere'],
    ['lost', 'lost is a link that leads nowhere'],
    ['round/x.png', 'round is a link that leads nowhere'],
  ])('%j is refused', async (target, what) => {
    await mkdir(join(home, 'there'))
    await symlink('nowhere', join(home, 'lost'))
    await symlink('round', join(home, 'round'))
    await withTarget(target)
    const { message } = await fault('a.json')
    expect(message).toContain('a.json: outputs.image: ')
    expect(message).toContain(what)
  })

  it('at an address elsewhere is told what an output may be, not to download it', async () => {
    await withTarget('https://example.com/x.png')
    expect((await fault('a.json')).hint).toBe('Write a local path, or r2://, the bucket, "/" and the key.')
  })

  it('is not written over when its extension is not known yet, unless it may be replaced', async () => {
    await put('out/a.webp', 'an earlier result')
    await put('out/a.b.webp', 'of another job')
    await withTarget('out/{job_id}.{ext}')
    const { message, hint } = await fault('a.json')
    expect(message).toBe(`a.json: outputs.image: ${join(home, 'out/a.webp')} exists and would be written over`)
    expect(hint).toContain('--again')
    expect(await load('a.json', { replaceable: path => path.endsWith('out/a.webp') })).toHaveLength(1)
    expect(await load('a.json', { checkOutputs: false })).toHaveLength(1)
  })

  it('is refused while a job under way will write it, and that job is named', async () => {
    await put('a.json', job({ outputs: { image: 'out/a.png' } }))
    const claimed = (target: string) => (target === join(home, 'out/a.png') ? 'b of run_1' : null)
    const { message } = await fault('a.json', { claimed })
    const what = 'will be written by b of run_1, which is under way, and would be written over'
    expect(message).toBe(`a.json: outputs.image: ${join(home, 'out/a.png')} ${what}`)
    expect(await load('a.json', { claimed, checkOutputs: false })).toHaveLength(1)
  })

  it('may not be that of another job, and neither may an id', async () => {
    await put('jobs/a.json', job({ job_id: 'one', outputs: { image: 'same.png' } }))
    await put('jobs/b.json', job({ job_id: 'one', outputs: { image: './same.png' } }))
    expect((await fault('jobs')).message.split('\n')).toEqual([
      'jobs/b.json: job_id: "one" is the id of jobs/a.json, too',
      'jobs/b.json: outputs.image: would write the same file as jobs/a.json: outputs.image: same.png',
    ])
  })

  const inOne = async (a: Record<string, string>, b: Record<string, string>) => {
    const saved = (class_type: string, title: string) => ({
      class_type,
      inputs: { images: ['1', 0] },
      _meta: { title },
    })
    const nodes = { '3': saved('SaveImage', 'image'), '4': saved('SaveVideo', 'clip'), '5': saved('Own', 'other') }
    const loads = { '1': { class_type: 'LoadImage', inputs: { image: '{input.image}' } } }
    await put('three.json', { ...loads, ...nodes })
    await put('jobs/a.json', job({ workflow_template: './three.json', outputs: a }))
    await put('jobs/b.json', job({ workflow_template: './three.json', outputs: b }))
    return load('jobs').then(
      () => '',
      (error: Fault) => error.data.message,
    )
  }

  it('may not become that of another job once its extension or its number is known', async () => {
    const both = 'jobs/b.json: outputs.image: o/s.{ext} may be the same file as o/s.png of jobs/a.json: outputs.image'
    expect(await inOne({ image: 'o/s.png' }, { image: 'o/s.{ext}' })).toBe(both)
    for (const [a, b] of [
      ['s.{ext}', 's.webp'],
      ['s-{index}.{ext}', 's-{index}.png'],
      ['s-{index}.png', 's-0.png'],
      ['r2://bucket/s.{ext}', 'r2://bucket/s.png'],
    ] as const)
      expect(await inOne({ image: a }, { image: b }), a).toContain(' may be the same file as ')
    expect(await inOne({ clip: 's.{ext}' }, { other: 's.png' })).toContain(' may be the same file as ')
  })

  it('may lie beside one of the same name that is surely another', async () => {
    expect(await inOne({ image: 's.png', clip: 's.{ext}' }, { image: 's.jpg' })).toBe('')
    expect(await inOne({ image: 'o/s.png' }, { image: 's.{ext}' })).toBe('')
    expect(await inOne({ image: 's-{index}.png' }, { image: 's-x.png' })).toBe('')
  })

  it('may not lie below the file of another job', async () => {
    const below = 'jobs/a.json: outputs.image: needs the folder o/s, which is the file of jobs/b.json: outputs.image'
    expect(await inOne({ image: 'o/s/x.png' }, { image: 'o/s' })).toBe(below)
    expect(await inOne({ image: 'o/s/' }, { image: 'o/s' })).toContain('needs the folder o/s, which')
    expect(await inOne({ image: 'r2://bucket/s/x.png' }, { image: 'r2://bucket/s' })).toBe('')
  })
})

describe('a template', () => {
  it('is found by name in the folders in order, or by path beside the job', async () => {
    await put('templates/mine.json', graph)
    await put('jobs/near.json.d/own.json', graph)
    const withTemplate = (workflow_template: string) => put('jobs/a.json', job({ workflow_template }))
    for (const name of ['mine', 'mine.json', './templates/mine.json', 'near.json.d/own.json']) {
      await withTemplate(name)
      expect((await load('jobs'))[0]?.graph['2']?.inputs.filename_prefix).toBe('a')
    }
    await put('templates/resize.json', graph)
    await withTemplate('resize')
    expect((await load('jobs'))[0]?.outputs[0]?.nodeId).toBe('2')
  })

  it('that does not exist is an error with the nearest name, or the paths tried', async () => {
    await put('a.json', job({ workflow_template: 'resise' }))
    expect((await fault('a.json')).message).toContain('template "resise" does not exist (did you mean "resize"?)')
    await put('a.json', job({ workflow_template: './none.json' }))
    expect((await fault('a.json')).message).toContain(`tried ${join(home, 'none.json')}`)
    await mkdir(join(home, 'some/folder'), { recursive: true })
    await put('a.json', job({ workflow_template: './some/folder' }))
    expect((await fault('a.json')).message).toContain(`${join(home, 'some/folder')} is a folder, not a template file`)
  })

  it.each([
    [{ nodes: [], links: [], version: 0.4 }, "editor's format", 'Export (API)'],
    [{ autopod: { description: 'x' }, workflow: { nodes: [], links: [] } }, "editor's format", 'Export (API)'],
    [{ prompt: graph }, 'is a request to POST /prompt', 'under "prompt"'],
    [{ a: 1 }, 'is no template', 'Export (API)'],
    [{}, 'has no nodes', ''],
    [{ ...graph, '3': { inputs: {} } }, '3.class_type: is missing', ''],
    [
      { autopod: { descripton: 'x' }, workflow: graph },
      'autopod.descripton: is not a known key (did you mean "desc',
      '',
    ],
    [{ ...graph, '9': { class_type: 'SaveImage', inputs: { images: ['8', 0] } } }, 'links to node "8"', ''],
  ])('%j is refused', async (contents, what, remedy) => {
    await put('templates/bad.json', contents)
    await put('a.json', job({ workflow_template: 'bad' }))
    const { message, hint } = await fault('a.json')
    expect(message).toContain('templates/bad.json')
    expect(message).toContain(what)
    expect(hint).toContain(remedy)
    await expect(readTemplate('bad', options())).rejects.toMatchObject({ data: { code: 'template_invalid' } })
  })

  it('that ten jobs use is wrong once', async () => {
    await put('templates/bad.json', { a: 1 })
    for (const name of ['a', 'b', 'c']) await put(`jobs/${name}.json`, job({ workflow_template: 'bad' }))
    expect((await fault('jobs')).message.split('\n')).toHaveLength(1)
  })

  it('that is broken is listed with what is wrong, and hides a good one of a later folder', async () => {
    await put('templates/resize.json', '{')
    const listed = await listTemplates(options().templateDirs)
    expect(listed.find(entry => entry.name === 'resize')?.problem).toContain('is not valid JSON')
    expect(listed.find(entry => entry.name === 'upscale')).toMatchObject({ problem: null, requires: { vramGb: 6 } })
  })

  it('passes its models and memory on to the job', async () => {
    await put('a.json', job({ workflow_template: 'upscale' }))
    expect((await load('a.json'))[0]).toMatchObject({ vramGbMin: 6, models: [{ folder: 'upscale_models' }] })
  })
})

describe('the fixtures', () => {
  it.each([
    ['jobs', 7],
    ['jobs-one-fails', 2],
  ])('%s are %i good jobs', async (folder, count) => {
    const specs = await load(`fixtures/${folder}`, { cwd: root, checkOutputs: false })
    expect(specs).toHaveLength(count)
    expect(new Set(specs.map(spec => spec.template)).size).toBeGreaterThanOrEqual(folder === 'jobs' ? 2 : 1)
  })
})
