// The pure parts of the ComfyUI executor: progress, output names, the graph that is sent, what a complaint means.
import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { Graph } from '../../src/domain/job.ts'
import { endFault, executionFault, namingInputs, plain } from '../../src/edge/executors/comfy-faults.ts'
import { graphNode, neededNodes, outputPrefix, withOutputPrefix } from '../../src/edge/executors/comfy-graph.ts'
import { selectFiles } from '../../src/edge/executors/comfy-outputs.ts'
import { createProgress } from '../../src/edge/executors/comfy-progress.ts'
import { openScope } from '../../src/edge/executors/comfy-scope.ts'
import type { Machine } from '../../src/ports.ts'
import { executionError, readMessage } from '../../src/wire/comfy.ts'

const graph: Graph = {
  '1': { class_type: 'Load', inputs: {} },
  '2': { class_type: 'KSampler', inputs: { model: ['1', 0], steps: 4 }, _meta: { title: 'Dream' } },
  '9': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: '/film' } },
  '5': { class_type: 'Note', inputs: { text: 'nobody needs me' } },
}
const isOutput = (name: string) => name === 'SaveImage'

test('a complaint that has the name of a sent file is told with the input it is, and where that lies here', () => {
  const input = (name: string) => ({ name, source: `/home/me/${name}.png`, sha256: null, bytes: 1 })
  const inputs = [
    { ...input('image'), podPath: 'autopod/320b.png' },
    { ...input('mask'), podPath: 'autopod/77ab.png' },
  ]
  const fault = executionFault(
    executionError.parse({
      prompt_id: 'p',
      node_id: '1',
      node_type: 'LoadImage',
      exception_type: 'PIL.UnidentifiedImageError',
      exception_message: "cannot identify image file '/workspace/ComfyUI/input/autopod/320b.png'",
    }),
  )
  const { data } = namingInputs(fault, inputs)
  expect(data.message).toBe(`${fault.data.message} (autopod/320b.png is input image, /home/me/image.png)`)
  expect(data).toMatchObject({ code: 'node_failed', kind: 'job', node: { id: '1' } })
  expect(data.hint).toContain('Check that this file is whole')
  expect(namingInputs(fault, inputs.slice(1))).toBe(fault)
})

describe('progress', () => {
  const start = () => {
    const progress = createProgress(graph, neededNodes(graph, isOutput), 'a')
    const say = (type: string, data: object, at = 0) =>
      progress.read(readMessage(JSON.stringify({ type, data: { prompt_id: 'a', ...data } })), at)
    const node = (state: string, value = 0, max = 1) => ({ state, value, max })
    return { progress, say, node }
  }

  test('is taken over the nodes that run, a running one by its steps', () => {
    const { progress, say, node } = start()
    say('execution_cached', { nodes: ['1'] })
    expect(progress.reading().fraction).toBeCloseTo(1 / 3)
    say('progress_state', { nodes: { '2': node('running', 2, 4) } })
    expect(progress.reading()).toMatchObject({ nodeId: '2', nodeTitle: 'Dream', step: 2, steps: 4 })
    expect(progress.reading().fraction).toBeCloseTo(0.5)
    say('progress_state', { nodes: { '2': node('finished', 4, 4), '9': node('running') } })
    expect(progress.reading()).toMatchObject({ nodeId: '9', nodeTitle: 'SaveImage', step: null, steps: null })
  })

  test('never falls, even when a node counts again from one', () => {
    const { progress, say } = start()
    say('progress', { node: '2', value: 4, max: 4 })
    const before = progress.reading().fraction
    say('progress', { node: '2', value: 1, max: 4 })
    expect(progress.reading().fraction).toBe(before)
    expect(progress.reading().step).toBe(1)
  })

  test('knows its speed from the last steps of one node', () => {
    const { progress, say } = start()
    for (let step = 1; step <= 3; step++) say('progress', { node: '2', value: step, max: 4 }, step * 500)
    expect(progress.reading().perSecond).toBe(2)
  })

  test('counts a node made at run time to the one that made it', () => {
    const { progress, say, node } = start()
    say('progress_state', { nodes: { '2': node('running'), '2.0.0.1': node('finished') } })
    expect(progress.reading()).toMatchObject({ nodeId: '2', fraction: 0 })
    say('progress', { node: '2.0.0.1', value: 1, max: 2 })
    expect(progress.reading().nodeId).toBe('2')
  })

  test('ends with the prompt, but not with another one or with a blocked branch', () => {
    const { say } = start()
    expect(say('executing', { node: null, prompt_id: 'b' })).toBe('ignored')
    expect(say('execution_error', { exception_type: 'ExecutionBlocked' })).toBe('changed')
    expect(say('execution_error', { exception_type: 'ValueError' })).toBe('over')
    expect(say('executing', { node: null })).toBe('over')
    expect(say('execution_success', {})).toBe('over')
  })
})

