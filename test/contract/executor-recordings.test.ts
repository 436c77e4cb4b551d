// The executor against recordings of real ComfyUI servers, 0.33.0 and 0.3.64: every end a prompt can have, as they told it.
import { describe, expect, test } from 'vitest'
import type { OutputTarget } from '../../src/domain/job.ts'
import { createComfyExecutor } from '../../src/edge/executors/comfy.ts'
import { type Episode, episodes, hasScenario, type ReplayOptions, replay, versions } from './comfy-recordings.ts'
import { fastClock, folder, localCourier, localMachine, runTask, taskOf } from './executor-worlds.ts'

type Refusal = {
  error: { type: string; message: string }
  node_errors: Record<string, { errors: { type: string }[] }>
}

if (versions.length === 0) {
  test.skip('recordings of real servers (skipped: ../shared/recordings/comfyui is not here)', () => {})
}

describe.each(versions)('as ComfyUI %s told it', version => {
  const play = async (
    episode: Episode | undefined,
    options: Partial<ReplayOptions> = {},
    outputs: OutputTarget[] = [],
  ) => {
    const base = await folder()
    const { url, calls } = await replay(version, episode!, { base, ...options })
    const executor = createComfyExecutor({ courier: localCourier(await folder()), clock: fastClock(20), pollMs: 500 })
    const end = await runTask(executor, taskOf(episode!.graph, { outputs }), localMachine(url))
    return { ...end, calls, base }
  }
  const asked = (nodeId: string): OutputTarget[] => [{ name: 'it', nodeId, target: '/out/' }]
  const files = (end: { artifacts: { nodeId: string; file: string }[] | null }) =>
    end.artifacts?.map(artifact => `${artifact.nodeId} ${artifact.file}`)

  test('a success gives its file, and stays in the history until the journal surely knows', async () => {
    const end = await play(episodes(version, '01_success')[0])
    expect(files(end)).toEqual(['4 fleet_00001_.png'])
    expect(end.calls).toEqual(['POST /prompt'])
    expect(end.gauges.at(-1)).toMatchObject({ phase: 'outputs', fraction: 1 })
  })

  test('a success whose socket says nothing is found by asking', async () => {
    const end = await play(episodes(version, '01_success')[0], { isMute: true })
    expect(files(end)).toEqual(['4 fleet_00001_.png'])
  })

  test('a success that is not yet in the history is waited for', async () => {
    const episode = episodes(version, '01_success')[0]!
    // Two reads of the history are one look: before and after the queue.
    const end = await play({ ...episode, job: null }, { emptyLooks: 4 })
    expect(files(end)).toEqual(['4 fleet_00001_.png'])
  })

  test('a prompt that vanished is lost, not done', async () => {
    const episode = episodes(version, '01_success')[0]!
    const end = await play({ ...episode, job: null, history: null }, { isMute: true })
    expect(end.fault).toMatchObject({ kind: 'pod', code: 'prompt_lost' })
    expect(end.started).toBe(1)
  })

  test('a wholly cached run counts as whole', async () => {
    const end = await play(episodes(version, '02_cached_rerun')[1])
    expect(files(end)).toEqual(['4 cached_00001_.png'])
    expect(end.gauges.some(gauge => gauge.phase === 'running' && gauge.fraction === 1)).toBe(true)
  })

  test('an old name from the cache without its file is not an output', async () => {
    const end = await play(episodes(version, '02_cached_rerun')[2], { isCleaned: true })
    expect(end.fault).toMatchObject({ kind: 'transient', code: 'output_file_missing' })
    expect(end.calls).toContain('POST /free')
  })

  test('several outputs come by node, the temporary one only when asked for', async () => {
    const episode = episodes(version, '04_multi_output')[0]
    const plain = await play(episode)
    expect(plain.artifacts?.map(artifact => artifact.nodeId).sort()).toEqual(['10', '10', '11', '11'])
    const withTemp = await play(episode, {}, asked('12'))
    expect(withTemp.fault).toBeNull()
    expect(withTemp.artifacts?.filter(artifact => artifact.nodeId === '12')).toHaveLength(2)
  })

  // A workflow in the interface's own format never gets this far: job files are checked before.
  const refusals = episodes(version, '05_validation_failures').filter(
    ({ answer, graph }) => answer.status === 400 && graph && !('nodes' in graph),
  )
  const named = refusals.map((episode): [string, Episode] => {
    const { error, node_errors } = episode.answer.body as Refusal
    return [Object.values(node_errors)[0]?.errors[0]?.type ?? `${error.type} (${error.message})`, episode]
  })
  test.each(named)('a refusal, %s, is told', async (_, episode) => {
    const hasUnknown = Object.values(episode.graph).some(node => node?.class_type === 'NoSuchNode')
    const end = await play(episode)
    expect(end.fault?.kind).toBe('job')
    expect(end.fault?.message).toMatch(hasUnknown ? /NoSuchNode/ : /^ComfyUI refused the workflow: .{5}/)
    expect(end.fault?.hint).toBeTruthy()
    const [id] = Object.keys((episode.answer.body as Refusal).node_errors)
    if (id) expect(end.fault?.node?.id).toBe(id)
    expect(end.started).toBe(0)
  })

  test('a 500 that queued nothing is tried again, and then another pod', async () => {
    const trouble = { status: 500, body: '500 Internal Server Error\n\nServer got itself in trouble' }
    const episode = { ...episodes(version, '01_success')[0]!, answer: trouble }
    const end = await play(episode)
    expect(end.fault).toMatchObject({ kind: 'pod', code: 'prompt_not_taken' })
    expect(end.calls.filter(call => call === 'POST /prompt')).toHaveLength(4)
  })

  test.each(['trouble', 'cut'] as const)(
    'a submission that arrived although its answer was a %s is not repeated',
    async isUnclear => {
      const end = await play(episodes(version, '01_success')[0], { isUnclear })
      expect(files(end)).toEqual(['4 fleet_00001_.png'])
      expect(end.calls.filter(call => call === 'POST /prompt')).toHaveLength(1)
      expect(end.started).toBe(1)
    },
  )

  test('a 200 with node_errors is cancelled, because it runs', async () => {
    const end = await play(episodes(version, '06_partially_valid')[0])
    expect(end.fault).toMatchObject({ kind: 'job', code: 'prompt_invalid', node: { id: '5' } })
    expect(end.fault?.message).toContain('missing.safetensors')
    const cancel = version === 'v0.3.64' ? 'POST /queue' : 'POST /api/jobs/ID/cancel'
    expect(end.calls).toContain(cancel)
  })

  test('a failed node is named with what it said', async () => {
    const [first, second] = episodes(version, '07_runtime_error')
    const image = await play(first)
    expect(image.fault).toMatchObject({ kind: 'job', code: 'node_failed', node: { id: '5', classType: 'LoadImage' } })
    expect(image.fault?.message).toContain('PIL.UnidentifiedImageError: cannot identify image file')
    expect((await play(second)).fault?.message).toContain('ValueError: boom')
  })

  test('memory that runs out, of the card or of the host, is told apart', async () => {
    const [card, host] = episodes(version, '08_oom')
    expect((await play(card)).fault).toMatchObject({ kind: 'job', code: 'out_of_memory', node: { id: '2' } })
    expect((await play(host)).fault).toMatchObject({ kind: 'pod', code: 'host_out_of_memory' })
  })

  test('an interrupted prompt is not a failed one', async () => {
    const end = await play(episodes(version, '09_interrupt')[0])
    expect(end.fault).toMatchObject({ kind: 'job', code: 'interrupted' })
  })

  test('NaN in a node’s output costs nothing', async () => {
    const end = await play(episodes(version, '22_nonfinite_ui')[0])
    expect(end.artifacts).toEqual([])
  })

  test('a blocked branch does not end the run; it fails only who asked for it', async () => {
    const episode = episodes(version, '23_execution_blocked')[0]
    const end = await play(episode)
    expect(files(end)).toEqual(['4 open_00001_.png'])
    expect(end.log).toContain('node 3 (SaveImage) gave no output: Execution Blocked: stop here')
    expect((await play(episode, {}, asked('3'))).fault).toMatchObject({ kind: 'job', code: 'output_missing' })
  })

  test('files of nodes made at run time belong to the node of the graph', async () => {
    const [good, bad] = episodes(version, '24_subgraph_expansion')
    const end = await play(good, {}, asked('2'))
    expect(end.artifacts?.map(artifact => artifact.nodeId).sort()).toEqual(['2', '4'])
    expect((await play(bad)).fault).toMatchObject({ code: 'node_failed', node: { id: '2', classType: 'FleetExpand' } })
  })

  test.runIf(hasScenario(version, '18_media_outputs'))('films and sounds come as pictures do', async () => {
    const kinds = new Set<string>()
    for (const episode of episodes(version, '18_media_outputs').filter(each => each.history !== null)) {
      const end = await play(episode)
      for (const { file } of end.artifacts ?? []) kinds.add(file.split('.').at(-1)!)
    }
    for (const kind of ['webp', 'mp4', 'flac']) expect([...kinds]).toContain(kind)
  })

  test.runIf(hasScenario(version, '37_outputs_without_ui'))('nodes that save nothing give nothing', async () => {
    for (const episode of episodes(version, '37_outputs_without_ui'))
      expect((await play(episode)).artifacts).toEqual([])
  })
})
