// The sandbox's ComfyUI against recordings of a real one, version 0.33.0 (2026-11).
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Comfy, startComfy } from '../../src/sandbox/comfy/server.ts'
import { recordedEvents, recordings, replay } from './sandbox-comfy-replay.ts'

const areHere = existsSync(recordings)
if (!areHere) console.log(`skipped: no recordings of a real ComfyUI at ${recordings.pathname}`)

let root: string
let comfy: Comfy

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'comfy-'))
  comfy = await startComfy({
    root,
    log: () => {},
    gpu: { name: 'NVIDIA GeForce RTX 4090', vramBytes: 24 * 2 ** 30 },
    // Long enough that a client can act in the middle of a node, eight steps, on a busy machine.
    stepMs: 60,
  })
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
      const played = await replay({ url: comfy.url, root }, recordedEvents(name), options)
      for (const reason of played.skipped) console.log(`${name}: skipped ${reason}`)
      expect(played.problems).toEqual([])
      expect(played.requests).toBeGreaterThan(0)
    },
  )
})
