// The sandbox's ComfyUI against recordings of a real one, version 0.33.0 (2026-11).
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type Comfy, type ComfyOptions, startComfy } from '../../src/sandbox/comfy/server.ts'
import { call, differences, recordedEvents, recordings, replay } from './sandbox-comfy-replay.ts'

const areHere = existsSync(recordings)
if (!areHere) console.log(`skipped: no recordings of a real ComfyUI at ${recordings.pathname}`)

let root: string
let comfy: Comfy

const gpu = { name: 'NVIDIA GeForce RTX 4090', vramBytes: 24 * 2 ** 30 }
const start = async (options: Partial<ComfyOptions> = {}) => {
  comfy = await startComfy({ root, log: () => {}, gpu, stepMs: 2, ...options })
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'comfy-'))
})
afterEach(async () => {
  await comfy.stop()
  rmSync(root, { recursive: true, force: true })
})

type Scenario = { name: string; promise: string } & Parameters<typeof replay>[2]

const scenarios: Scenario[] = [
  { name: '01_success', promise: 'tells a prompt from queue to history' },
  { name: '02_cached_rerun', promise: 'answers a prompt again from its cache' },
  { name: '03_partially_cached', promise: 'runs again only what changed' },
  { name: '05_validation_failures', promise: 'refuses every kind of bad prompt' },
  { name: '06_partially_valid', promise: 'runs the valid half of a prompt' },
  { name: '07_runtime_error', promise: 'reports a node that fails' },
  { name: '09_interrupt', promise: 'stops the prompt it is told to stop and no other' },
  { name: '10_queue', promise: 'orders, deletes and cancels waiting prompts', isReduced: true, statusMayDrift: true },
  { name: '11_reconnect', promise: 'tells a client that comes back what runs', isReduced: true },
  { name: '12_two_clients', promise: 'tells each client its own prompts' },
  { name: '13_same_client_id_twice', promise: 'forgets the newer of two sockets', isReduced: true },
  { name: '14_feature_flags_previews', promise: 'sends previews the way each client asked for', without: ['3'] },
  { name: '15_upload', promise: 'takes uploads', isReduced: true },
  { name: '16_view', promise: 'gives files out' },
  {
    name: '17_info_routes',
    promise: 'describes itself',
    skip: ({ path = '' }) => {
      if (path.endsWith('/system_stats')) return 'recorded on a machine without a GPU; has its own test'
      if (path === '/internal/files/output') return 'recorded after other scenarios had left files'
      return /^\/history\?max_items=2/.test(path) ? 'recorded after other scenarios had left history' : null
    },
  },
  { name: '19_partial_execution', promise: 'runs only the outputs asked for' },
  {
    name: '20_same_prompt_id_twice',
    promise: 'runs a prompt_id as often as it is posted',
    isReduced: true,
    statusMayDrift: true,
  },
  { name: '25_logs', promise: 'streams its log' },
  { name: '26_history_admin', promise: 'forgets what it is told to forget', isReduced: true },
  { name: '28_cached_without_client_id', promise: 'lists cached outputs without a client', isReduced: true },
]

describe.skipIf(!areHere)('the sandbox ComfyUI against the recorded one', () => {
  it.each(scenarios)(
    '$promise, as in recording $name',
    { timeout: 30_000 },
    async ({ name, promise: _, ...options }) => {
      // Long enough that a client can act in the middle of a node, eight steps, on a busy machine.
      await start({ stepMs: 60 })
      const played = await replay({ url: comfy.url, root }, recordedEvents(name), options)
      for (const reason of played.skipped) console.log(`${name}: skipped ${reason}`)
      expect(played.problems).toEqual([])
      expect(played.requests).toBeGreaterThan(0)
    },
  )

  it('describes its nodes as the real server does', async () => {
    await start()
    const read = (name: string) => JSON.parse(readFileSync(new URL(name, recordings), 'utf8'))
    const theirs = { ...read('object_info.all.json'), ...read('object_info.json') }
    const ours = (await call(comfy.url, 'GET', '/object_info')).body as Record<string, Record<string, unknown>>
    expect(Object.keys(ours)).toHaveLength(14)
    for (const [name, spec] of Object.entries(ours)) {
      const recorded = theirs[name]
      // What files lie in the input folder is no part of a signature.
      if (name === 'LoadImage') recorded.input.required.image[0] = []
      expect(spec, name).toMatchObject(recorded)
      expect((await call(comfy.url, 'GET', `/object_info/${name}`)).body).toEqual({ [name]: spec })
    }
  })

  it('has the recorded shape of system_stats, with a GPU', async () => {
    await start()
    const { body } = recordedEvents('17_info_routes').find(event => event.kind === 'http_response')!
    const stats = (await call(comfy.url, 'GET', '/system_stats')).body as Record<string, unknown>
    const found = differences(body!, stats as never, 'stats', false)
    expect(found).toEqual(['stats.devices[0].type: cpu there, cuda here'])
    expect(stats).toMatchObject({
      system: { comfyui_version: '0.33.0', argv: expect.arrayContaining(['--base-directory', root]) },
      devices: [{ name: 'cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync', vram_total: gpu.vramBytes, index: 0 }],
    })
  })
})