describe('files on the pod', () => {
  const folders = { input: '/c/input', output: '/c/output', temp: '/c/temp' }
  const select = (items: object[], log: string[] = []) =>
    selectFiles({ '9': { images: items } }, { graph, outputs: [] }, folders, 'run_1-a-1', line => log.push(line))

  test('lie below the folder of their type', () => {
    const item = { filename: 'a.png', subfolder: 'run_1-a-1/sub', type: 'output' }
    expect(select([item, item])).toEqual([{ podPath: '/c/output/run_1-a-1/sub/a.png', nodeId: '9', file: 'a.png' }])
  })

  test.each([
    ['../../etc', 'passwd'],
    ['..', 'a.png'],
    ['a/../..', 'a.png'],
    ['a\\..\\..', 'a.png'],
    ['/etc', 'passwd'],
    ['C:\\', 'a.png'],
    ['', '../a.png'],
    ['', '..'],
    ['', 'a\\b.png'],
    ['', 'a\n.png'],
    ['a\u0000', 'a.png'],
  ])('a name that leaves its folder is refused and told: %j %j', (subfolder, filename) => {
    const log: string[] = []
    const good = { filename: 'good.png', subfolder: '', type: 'output' }
    expect(select([{ filename, subfolder, type: 'output' }, good], log).map(file => file.file)).toEqual(['good.png'])
    expect(log).toHaveLength(1)
    expect(log[0]).toMatch(/^refused a file name of node 9/)
  })

  test('are not more than can be kept, whatever a pod names', () => {
    const named = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ filename: `${at}.png`, subfolder: '', type: 'output' }))
    expect(select(named(10_000))).toHaveLength(10_000)
    expect(() => select(named(10_001))).toThrow('names 10001 files; of one job at most 10000 are brought back')
  })

  test('three files of one name have three names', () => {
    const items = ['run_1-a-1', 'run_1-a-1/x', 'x'].map(subfolder => ({ filename: 'a.png', subfolder, type: 'output' }))
    expect(select(items).map(file => file.file)).toEqual(['a.png', 'x-a.png', '2-x-a.png'])
  })
})

describe('the graph that is sent', () => {
  test('saves below a folder of the attempt, and leaves the job’s own graph alone', () => {
    const prefix = outputPrefix({ runId: 'run_1', jobId: 'a', attempt: 2 })
    expect(withOutputPrefix(graph, prefix)['9']?.inputs.filename_prefix).toBe('run_1-a-2/film')
    expect(graph['9']?.inputs.filename_prefix).toBe('/film')
  })
  test('has only safe characters in that folder', () => {
    expect(outputPrefix({ runId: '../%date%', jobId: 'ä/b', attempt: 1 })).toBe('___date_-__b-1')
  })
  test('needs what its outputs need', () => {
    expect([...neededNodes(graph, isOutput)].sort()).toEqual(['1', '2', '9'])
    expect(neededNodes(graph, () => false).size).toBe(4)
  })
  test('finds the node of an id made at run time', () => {
    expect([graphNode(graph, '2.0.0.1'), graphNode(graph, '9'), graphNode(graph, '77.1')]).toEqual(['2', '9', '77.1'])
  })
})

