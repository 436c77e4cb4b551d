// The program is killed, interrupted, or loses its terminal: nothing is done twice, nothing stays rented, nothing is lost.
import { expect, test } from 'vitest'
import { result } from './result.ts'
import { inWorld, pictureJob } from './world.ts'

test.concurrent('killed in the middle and started again, it goes on with the same pods, ports and prompts', () =>
  inWorld({ firstPort: 12_300, stepMs: 25 }, async world => {
    world.job('pan-1')
    world.job('pan-2')
    const killed = world.start(['run', 'jobs', '--yes', '--plain', '--max-pods', '2'])
    await world.event('attempt.started', event => String(event.jobKey).endsWith('/pan-1'))
    await world.event('attempt.started', event => String(event.jobKey).endsWith('/pan-2'))
    killed.kill('SIGKILL')
    expect(await killed.ended).toMatchObject({ signal: 'SIGKILL' })
    const before = world.events().filter(event => event.type === 'pod.port_held')
    expect((await world.cloud.status()).pods).toHaveLength(2)

    const told = result.parse(await world.json(0, 'run', 'jobs', '--yes', '--max-pods', '2'))
    expect(told.jobs.map(job => [job.job_id, job.status, job.attempts])).toEqual([
      ['pan-1', 'completed', 1],
      ['pan-2', 'completed', 1],
    ])
    expect(told.jobs.map(job => job.local_port).sort()).toEqual(before.map(event => event.localPort).sort())
    expect(before.map(event => event.localPort).sort()).toEqual([12_300, 12_301])
    expect(world.events().filter(event => event.type === 'pod.requested')).toHaveLength(2)
    const { prompts, bills } = await world.cloud.status()
    expect(Object.values(prompts)).toEqual([1, 1])
    expect(bills).toHaveLength(2)
    expect(world.outputs()).toEqual(['pan-1.webp', 'pan-2.webp'])
  }))

test.concurrent('ctrl-c in plain mode ends every pod before it leaves', () =>
  inWorld({ firstPort: 12_320, stepMs: 1000 }, async world => {
    world.job('pan-1')
    world.job('pan-2')
    const running = world.start(['run', 'jobs', '--yes', '--plain', '--max-pods', '2'])
    await world.event('attempt.started')
    running.kill('SIGINT')
    const ended = await running.ended
    expect(ended).toMatchObject({ code: 130, stderr: 'interrupted: ending every pod of the run\n' })
    expect(ended.stdout).toMatch(/all proven gone/)
    expect((await world.cloud.status()).pods).toEqual([])
  }))

test.concurrent('ctrl-c also ends the pods of an engine that died before', () =>
  inWorld({ firstPort: 12_380, stepMs: 1000 }, async world => {
    world.job('pan')
    const killed = world.start(['run', 'jobs', '--yes', '--plain'])
    await world.event('attempt.started')
    killed.kill('SIGKILL')
    await killed.ended
    const running = world.start(['run', 'jobs', '--yes', '--plain'])
    await world.event('run.opened', event => (event.follows as string[]).length === 1)
    running.kill('SIGINT')
    expect(await running.ended).toMatchObject({ code: 130, stdout: expect.stringMatching(/^pan +cancelled/m) })
    expect((await world.cloud.status()).bills).toHaveLength(1)
  }))

test.concurrent('ctrl-c twice does not wait for a provider that is silent: it says what may be billed, and goes on alone', () =>
  inWorld({ firstPort: 12_740, stepMs: 1000 }, async world => {
    world.job('pan')
    const running = world.start(['run', 'jobs', '--yes', '--plain'])
    await world.event('attempt.started')
    await world.cloud.signal('SIGSTOP')
    running.kill('SIGINT')
    await world.event('pod.release_requested')
    const again = setInterval(() => running.kill('SIGINT'), 500)
    const ended = await running.ended
    clearInterval(again)
    await world.cloud.signal('SIGCONT')
    expect(ended).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/autopod-\w{8}-\w{8}-0001.* autopod kill pod-0001/),
    })
    await world.event('pod.gone')
    await world.alone()
    expect((await world.cloud.status()).pods).toEqual([])
  }))

test.concurrent('without its terminal a run goes on in the background to its end', () =>
  inWorld({ firstPort: 12_340, stepMs: 60 }, async world => {
    world.job('pan')
    const running = world.start(['run', 'jobs', '--yes', '--plain'])
    await world.event('attempt.started')
    running.kill('SIGHUP')
    expect(await running.ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/goes on in the background/) })
    expect(await world.json(0, 'status')).toMatchObject({ engine: true, runs: [{ status: 'running' }] })

    await world.event('run.closed')
    await world.alone()
    const told = result.parse(((await world.json(0, 'status')) as { runs: unknown[] }).runs[0])
    expect(told).toMatchObject({ status: 'completed', jobs: [{ status: 'completed', attempts: 1 }] })
    expect(Object.values((await world.cloud.status()).prompts)).toEqual([1])
    expect(world.outputs()).toEqual(['pan.webp'])
  }))

test.concurrent('a second run of other jobs is handed to the engine at work', () =>
  inWorld({ firstPort: 12_360, stepMs: 25 }, async world => {
    world.job('pan')
    const first = world.start(['run', 'jobs/pan.json', '--yes', '--plain'])
    await world.event('attempt.started')
    world.job('small', pictureJob('lighthouse.jpg'))
    const second = result.parse(await world.json(0, 'run', 'jobs', '--yes'))
    expect(second.jobs.map(job => [job.job_id, job.status, job.attempts])).toEqual([
      ['pan', 'completed', 1],
      ['small', 'completed', 1],
    ])
    expect(second.pods).toHaveLength(2)
    expect(await first.ended).toMatchObject({ code: 0 })
    // One engine; or a second one in the background, when the first command was done before the other's jobs.
    expect(world.events().filter(event => event.type === 'engine.started').length).toBeLessThanOrEqual(2)
    await world.alone()
    expect(Object.values((await world.cloud.status()).prompts)).toEqual([1, 1])
  }))

test.concurrent('two runs that start at the same moment share one engine and one embedded cloud', () =>
  inWorld(
    { firstPort: 12_700, cloud: 'by itself', settings: { sandbox: { boot_ms: 200, step_ms: 1 } } },
    async world => {
      world.job('one', pictureJob('lighthouse.jpg'))
      world.job('two', pictureJob('fruit-bowl.jpg'))
      const both = ['jobs/one.json', 'jobs/two.json'].map(path => world.run('run', path, '--yes', '--plain'))
      for (const ended of await Promise.all(both)) expect(ended).toMatchObject({ code: 0 })
      expect(world.outputs()).toEqual(['one.png', 'two.png'])
      await world.alone()
      expect(Object.values((await world.cloud.status()).prompts)).toEqual([1, 1])
    },
  ))

test.concurrent('a run that was handed over goes on when the engine is killed', () =>
  inWorld({ firstPort: 12_720, stepMs: 25 }, async world => {
    world.job('pan')
    const engine = world.start(['run', 'jobs/pan.json', '--yes', '--plain'])
    await world.event('attempt.started')
    world.job('small', pictureJob('lighthouse.jpg'))
    const handed = world.start(['run', 'jobs/small.json', '--yes', '--plain'])
    await world.event('job.queued', event => (event.spec as { jobId: string }).jobId === 'small')
    engine.kill('SIGKILL')
    await engine.ended
    expect(await handed.ended).toMatchObject({ code: 0 })
    await world.alone()
    expect(world.outputs()).toEqual(['pan.webp', 'small.png'])
    expect(Object.values((await world.cloud.status()).prompts)).toEqual([1, 1])
  }))
