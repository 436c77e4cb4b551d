// The executor against the sandbox's ComfyUI: files go in, pictures come out, and every way a job can end.
import { access, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Fault } from '../../src/domain/fault.ts'
import type { Graph } from '../../src/domain/job.ts'
import { createComfyExecutor } from '../../src/edge/executors/comfy.ts'
import { type ComfyOptions, startComfy } from '../../src/sandbox/comfy/server.ts'
import { fastClock, folder, localCourier, localMachine, runTask, taskOf } from './executor-worlds.ts'

const picture = new URL('../../fixtures/inputs/night-city.png', import.meta.url).pathname

async function world(options: Partial<ComfyOptions> = {}) {
  const [root, kept] = [await folder(), await folder()]
  const gpu = { name: 'NVIDIA A40', vramBytes: 48 * 2 ** 30 }
  const comfy = await startComfy({ root, log: () => {}, gpu, stepMs: 2, ...options })
  onTestFinished(() => comfy.stop())
  const courier = localCourier(kept)
  const executor = createComfyExecutor({ courier, clock: fastClock(20), pollMs: 500 })
  const ask = async (path: string) => (await (await fetch(comfy.url + path)).json()) as { status?: string }
  return { root, kept, comfy, courier, executor, machine: localMachine(comfy.url), ask }
}

const input = { name: 'image', source: picture, sha256: null, bytes: null, podPath: 'autopod/city.png' }
const target = { name: 'image', nodeId: '9', target: '/out/a.png' }
const scaling: Graph = {
  '1': { class_type: 'LoadImage', inputs: { image: 'autopod/city.png' } },
  '2': {
    class_type: 'ImageScale',
    inputs: { image: ['1', 0], upscale_method: 'lanczos', width: 64, height: 48, crop: 'disabled' },
    _meta: { title: 'Make it small' },
  },
  '9': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'small/city' } },
}
const scalingTask = (task = {}) => taskOf(scaling, { inputs: [input], outputs: [target] }, task)
/** Whatever must not reach the end before the test says so: 8 steps of 2 s. */
const slow = { stepMs: 2_000 }
const filled = (color: number): Graph => ({
  '1': { class_type: 'EmptyImage', inputs: { width: 32, height: 32, batch_size: 1, color } },
  '2': { class_type: 'ImageInvert', inputs: { image: ['1', 0] } },
  '9': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'x' } },
})

