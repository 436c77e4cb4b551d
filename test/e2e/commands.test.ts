// The commands around a run that goes on in the background: listings, logs, tunnels, and everything that intervenes.
import { expect, test } from 'vitest'
import { clientOf } from '../contract/runpod-answers.ts'
import { result } from './result.ts'
import { openTerminal } from './terminal.ts'
import { inWorld, pictureJob, type World } from './world.ts'

type Row = Record<string, unknown>
/** It is ended by the world, not by the client. */
const forever = { stopped: new Promise<void>(() => {}), stop: async () => {} }
const rows = async (world: World, ...args: string[]) => (await world.json(0, ...args)) as Row[]
const detach = async (world: World, ...args: string[]) => {
  const ended = await world.run('run', 'jobs', '--yes', '--detach', ...args)
  expect(ended).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^run_\w+\n/) })
  return ended.stdout.split('\n')[0] as string
}
const started = (world: World, attempt: number) => world.event('attempt.started', event => event.attempt === attempt)

test.concurrent('a detached run is seen, read and opened through its tunnel by other commands', () =>
  inWorld({ firstPort: 12_400, stepMs: 1000 }, async world => {
    const call = clientOf({ ...forever, description: world.cloud.access })
    const foreign = {
      name: 'somebody-else',
      image: 'x',
      gpu: { id: 'NVIDIA L4', count: 1 },
      disk: 20,
      ports: ['22/tcp'],
      env: {},
    }
    const other = (await call('POST', '/pods', foreign)).body.id as string
    world.job('pan')
    world.job('small', pictureJob('lighthouse.jpg'))
    const runId = await detach(world, '--max-pods', '1')
    await started(world, 1)
    const [pod] = (await world.cloud.status()).pods.filter(pod => pod.id !== other)

    const status = await world.json(0, 'status')
    expect(status).toMatchObject({ engine: true, usd_per_hour: 0.49, runs: [{ run_id: runId, status: 'running' }] })
    expect((await world.run('status', 'pan')).stdout).toMatch(/^pan +running/)
    expect(await rows(world, 'jobs')).toMatchObject([
      { job_id: 'pan', status: 'running', attempts: 1, pod: 'pod-0001' },
      { job_id: 'small', status: 'waiting', attempts: 0, pod: null },
    ])
    expect(await rows(world, 'pods')).toMatchObject([
      { id: 'pod-0001', pod_id: pod?.id, foreign: false, local_port: 12_400 },
    ])
    expect(await rows(world, 'pods', '--all')).toMatchObject([
      { id: 'pod-0001', foreign: false },
      { id: null, pod_id: other, name: 'somebody-else', foreign: true },
    ])
    const logs = await world.run('logs', 'pan', '--lines', '50')
    expect(logs.stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z .*got prompt/m)
    const address = await world.run('open', 'pan', '--print-only')
    expect(address).toMatchObject({ code: 0, stdout: 'http://127.0.0.1:12400\n' })
    const answer = await fetch(`${address.stdout.trim()}/system_stats`, { headers: { connection: 'close' } })
    expect(answer.status).toBe(200)
    expect(await answer.text()).toContain('NVIDIA A40')

    expect(await world.run('ssh', 'pan', '--', 'echo out; echo err >&2; exit 3')).toMatchObject({
      code: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    const shell = openTerminal(world, ['ssh', 'pod-0001'], 90, 20)
    await shell.until(/[#$] $/m)
    shell.press('stty size; echo $((6 * 7)); exit 5\r')
    await shell.until(/^20 90$\n^42$/m)
    expect(await shell.ended).toBe(5)

    world.job('small', { ...pictureJob('lighthouse.jpg'), params: { width: 50 } })
    expect(await world.run('run', 'jobs', '--yes', '--again')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/out\/small\.\{ext\} will be written by small of run_\w+, which is under way/),
    })

    expect((await world.run('cancel', 'pan', 'small')).stdout).toBe('pan: being cancelled\nsmall: being cancelled\n')
    await world.event('run.closed')
    await world.alone()
    const told = result.parse(((await world.json(0, 'status')) as { runs: unknown[] }).runs[0])
    expect(told).toMatchObject({ status: 'cancelled', jobs: [{ status: 'cancelled' }, { status: 'cancelled' }] })
    expect((await world.run('logs', 'pan')).stdout).toContain('got prompt')
    expect((await world.run('open', 'pan', '--print-only')).code).toBe(2)
    expect(await world.run('ssh', 'pan')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('pod-0001 is gone'),
    })
    // A pod that is not ours is left alone, whatever happens.
    expect((await world.cloud.status()).pods.map(pod => pod.id)).toEqual([other])
    expect((await world.run('kill', '--all')).stdout).toBe('no pod is left\n')
    expect((await call('DELETE', `/pods/${other}`)).status).toBe(204)
  }))

test.concurrent('a killed pod is proven gone and its job goes on elsewhere; a stopped one is kept and says what it costs', () =>
  inWorld({ firstPort: 12_420, stepMs: 1000 }, async world => {
    world.job('pan')
    await detach(world)
    await started(world, 1)
    expect(await world.run('kill', 'pod-0001')).toMatchObject({ code: 0, stdout: 'pod-0001 proven gone\n' })
    await started(world, 2)
    expect((await world.cloud.status()).bills).toHaveLength(2)
    const stopped = await world.run('stop', 'pod-0002')
    expect(stopped).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^pod-0002 stopped; \$[\d.]+\/h for its disk/),
    })
    await started(world, 3)
    expect((await world.cloud.status()).pods.map(pod => pod.status)).toEqual(['EXITED', 'RUNNING'])
    expect(await rows(world, 'pods')).toMatchObject([
      { id: 'pod-0001', status: 'gone' },
      { id: 'pod-0002', status: 'stopped' },
      { id: 'pod-0003', status: 'ready' },
    ])
    // An engine at work would rent anew for the job, if the run were left open.
    expect(await world.run('kill', '--all')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^pod-0002 proven gone\npod-0003 proven gone\nrun_\w+: cancelled\n$/),
    })
    await world.event('run.closed')
    await world.alone()
    expect(await rows(world, 'jobs')).toMatchObject([{ job_id: 'pan', status: 'cancelled', attempts: 3 }])
  }))