type Told = { type: string; data: Record<string, unknown> }

/** A socket that keeps all it hears; `until` resolves with the first message that fits, past ones included. */
async function listen(clientId: string) {
  const socket = new WebSocket(`${comfy.url.replace('http', 'ws')}/ws?clientId=${clientId}`)
  const heard: Told[] = []
  const waiting = new Set<() => void>()
  socket.on('message', (data, isBinary) => {
    if (isBinary) return
    heard.push(JSON.parse(String(data)))
    for (const wake of waiting) wake()
  })
  await once(socket, 'open')
  const until = (fits: (message: Told) => boolean) =>
    new Promise<Told>(resolve => {
      const look = () => {
        const found = heard.find(fits)
        if (!found) return
        waiting.delete(look)
        resolve(found)
      }
      waiting.add(look)
      look()
    })
  return { socket, heard, until }
}

const isOver = ({ type, data }: Told) => type === 'executing' && data.node === null
const blurred = (prefix: string, color = 255) => ({
  '1': { class_type: 'EmptyImage', inputs: { width: 32, height: 24, batch_size: 1, color } },
  '2': { class_type: 'ImageBlur', inputs: { image: ['1', 0], blur_radius: 1, sigma: 1 } },
  '3': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: prefix } },
})
const post = async (path: string, body: unknown) => await call(comfy.url, 'POST', path, { body: JSON.stringify(body) })
const promptId = '0f5ac2f8-3b1d-4b8e-9a53-0c1f6f0f9a11'
const submit = (prefix: string, extra: Record<string, unknown> = {}) =>
  post('/prompt', { prompt: blurred(prefix), client_id: 'me', prompt_id: promptId, ...extra })

