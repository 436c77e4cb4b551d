// ComfyUI's answers and frames: what is read from them, and what must not be stumbled over.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  history,
  job,
  outputFiles,
  parseJson,
  promptAccepted,
  promptRefused,
  queue,
  readFrame,
  readMessage,
  systemStats,
} from '../../src/wire/comfy.ts'

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/wire/comfy/${name}`, import.meta.url), 'utf8')

describe('JSON as Python writes it', () => {
  test('NaN and both infinities become null, in strings they stay words', () => {
    expect(parseJson('{"a": [NaN, -Infinity, Infinity], "b": "NaN \\" Infinity", "NaN": 1}')).toEqual({
      a: [null, null, null],
      b: 'NaN " Infinity',
      NaN: 1,
    })
  })
  test('what is no JSON at all is an error', () => {
    expect(() => parseJson('500 Internal Server Error')).toThrow(SyntaxError)
    expect(() => parseJson('{"a": NaNcy}')).toThrow(SyntaxError)
    expect(() => parseJson('')).toThrow(SyntaxError)
  })
  test('long strings of escapes are no trouble', () => {
    const long = 'a"\\'.repeat(200_000)
    expect(parseJson(`[NaN,${JSON.stringify(long)}]`)).toEqual([null, long])
  })
})

describe('answers', () => {
  test('an accepted prompt may carry errors of dropped outputs', () => {
    const accepted = promptAccepted.parse(parseJson(fixture('accepted-in-part.json')))
    expect(accepted.node_errors['5']).toMatchObject({
      class_type: 'CheckpointLoaderSimple',
      errors: [{ type: 'value_not_in_list', extra_info: { input_name: 'ckpt_name' } }],
    })
  })
  test('older servers write a list where a map of errors should be', () => {
    const { error, node_errors } = promptRefused.parse(parseJson(fixture('refused-old.json')))
    expect([error.type, node_errors]).toEqual(['invalid_prompt', {}])
  })
  test('a queue keeps its items whole, and numbers that are no integers', () => {
    const { queue_pending } = queue.parse(parseJson(fixture('queue.json')))
    expect(queue_pending.map(([number, id]) => [number, id])).toEqual([
      [0.5, 'b'],
      [-41, 'c'],
    ])
    expect(queue_pending[0]?.[3]).toEqual({ autopod: { run: 'run_1' } })
  })
  test('a history without an end is a map without the id', () => {
    expect(history.parse({})).toEqual({})
    const entry = history.parse(parseJson(fixture('history-interrupted.json'))).a
    expect(entry?.status?.messages.at(-1)?.[0]).toBe('execution_interrupted')
  })
  test('a job may be without outputs and status while it is pending', () => {
    expect(job.parse({ id: 'a', status: 'pending', priority: 1 })).toMatchObject({ status: 'pending' })
  })
  test('a command line is read from the system’s own words, and may be missing', () => {
    expect(systemStats.parse(parseJson(fixture('system-stats.json'))).system.argv).toContain('--base-directory')
    expect(systemStats.parse({ system: {} }).system).toMatchObject({ argv: [], comfyui_version: '' })
  })
})

describe('output files', () => {
  test('come from every key of every node, and from nothing else', () => {
    const { outputs } = job.parse(parseJson(fixture('job-many-outputs.json')))
    expect(
      outputFiles(outputs ?? {}).map(file => `${file.nodeId} ${file.type} ${file.subfolder}/${file.filename}`),
    ).toEqual([
      '9 output video/v_00001_.mp4',
      '10 temp /VHS_00001.mp4',
      '11 output audio/song_00001.flac',
      '12 output mesh/m_00001_.glb',
      '13 input /mask.png',
    ])
  })
  test('a node that gave null or words gives no file', () => {
    expect(outputFiles({ '1': null, '2': { text: ['a'], images: 'x' }, '3': { images: [{ filename: '' }] } })).toEqual(
      [],
    )
  })
})

describe('text frames', () => {
  const message = (type: string, data: unknown) => readMessage(JSON.stringify({ type, data }))
  test('known ones are read, with keys nobody knows', () => {
    expect(message('progress', { value: 3, max: 20, prompt_id: 'a', node: '5', extra: 1 })).toMatchObject({
      type: 'progress',
      data: { value: 3, max: 20, node: '5' },
    })
    expect(message('executing', { node: null, prompt_id: 'a' })).toMatchObject({ data: { node: null } })
  })
  test('an output of null or with NaN does not lose the frame', () => {
    expect(readMessage('{"type":"executed","data":{"node":"2","output":null,"prompt_id":"a"}}').type).toBe('executed')
    expect(readMessage('{"type":"executed","data":{"node":"2","output":{"s":[NaN]}}}').type).toBe('executed')
  })
  test('anything else is passed over, whatever its shape', () => {
    for (const text of ['', 'null', '[]', '{"type":1}', '{"type":"crystools.monitor","data":{"cpu":NaN}}'])
      expect(readMessage(text).type).toBe('other')
    expect(message('progress', { value: 'three' })).toEqual({ type: 'other', name: 'progress' })
    expect(message('toString', {})).toEqual({ type: 'other', name: 'toString' })
  })
})

describe('binary frames', () => {
  const frame = (type: number, ...parts: (number | string | Uint8Array)[]) => {
    const word = (value: number) => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(value)
      return bytes
    }
    return Buffer.concat([
      word(type),
      ...parts.map(part => (typeof part === 'number' ? word(part) : Buffer.from(part))),
    ])
  }
  const jpeg = Uint8Array.of(0xff, 0xd8, 0xff)
  test('a plain preview is a picture of no known prompt', () => {
    expect(readFrame(frame(1, 1, jpeg))).toEqual({ kind: 'preview', image: Buffer.from(jpeg), promptId: null })
  })
  test('a preview with metadata names its prompt', () => {
    const meta = JSON.stringify({ node_id: '2', prompt_id: 'a', image_type: 'image/jpeg' })
    expect(readFrame(frame(4, meta.length, meta, jpeg))).toEqual({
      kind: 'preview',
      image: Buffer.from(jpeg),
      promptId: 'a',
    })
  })
  test('a text names its node', () => {
    expect(readFrame(frame(3, 1, '3', 'größer'))).toEqual({ kind: 'text', nodeId: '3', text: 'größer' })
  })
  test('short, unknown and lying frames are passed over', () => {
    expect(readFrame(Buffer.alloc(0)).kind).toBe('other')
    expect(readFrame(frame(9, 1, jpeg))).toEqual({ kind: 'other', type: 9 })
    expect(readFrame(frame(4, 4_000_000_000, '{'))).toEqual({ kind: 'other', type: 4 })
    expect(readFrame(frame(4, 3, 'no!', jpeg))).toEqual({ kind: 'other', type: 4 })
  })
  test('a frame inside a larger buffer is read at its own place', () => {
    const whole = Buffer.concat([Buffer.alloc(5, 7), frame(1, 2, jpeg)])
    expect(readFrame(whole.subarray(5))).toMatchObject({ kind: 'preview', image: Buffer.from(jpeg) })
  })
})