test.concurrent('drain finishes the present job and starts no other; retry brings the others back', () =>
  inWorld({ firstPort: 12_440, stepMs: 20 }, async world => {
    world.job('pan-1')
    world.job('small', pictureJob('lighthouse.jpg'))
    await detach(world, '--max-pods', '1')
    await started(world, 1)
    expect((await world.run('drain')).stdout).toBe('draining pod-0001\n')
    await world.event('run.closed')
    await world.alone()
    expect(await rows(world, 'jobs')).toMatchObject([
      { job_id: 'pan-1', status: 'completed' },
      { job_id: 'small', status: 'cancelled' },
    ])
    expect((await world.run('retry', 'small')).stdout).toBe('small: tried again\n')
    await world.event('job.completed', event => String(event.jobKey).endsWith('/small'))
    await world.alone()
    expect(world.outputs()).toEqual(['pan-1.webp', 'small.png'])
    expect((await world.cloud.status()).bills).toHaveLength(2)
  }))

test.concurrent('a pod with this home’s mark that no journal counts is listed, and ended on demand; others are left alone', () =>
  inWorld({ firstPort: 12_940 }, async world => {
    world.job('small', pictureJob('lighthouse.jpg'))
    expect((await world.run('run', 'jobs', '--yes', '--plain')).code).toBe(0)
    expect(await world.run('reap')).toMatchObject({ code: 0, stdout: expect.stringContaining('no pod of this home') })
    const call = clientOf({ ...forever, description: world.cloud.access })
    const rent = async (name: string) =>
      (
        await call('POST', '/pods', {
          name,
          image: 'x',
          gpu: { id: 'NVIDIA L4', count: 1 },
          disk: 20,
          ports: ['22/tcp'],
          env: {},
        })
      ).body.id as string
    const mark = String(world.events().find(event => event.type === 'pod.requested')?.name).slice(0, 17)
    const lost = await rent(`${mark}0badcafe-0007`)
    const other = await rent('autopod-01234567-89abcdef-0001')

    // Whatever else ends well: this may be billed.
    expect(await world.run('run', 'jobs', '--yes', '--plain', '--again')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining(
        `0badcafe-0007 (${lost}) is on no books of this home; end it with autopod reap --yes`,
      ),
    })
    expect(await world.run('kill', '--all')).toMatchObject({ code: 6, stdout: 'no pod is left\n' })
    const listing = await rows(world, 'pods', '--all')
    expect(listing.slice(2).map(row => [row.pod_id, row.foreign])).toEqual(
      expect.arrayContaining([
        [lost, false],
        [other, true],
      ]),
    )
    const listed = await world.run('reap')
    expect(listed).toMatchObject({ code: 6, stderr: 'autopod reap --yes ends them.\n' })
    expect(listed.stdout).toContain(lost)
    expect(listed.stdout).not.toContain(other)
    expect((await world.cloud.status()).pods).toHaveLength(2)
    expect(await world.run('reap', '--yes')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/0007 .* is gone/),
    })
    expect((await world.cloud.status()).pods.map(pod => pod.id)).toEqual([other])
    expect((await call('DELETE', `/pods/${other}`)).status).toBe(204)
  }))

test.concurrent('a pod for working by hand says where it is, and ends with ctrl-c', () =>
  inWorld({ firstPort: 12_980 }, async world => {
    const running = world.start(['connect', '--yes', '--plain', '--gpu', 'A40'])
    await running.line(line => line === 'ctrl-c ends the pod.')
    const answer = await fetch('http://127.0.0.1:12980/queue', { headers: { connection: 'close' } })
    expect(await answer.json()).toEqual({ queue_running: [], queue_pending: [] })
    running.kill('SIGINT')
    const ended = await running.ended
    expect(ended).toMatchObject({ code: 130, stdout: expect.stringMatching(/^ComfyUI +http:\/\/127.0.0.1:12980$/m) })
    expect(ended.stdout).toMatch(/all proven gone/)
    expect((await world.cloud.status()).prompts).toEqual({})
  }))