describe('a job on ComfyUI', () => {
  test('brings its picture back under its own prefix', async () => {
    const { executor, machine, root, kept, comfy } = await world()
    await executor.ready(machine, new AbortController().signal)
    const task = scalingTask()
    const end = await runTask(executor, task, machine)
    expect(end.fault).toBeNull()
    expect(end.artifacts).toMatchObject([{ name: 'image', nodeId: '9', file: 'city_00001_.png', index: 0 }])
    expect(end.stored).toEqual(end.artifacts)
    await access(join(root, 'output/run_1-job-1-1/small/city_00001_.png'))
    await access(join(kept, 'out/run_1/job-1/1/city_00001_.png'))
    expect(end.started).toBe(1)
    expect(comfy.promptCounts().get(task.promptId)).toBe(1)
  })

  test('whose engine died after its last file was stored is found again, and not made twice', async () => {
    const { executor, machine, kept, comfy } = await world()
    const task = scalingTask()
    const first = await runTask(executor, task, machine)
    await rm(kept, { recursive: true })
    const again = await runTask(executor, { ...task, resumed: true }, machine)
    expect(again.artifacts).toEqual(first.artifacts)
    expect(comfy.promptCounts().get(task.promptId)).toBe(1)
  })

  test('leaves its history only until the next one comes', async () => {
    const { executor, machine, ask } = await world()
    const [one, two] = [scalingTask(), scalingTask({ attempt: 2 })]
    await runTask(executor, one, machine)
    expect(Object.keys(await ask(`/history/${one.promptId}`))).toEqual([one.promptId])
    await runTask(executor, two, machine)
    expect(await ask(`/history/${one.promptId}`)).toEqual({})
  })

  test('tells how far it is: never backwards, by node and step, from inputs to outputs', async () => {
    const { executor, machine } = await world()
    const { gauges, previews } = await runTask(executor, scalingTask(), machine)
    const phases = gauges.map(gauge => gauge.phase).filter((phase, at, all) => phase !== all[at - 1])
    expect(phases).toEqual(['inputs', 'queued', 'running', 'outputs'])
    const fractions = gauges.map(gauge => gauge.fraction).filter(fraction => fraction !== null)
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
    expect(fractions.at(-1)).toBe(1)
    expect(fractions.some(fraction => fraction > 0.34 && fraction < 0.66)).toBe(true)
    expect(gauges.some(gauge => gauge.nodeTitle === 'Make it small' && (gauge.step ?? 0) >= 1)).toBe(true)
    expect(gauges.some(gauge => (gauge.perSecond ?? 0) > 0)).toBe(true)
    // JPEG or PNG, as ComfyUI sent it.
    for (const image of previews) expect([0xff, 0x89]).toContain(image[0])
    expect(previews.length).toBeGreaterThan(0)
  })

  test('a second attempt writes new files although everything upstream is cached', async () => {
    const { executor, machine, root } = await world()
    const first = await runTask(executor, scalingTask(), machine)
    const second = await runTask(executor, scalingTask({ attempt: 2 }), machine)
    expect(second.artifacts?.[0]?.key).toBe('out/run_1/job-1/2/city_00001_.png')
    expect(second.artifacts?.[0]?.bytes).toBeGreaterThan(0)
    expect(first.artifacts?.[0]?.key).not.toBe(second.artifacts?.[0]?.key)
    await access(join(root, 'output/run_1-job-1-2/small/city_00001_.png'))
  })

  test('two files of one name in two subfolders both come back', async () => {
    const { executor, machine } = await world()
    const graph = filled(1)
    graph['9']!.inputs.filename_prefix = 'a/x'
    graph['8'] = { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'b/x' } }
    const { artifacts } = await runTask(executor, taskOf(graph), machine)
    expect(artifacts?.map(artifact => artifact.file).sort()).toEqual(
      expect.arrayContaining(['x_00001_.png', expect.stringMatching(/^[ab]-x_00001_\.png$/)]),
    )
  })

  test('a temporary picture comes back only when an output asks for its node', async () => {
    const { executor, machine } = await world()
    const graph = filled(2)
    graph['7'] = { class_type: 'PreviewImage', inputs: { images: ['1', 0] } }
    const without = await runTask(executor, taskOf(graph), machine)
    expect(without.artifacts?.map(artifact => artifact.nodeId)).toEqual(['9'])
    const outputs = [{ name: 'look', nodeId: '7', target: '/out/' }]
    const asked = await runTask(executor, taskOf(graph, { outputs }, { attempt: 2 }), machine)
    expect(asked.artifacts?.map(artifact => artifact.nodeId).sort()).toEqual(['7', '9'])
  })

  test('an output of a node that saves nothing fails the job, not the pod', async () => {
    const { executor, machine } = await world()
    const task = taskOf(filled(3), { outputs: [{ name: 'video', nodeId: '2', target: '/out/' }] })
    const { fault } = await runTask(executor, task, machine)
    expect(fault).toMatchObject({ kind: 'job', code: 'output_missing', node: { id: '2', classType: 'ImageInvert' } })
  })
})

describe('before anything is submitted', () => {
  test('a node class that is not installed is named', async () => {
    const { executor, machine, comfy } = await world()
    const graph = { ...filled(4), '3': { class_type: 'NoSuchNode', inputs: { image: ['1', 0] } } }
    const { fault, started } = await runTask(executor, taskOf(graph), machine)
    expect(fault).toMatchObject({ kind: 'job', code: 'node_missing', node: { id: '3', classType: 'NoSuchNode' } })
    expect(started).toBe(0)
    expect(comfy.promptCounts().size).toBe(0)
  })

  test('a declared model that is not there is named with its address and folder', async () => {
    const { executor, machine, root } = await world()
    const model = { name: 'sub/a.safetensors', folder: 'loras', bytes: 7_000_000, url: 'https://example.org/a' }
    const { fault } = await runTask(executor, taskOf(filled(5), { models: [model] }), machine)
    expect(fault).toMatchObject({ kind: 'job', code: 'model_missing' })
    expect(fault?.message).toContain('loras/sub/a.safetensors (7.0 MB)')
    expect(fault?.hint).toContain('https://example.org/a')
    await mkdir(join(root, 'models/loras/sub'), { recursive: true })
    await writeFile(join(root, 'models/loras/sub/a.safetensors'), 'x')
    expect((await runTask(executor, taskOf(filled(5), { models: [model] }), machine)).fault).toBeNull()
  })

  test('a refused value names node, class and input', async () => {
    const { executor, machine } = await world()
    const graph = filled(6)
    graph['1']!.inputs.width = 999_999
    const { fault } = await runTask(executor, taskOf(graph), machine)
    expect(fault).toMatchObject({ kind: 'job', code: 'prompt_invalid', node: { id: '1', classType: 'EmptyImage' } })
    expect(fault?.message).toMatch(/node 1 \(EmptyImage\), input width: .*16384/)
  })

  test('a workflow accepted only in part is taken back and fails', async () => {
    const { executor, machine, comfy } = await world()
    const graph = filled(7)
    graph['8'] = { class_type: 'SaveImage', inputs: { filename_prefix: 'bad' } }
    const task = taskOf(graph)
    const { fault, started } = await runTask(executor, task, machine)
    expect(fault).toMatchObject({ kind: 'job', code: 'prompt_invalid', node: { id: '8' } })
    expect(started).toBe(0)
    await expect.poll(() => comfy.executing()).toBeNull()
  })
})

