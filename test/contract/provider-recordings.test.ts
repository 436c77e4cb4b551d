// The RunPod client on payloads that others recorded from the live service, or that RunPod published, up to 2026-10.
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Balance,
  type CreatePod,
  classify,
  Gpus,
  LogLine,
  NetworkVolumes,
  Pod,
  PodList,
  Problem,
} from '../../src/wire/runpod.ts'
import { A40, BOOT, openWorld, type World } from './provider-world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

describe('recorded payloads', async () => {
  const folder = new URL('../../../shared/recordings/runpod/', import.meta.url)
  const read = async <Shape = unknown>(name: string): Promise<Shape> =>
    JSON.parse(await readFile(new URL(`v2_${name}.json`, folder), 'utf8')).payload
  const there = await read('pod_running_recorded').then(
    () => true,
    () => false,
  )
  if (!there) console.warn(`skipped: no recordings of RunPod at ${folder.pathname}`)

  it.skipIf(!there)('of pods are read: new, running, stopped, without a GPU', async () => {
    const running = Pod.parse(await read('pod_running_recorded'))
    expect(running.ssh?.direct).toMatchObject({ host: '213.173.104.74', port: 35_558 })
    const rowOf = async (name: string) => {
      world.meddle(async () => ({ body: await read(name) }))
      return world.provider.look('a')
    }
    expect(await rowOf('pod_running_recorded')).toEqual({
      ref: '5xpma5eg46tqjq',
      name: 'imgtbx-v2-probe',
      status: 'running',
      gpuType: 'NVIDIA RTX PRO 4500 Blackwell',
      gpuCount: 1,
      perHour: 720_000,
      address: { host: '213.173.104.74', port: 35_558, user: 'root' },
      createdAt: Date.parse('2026-08-20T06:16:19.436Z'),
    })
    expect(await rowOf('pod_not_ready_recorded')).toMatchObject({ status: 'running', address: null, createdAt: null })
    expect(await rowOf('pod_exited')).toMatchObject({ status: 'stopped', perHour: 720_000, address: null })
    expect(await rowOf('pod_zero_gpu')).toMatchObject({ status: 'running', gpuCount: 0 })
    const { response201 } = await read<{ response201: { pod: unknown } }>('spec_create_pod')
    world.meddle(() => ({ status: 201, body: response201.pod }))
    expect(await world.provider.create('autopod-new', A40, BOOT, false)).toEqual({
      ref: '7h9k2m4n6p',
      perHour: 440_000,
    })
    const { pods } = await read<{ pods: unknown }>('spec_list_pods')
    expect(PodList.parse(pods).pods).toHaveLength(1)
  })

  it.skipIf(!there)('of the catalogue, volumes and logs are read', async () => {
    const { gpus } = await read<{ gpus: unknown }>('spec_catalog_gpus')
    expect(Gpus.parse(gpus).gpus[0]).toMatchObject({ availability: 'HIGH', maxCount: { community: 4 } })
    expect(NetworkVolumes.parse(await read('networkvolumes_recorded')).networkVolumes[0]?.dataCenter).toBe('EU-RO-1')
    const { logLine } = await read<{ logLine: string }>('spec_logs_sse')
    expect(LogLine.parse(JSON.parse(/data: (.*)/.exec(logLine)?.[1] ?? '')).line).toBe('Model loaded.')
    expect(Balance.parse({ data: { myself: { clientBalance: 1.5, extra: true } } }).data?.myself?.clientBalance).toBe(
      1.5,
    )
  })

  it.skipIf(!there)('of refusals mean what the client does about them', async () => {
    const errors = await read<{ http: number; body: unknown }[]>('errors')
    const meaning = (words: string) => {
      const found = errors.find(({ body }) => JSON.stringify(body).includes(words))
      if (!found) throw new Error(`no recorded error says ${words}`)
      const told = Problem.safeParse(found.body)
      return classify(found.http, told.success ? (told.data.detail ?? '') : String(found.body))
    }
    expect(meaning('missing bearer token')).toBe('auth')
    expect(meaning('access denied')).toBe('rejected')
    expect(meaning('error code: 1010')).toBe('rejected')
    expect(meaning('resource not found')).toBe('gone')
    expect(meaning('no longer any instances available')).toBe('capacity')
    expect(meaning('not enough free GPUs on the host')).toBe('capacity')
    expect(meaning('You must either provide a template id')).toBe('rejected')
    expect(meaning('account balance is too low')).toBe('money')
    expect(meaning('Request validation failed.')).toBe('rejected')
  })

  it.skipIf(!there)('of a creation that worked have the shape of ours', async () => {
    const recorded = await read<CreatePod>('create_request_recorded')
    const boot = { ...BOOT, volume: { name: 'image-toolbox-models', path: '/workspace' } }
    const volumes = await read('networkvolumes_recorded')
    const made = await read('pod_not_ready_recorded')
    let sent = {} as CreatePod
    world.meddle(({ method, path, body }) => {
      if (path === '/network-volumes') return { body: volumes }
      if (method === 'POST') sent = JSON.parse(body)
      return { status: 201, body: made }
    })
    await world.provider.create('autopod-new', A40, boot, false)
    expect(Object.keys(sent).sort()).toEqual(Object.keys(recorded).sort())
    expect(sent.mounts).toEqual(recorded.mounts)
    expect(sent.dataCenterIds).toEqual(recorded.dataCenterIds)
  })
})
