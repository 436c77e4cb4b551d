// Order, cache keys and queue of the sandbox's ComfyUI.
import { describe, expect, it } from 'vitest'
import { cacheKeys, executionOrder, type Prompt } from '../../src/sandbox/comfy/graph.ts'
import { createQueue, type QueueItem } from '../../src/sandbox/comfy/queue.ts'

const prompt: Prompt = {
  '1': { class_type: 'EmptyImage', inputs: { width: 8 } },
  '2': { class_type: 'ImageBlur', inputs: { image: ['1', 0] } },
  '3': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'early' } },
  '4': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: 'late' } },
}
const runAll = (outputs: string[], cached: string[] = []) => {
  const isOutput = (id: string) => prompt[id]?.class_type === 'SaveImage'
  const order = executionOrder(prompt, outputs, isOutput, id => cached.includes(id))
  const ran: string[] = []
  for (let id = order.next(); id !== undefined; id = order.next()) {
    ran.push(id)
    order.done(id)
  }
  return ran
}

describe('the execution order', () => {
  it('saves as soon as it can', () => {
    expect(runAll(['3', '4'])).toEqual(['1', '3', '2', '4'])
  })
  it('leaves out what only other outputs need', () => {
    expect(runAll(['3'])).toEqual(['1', '3'])
  })
  it('does not go below a cached node', () => {
    expect(runAll(['4'], ['2'])).toEqual(['4'])
  })
})

describe('a cache key', () => {
  const keysOf = (graph: Prompt, digest = '') => cacheKeys(graph, async () => digest)
  it('changes with anything below the node, and with nothing beside it', async () => {
    const before = await keysOf(prompt)
    const changed = structuredClone(prompt)
    changed['2']!.inputs.sigma = 2
    const after = await keysOf(changed)
    expect(after.get('1')).toBe(before.get('1'))
    expect(after.get('3')).toBe(before.get('3'))
    expect(after.get('2')).not.toBe(before.get('2'))
    expect(after.get('4')).not.toBe(before.get('4'))
  })
  it('does not know node ids', async () => {
    const moved: Prompt = { '7': prompt['1']!, '8': { class_type: 'ImageBlur', inputs: { image: ['7', 0] } } }
    expect((await keysOf(moved)).get('8')).toBe((await keysOf(prompt)).get('2'))
  })
  it('changes with the content of a file', async () => {
    expect((await keysOf(prompt, 'a')).get('4')).not.toBe((await keysOf(prompt, 'b')).get('4'))
  })
})

describe('the prompt queue', () => {
  const item = (number: number, id: string): QueueItem => [number, id, {}, {}, []]
  const result = { outputs: {}, meta: {}, status: { status_str: 'success' as const, completed: true, messages: [] } }

  it('runs the lowest number first and shows the heap as Python would', () => {
    const queue = createQueue(() => {})
    for (const [number, id] of [
      [39, 'a'],
      [40, 'b'],
      [-41, 'c'],
      [0.5, 'd'],
    ] as const)
      queue.put(item(number, id))
    expect(queue.pending().map(([number]) => number)).toEqual([-41, 0.5, 39, 40])
    const ran: number[] = []
    for (let next = queue.take(); next; next = queue.take()) {
      ran.push(next[0])
      queue.finish(result)
    }
    expect(ran).toEqual([-41, 0.5, 39, 40])
  })
  it('leaves no trace of a prompt that was removed while it waited', () => {
    const queue = createQueue(() => {})
    queue.put(item(1, 'a'))
    queue.put(item(2, 'b'))
    expect([queue.remove('b'), queue.remove('b')]).toEqual([true, false])
    expect([queue.remaining(), queue.history().size]).toEqual([1, 0])
  })
  it('does not remove what runs', () => {
    const queue = createQueue(() => {})
    queue.put(item(1, 'a'))
    queue.take()
    expect([queue.remove('a'), queue.remaining()]).toEqual([false, 1])
  })
})