describe('when it goes wrong on the pod', () => {
  test('too little GPU memory is a matter of job and card', async () => {
    const { executor, machine } = await world({ faults: () => 'oom' })
    const { fault } = await runTask(executor, scalingTask(), machine)
    expect(fault).toMatchObject({ kind: 'job', code: 'out_of_memory', node: { id: '2', classType: 'ImageScale' } })
    expect(fault?.message).toMatch(/^node 2 \(ImageScale\) ran out of GPU memory: CUDA out of memory/)
  })

  test('memory of earlier work is freed before the prompt where that is asked for', async () => {
    const { executor, machine } = await world()
    const { fault, log } = await runTask(executor, { ...scalingTask(), freeFirst: true }, machine)
    expect(fault).toBe(null)
    expect(log).toContain('freed the memory of the GPU')
  })

  test('an exception in a node is a matter of the job', async () => {
    const { executor, machine } = await world({ faults: () => 'error' })
    const { fault } = await runTask(executor, scalingTask(), machine)
    expect(fault).toMatchObject({ kind: 'job', code: 'node_failed', node: { id: '2', classType: 'ImageScale' } })
  })

  test('a server that dies and comes back has lost the prompt, and the pod is left', async () => {
    const { executor, machine } = await world({ faults: () => 'crash', downMs: 100 })
    const { fault, started } = await runTask(executor, scalingTask(), machine)
    expect(fault).toMatchObject({ kind: 'pod', code: 'prompt_lost' })
    expect(started).toBe(1)
  })

  test('a server that dies for good is given up after a while', async () => {
    const { executor, machine } = await world({ faults: () => 'crash', downMs: 60_000 })
    const { fault } = await runTask(executor, scalingTask(), machine)
    expect(fault).toMatchObject({ kind: 'pod', code: 'comfy_gone' })
  })

  test('an interruption by someone else fails the job', async () => {
    const { executor, machine, comfy } = await world({ stepMs: 20 })
    const task = scalingTask()
    let isSent = false
    const end = await runTask(executor, task, machine, {
      when: told => {
        if (isSent || !told.gauges.some(gauge => (gauge.step ?? 0) > 0)) return
        isSent = true
        void fetch(`${comfy.url}/interrupt`, { method: 'POST', body: JSON.stringify({ prompt_id: task.promptId }) })
      },
    })
    expect(end.fault).toMatchObject({ kind: 'job', code: 'interrupted' })
  })

  test('a file that ComfyUI names but the disk lacks is worth another try', async () => {
    const { executor, machine, root } = await world()
    const end = await runTask(executor, taskOf(filled(8)), {
      ...machine,
      exec: async (command, options) => {
        await rm(join(root, 'output/run_1-job-1-1'), { recursive: true, force: true })
        return machine.exec(command, options)
      },
    })
    expect(end.fault).toMatchObject({ kind: 'transient', code: 'output_file_missing' })
  })

  test('the end of the connection is a matter of the pod, whatever else was under way', async () => {
    const { executor, machine } = await world(slow)
    const end = await runTask(executor, scalingTask(), machine, {
      when: told => told.started && machine.lose(new Error('keepalive timed out')),
    })
    expect(end.fault).toMatchObject({ kind: 'pod', code: 'connection_lost' })
    expect(end.fault?.message).toContain('keepalive timed out')
  })
})