describe('the sandbox ComfyUI', () => {
  it('has the history entry whenever it tells that nothing executes any more', async () => {
    await start({ stepMs: 0 })
    const { socket, heard, until } = await listen('me')
    for (let color = 0; color < 20; color++) {
      heard.length = 0
      const id = promptId.replace(/..$/, String(10 + color))
      await post('/prompt', { prompt: blurred('race', color), client_id: 'me', prompt_id: id })
      await until(isOver)
      expect((await call(comfy.url, 'GET', `/history/${id}`)).body).toHaveProperty(id)
    }
    socket.close()
  })

  it('reports running out of memory in the words of a real server', async () => {
    const lines: string[] = []
    await start({ log: line => lines.push(line), faults: ({ tag }) => (tag.includes('oom') ? 'oom' : null) })
    const { socket, heard, until } = await listen('me')
    await submit('oom-2')
    await until(isOver)
    const error = heard.find(message => message.type === 'execution_error')!
    expect(error.data).toMatchObject({ node_id: '2', node_type: 'ImageBlur', executed: ['1'] })
    expect(error.data.exception_type).toBe('torch.OutOfMemoryError')
    expect(error.data.exception_message).toContain('This error means you ran out of memory on your GPU')
    expect(heard.map(message => message.type)).not.toContain('execution_success')
    expect(lines).toContain('Got an OOM, unloading all loaded models.')
    const job = (await call(comfy.url, 'GET', `/api/jobs/${promptId}`)).body
    expect(job).toMatchObject({ status: 'failed', execution_error: { node_id: '2' } })
    socket.close()
  })

  it('goes on after a node failed', async () => {
    const failing = new Set([promptId])
    await start({ faults: ({ id }) => (failing.delete(id) ? 'error' : null) })
    const { socket, heard, until } = await listen('me')
    await submit('again')
    await until(isOver)
    expect(heard.find(message => message.type === 'execution_error')?.data.exception_type).toBe('RuntimeError')
    heard.length = 0
    await submit('again')
    await until(isOver)
    expect(heard.map(message => message.type)).toContain('execution_success')
    expect(comfy.promptCounts().get(promptId)).toBe(2)
    socket.close()
  })

  it('stays busy and deaf to interrupts when a node hangs', async () => {
    let isStruck = () => {}
    const struck = new Promise<void>(resolve => {
      isStruck = resolve
    })
    await start({
      faults: () => {
        isStruck()
        return 'hang'
      },
    })
    await submit('hang')
    await struck
    await post('/interrupt', { prompt_id: promptId })
    expect(comfy.executing()).toBe(promptId)
    expect((await call(comfy.url, 'GET', '/prompt')).body).toEqual({ exec_info: { queue_remaining: 1 } })
  })

  it('dies like a process and comes back empty on the same port', async () => {
    await start({ faults: ({ tag }) => (tag.includes('crash') ? 'crash' : null), downMs: 20 })
    const { socket } = await listen('me')
    const closed = once(socket, 'close')
    await submit('crash')
    expect((await closed)[0]).toBe(1006)
    const queue = () =>
      call(comfy.url, 'GET', '/queue').then(
        ({ body }) => body,
        () => 'refused',
      )
    await expect.poll(queue, { timeout: 8000, interval: 5 }).toEqual({ queue_running: [], queue_pending: [] })
    expect((await call(comfy.url, 'GET', `/api/jobs/${promptId}`)).status).toBe(404)
    const { body } = await submit('after')
    expect(body).toMatchObject({ number: 0 })
    expect(comfy.promptCounts().get(promptId)).toBe(2)
  })

  it('forgets its queue and its temp folder, not its outputs, over a stop', async () => {
    await start()
    const { socket, until } = await listen('me')
    const prompt = { ...blurred('keep'), '4': { class_type: 'PreviewImage', inputs: { images: ['2', 0] } } }
    await submit('keep', { prompt })
    await until(isOver)
    const closed = once(socket, 'close')
    await comfy.stop()
    expect((await closed)[0]).toBe(1006)
    expect(readdirSync(join(root, 'temp'))).toHaveLength(1)
    await start()
    expect(readdirSync(join(root, 'temp'))).toEqual([])
    expect(readdirSync(join(root, 'output'))).toEqual(['keep_00001_.png'])
    expect((await call(comfy.url, 'GET', '/history')).body).toEqual({})
  })

  it('tells its load while it works and rest when it is done', async () => {
    const gauges: { util: number; vramUsedBytes: number }[] = []
    await start({ load: gauge => gauges.push(gauge) })
    const { socket, until } = await listen('me')
    await submit('load')
    await until(isOver)
    const busy = gauges.filter(gauge => gauge.util > 0)
    expect(busy.length).toBeGreaterThanOrEqual(8)
    expect(busy.every(gauge => gauge.util >= 80 && gauge.util <= 100)).toBe(true)
    expect(busy.at(-1)!.vramUsedBytes).toBeGreaterThan(busy[0]!.vramUsedBytes)
    expect(gauges.at(-1)!.util).toBe(0)
    socket.close()
  })

  it('refuses a model class it does not have by name', async () => {
    await start()
    const loader = { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'a.safetensors' } }
    const { status, body } = await post('/prompt', { prompt: { '1': loader } })
    expect(status).toBe(400)
    expect(body).toMatchObject({
      error: { type: 'missing_node_type', extra_info: { node_id: '1', class_type: 'CheckpointLoaderSimple' } },
    })
  })

  it('lists a model file as soon as it lies there', async () => {
    await start()
    writeFileSync(join(root, 'models/loras/mine.safetensors'), 'x')
    expect((await call(comfy.url, 'GET', '/models/loras')).body).toEqual(['mine.safetensors'])
  })

  it('queues a prompt although it answers 500, for the same number and id as one that waits', async () => {
    await start({ faults: () => 'hang' })
    await post('/prompt', { prompt: blurred('first') })
    await submit('twice', { number: 7 })
    expect((await submit('twice', { number: 7 })).status).toBe(500)
    const { body } = await call(comfy.url, 'GET', '/queue')
    expect(body).toMatchObject({ queue_pending: [{ 1: promptId }, { 1: promptId }] })
  })
})