describe('a failed node', () => {
  const of = (exception_type: string, exception_message: string) =>
    executionFault(executionError.parse({ node_id: '2', node_type: 'KSampler', exception_type, exception_message }))
      .data

  test.each([
    ['torch.OutOfMemoryError', 'x'],
    ['torch.cuda.OutOfMemoryError', 'x'],
    ['RuntimeError', 'Allocation on device 0 would exceed allowed memory'],
    ['RuntimeError', 'CUDA error: out of memory'],
  ])('%s: %s is too much for the card and leaves the pod whole', (type, message) => {
    expect(of(type, message)).toMatchObject({ kind: 'job', code: 'out_of_memory' })
  })

  test.each([
    ['torch.AcceleratorError', 'CUDA error: an illegal memory access was encountered', 'cuda_error'],
    ['RuntimeError', 'cuDNN error: CUDNN_STATUS_INTERNAL_ERROR', 'cuda_error'],
    ['safetensors_rust.SafetensorError', 'Error while deserializing header', 'model_damaged'],
    ['OSError', '[Errno 28] No space left on device', 'disk_full'],
    ['MemoryError', '', 'host_out_of_memory'],
  ])('%s: %s goes to another pod', (type, message, code) => {
    expect(of(type, message)).toMatchObject({ kind: 'pod', code, node: { id: '2', classType: 'KSampler' } })
  })

  test('anything else is the job’s own', () => {
    expect(of('ValueError', 'boom\n')).toMatchObject({
      kind: 'job',
      code: 'node_failed',
      message: 'node 2 (KSampler) failed with ValueError: boom',
    })
  })

  test('is not found in a prompt that ended well, and needs no details to be one', () => {
    const parse = (data: unknown) => executionError.parse(data)
    const blocked: [string, Record<string, unknown>] = ['execution_error', { exception_type: 'ExecutionBlocked' }]
    expect(endFault({ status_str: 'success', messages: [blocked] }, parse)).toBeNull()
    expect(endFault(null, parse)).toBeNull()
    expect(endFault({ status_str: 'error', messages: [] }, parse)?.data).toMatchObject({ code: 'node_failed' })
  })

  test('cannot move the cursor of who reads it', () => {
    expect(plain('\u001b[31mred\u001b[0m\u0007 and\r\nplain\u009b2J')).toBe('red and plain2J')
    expect(plain('x'.repeat(5_000))).toHaveLength(600)
    const long = 'x'.repeat(1_000_000)
    const { data } = executionFault(executionError.parse({ node_id: long, node_type: long, exception_type: long }))
    expect(JSON.stringify(data).length).toBeLessThan(5_000)
  })
})

describe('what ends the work on a machine', () => {
  const machineWith = () => {
    const { promise, resolve } = Promise.withResolvers<Error | null>()
    let reactions = 0
    const closed = new Proxy(promise, {
      get(target, key) {
        if (key === 'then') reactions++
        const found = Reflect.get(target, key)
        return typeof found === 'function' ? found.bind(target) : found
      },
    })
    return { machine: { closed } as Machine, end: resolve, reactions: () => reactions }
  }

  test('leaves nothing behind, however many calls a machine lives for', () => {
    const { machine, reactions } = machineWith()
    const { signal } = new AbortController()
    for (let call = 0; call < 100; call++) openScope(machine, signal).close()
    expect(reactions()).toBe(1)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  test('is the loss of the machine, of each call that is open and of those that begin later', async () => {
    const { machine, end } = machineWith()
    const { signal } = new AbortController()
    const scopes = [openScope(machine, signal), openScope(machine, signal)]
    expect(scopes.map(scope => scope.lost())).toEqual([null, null])
    end(new Error('reset'))
    await machine.closed
    for (const scope of [...scopes, openScope(machine, signal)]) {
      expect(scope.lost()?.data).toMatchObject({ code: 'connection_lost', message: expect.stringContaining('reset') })
      expect([scope.signal.reason, scope.letGo.reason]).toEqual([scope.lost(), scope.lost()])
    }
  })
})