describe('an attempt that an engine left behind', () => {
  test('is followed, not submitted again, while it runs', async () => {
    const { executor, machine, comfy } = await world({ stepMs: 30 })
    const task = scalingTask()
    const stop = new AbortController()
    const left = runTask(executor, task, machine, {
      signal: stop.signal,
      when: told => told.started && stop.abort(new Error('engine stops')),
    })
    await expect(left).rejects.toThrow('engine stops')
    expect(comfy.executing()).toBe(task.promptId)
    const end = await runTask(executor, { ...task, resumed: true }, machine)
    expect(end.artifacts).toHaveLength(1)
    expect(end.started).toBe(1)
    expect(comfy.promptCounts().get(task.promptId)).toBe(1)
  })

  test('is only collected when it has ended meanwhile', async () => {
    const { executor, machine, comfy, courier } = await world()
    const task = scalingTask()
    courier.failNext = new Fault({ kind: 'transient', code: 'bucket_busy', message: 'the bucket is busy' })
    expect((await runTask(executor, task, machine)).fault).toMatchObject({ code: 'bucket_busy' })
    const end = await runTask(executor, { ...task, resumed: true }, machine)
    expect(end.artifacts).toHaveLength(1)
    expect(comfy.promptCounts().get(task.promptId)).toBe(1)
  })

  test('is submitted when it never got there', async () => {
    const { executor, machine, comfy } = await world()
    const task = scalingTask({ resumed: true })
    expect((await runTask(executor, task, machine)).artifacts).toHaveLength(1)
    expect(comfy.promptCounts().get(task.promptId)).toBe(1)
  })

  test('gives way to a newer one', async () => {
    const { executor, machine, comfy, ask } = await world({ stepMs: 100 })
    const old = scalingTask()
    const stop = new AbortController()
    const left = runTask(executor, old, machine, {
      signal: stop.signal,
      when: told => told.started && stop.abort(new Error('engine stops')),
    })
    await expect(left).rejects.toThrow('engine stops')
    const end = await runTask(executor, taskOf(filled(9), {}, { attempt: 2 }), machine)
    expect(end.artifacts).toHaveLength(1)
    expect(end.log.join('\n')).toContain(`cancelling ${old.promptId}`)
    expect((await ask(`/api/jobs/${old.promptId}`)).status).toBe('cancelled')
    expect(comfy.executing()).toBeNull()
  })
})

describe('cancelling', () => {
  test('interrupts the prompt by its id and waits for it to be over', async () => {
    const { executor, machine, comfy, ask } = await world({ stepMs: 50 })
    const task = scalingTask()
    const stop = new AbortController()
    const end = await runTask(executor, task, machine, {
      signal: stop.signal,
      when: told => told.started && stop.abort('cancel'),
    })
    expect(end.fault).toMatchObject({ kind: 'transient', code: 'cancelled' })
    expect(comfy.executing()).toBeNull()
    expect((await ask(`/api/jobs/${task.promptId}`)).status).toBe('cancelled')
  })

  test('before the submission leaves nothing on the server', async () => {
    const { executor, machine, comfy } = await world()
    const end = await runTask(executor, scalingTask(), machine, { signal: AbortSignal.abort('cancel') })
    expect(end.fault).toMatchObject({ code: 'cancelled' })
    expect(comfy.promptCounts().size).toBe(0)
  })

  test('does not touch a prompt of someone else', async () => {
    const { executor, machine, comfy, ask } = await world({ stepMs: 20 })
    // Puts the input file there.
    await runTask(executor, scalingTask(), machine)
    const theirs = await fetch(`${comfy.url}/prompt`, { method: 'POST', body: JSON.stringify({ prompt: scaling }) })
    const { prompt_id } = (await theirs.json()) as { prompt_id: string }
    const task = taskOf(filled(10), {}, { attempt: 2 })
    const stop = new AbortController()
    const end = await runTask(executor, task, machine, {
      signal: stop.signal,
      when: told => told.started && stop.abort('cancel'),
    })
    expect(end.fault).toMatchObject({ code: 'cancelled' })
    expect(['in_progress', 'completed']).toContain((await ask(`/api/jobs/${prompt_id}`)).status)
  })
})

describe('readiness', () => {
  test('is reached when the server starts to answer', async () => {
    const { executor, comfy, root } = await world()
    await comfy.stop()
    const waiting = executor.ready(localMachine(comfy.url), new AbortController().signal)
    const again = await startComfy({
      root,
      log: () => {},
      gpu: { name: 'x', vramBytes: 1 },
      stepMs: 0,
      port: comfy.port,
    })
    onTestFinished(() => again.stop())
    await expect(waiting).resolves.toBeUndefined()
  })

  test('ends with the reason when given up, and with a fault when the machine goes', async () => {
    const { executor, comfy } = await world()
    await comfy.stop()
    const machine = localMachine(comfy.url)
    const stop = new AbortController()
    const waiting = executor.ready(machine, stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    const losing = executor.ready(machine, new AbortController().signal)
    machine.lose(new Error('gone'))
    await expect(losing).rejects.toMatchObject({ data: { kind: 'pod', code: 'connection_lost' } })
  })
})
