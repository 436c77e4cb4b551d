// Runs that do not go well: what the document and the exit code say, what is tried again, and that nothing stays rented.
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { result } from './result.ts'
import { openTerminal } from './terminal.ts'
import { inWorld, pictureJob, root } from './world.ts'

test.concurrent('a job that cannot work fails alone, with the node that refused it', () =>
  inWorld({ firstPort: 12_200 }, async world => {
    world.job('good', pictureJob('lighthouse.jpg'))
    world.job('bad', pictureJob('not-a-picture.png'))
    const told = result.parse(await world.json(1, 'run', 'jobs', '--yes', '--max-pods', '2'))
    expect(told.status).toBe('failed')
    const [bad, good] = told.jobs
    expect(good).toMatchObject({ job_id: 'good', status: 'completed', error: null })
    expect(bad).toMatchObject({ job_id: 'bad', status: 'failed', attempts: 1, outputs: [] })
    expect(bad?.error).toMatchObject({ kind: 'job', node: { id: '1', class_type: 'LoadImage' } })
    expect(bad?.error?.message).not.toBe('')
    expect(told.pods.every(pod => pod.status === 'terminated')).toBe(true)
    expect(world.outputs()).toEqual(['good.png'])
  }))

test.concurrent('out of memory is tried again with freed memory, a ComfyUI that dies on another pod', () =>
  inWorld({ firstPort: 12_220 }, async world => {
    world.job('oom-1', pictureJob('lighthouse.jpg'))
    world.job('crash-1', pictureJob('fruit-bowl.jpg'))
    const told = result.parse(await world.json(0, 'run', 'jobs', '--yes', '--max-pods', '2'))
    expect(told.jobs.map(job => [job.job_id, job.status, job.attempts])).toEqual([
      ['crash-1', 'completed', 2],
      ['oom-1', 'completed', 2],
    ])
    const tries = (job: string) =>
      world.events().filter(event => event.type === 'attempt.requested' && String(event.jobKey).endsWith(job))
    expect(new Set(tries('crash-1').map(({ podId }) => podId)).size).toBe(2)
    const [first, freed] = tries('oom-1')
    expect(freed).toMatchObject({ podId: first?.podId, freeFirst: true })
    expect(freed?.promptId).not.toBe(first?.promptId)
    expect(world.outputs()).toEqual(['crash-1.png', 'oom-1.png'])
  }))

test.concurrent('a GPU type that is sold out ends with the exit code of capacity, and costs nothing', () =>
  inWorld(
    {
      firstPort: 12_240,
      faults: ['sentinels'],
      settings: { run: { capacity_wait_minutes: 0.02 } },
    },
    async world => {
      world.job('small', { ...pictureJob('lighthouse.jpg'), pod_config: { gpu_type: 'sold-out' } })
      const told = result.parse(await world.json(5, 'run', 'jobs', '--yes'))
      expect(told).toMatchObject({ status: 'failed', cost_usd: 0, pods: [] })
      expect(told.jobs[0]?.error).toMatchObject({ kind: 'capacity', hint: expect.stringContaining('--gpu') })
      expect((await world.cloud.status()).bills).toEqual([])
    },
  ))

test.concurrent('a budget that is reached ends everything with its exit code', () =>
  inWorld({ firstPort: 12_260, stepMs: 300 }, async world => {
    world.job('pan')
    const told = result.parse(await world.json(4, 'run', 'jobs', '--yes', '--max-cost', '0.0004'))
    expect(told).toMatchObject({
      status: 'budget_reached',
      jobs: [{ status: 'failed', error: { code: 'budget_reached' } }],
    })
    expect(told.cost_usd).toBeLessThan(0.05)
  }))

test.concurrent('in plain mode it is said once that jobs wait, and for what', () =>
  inWorld({ firstPort: 17_060, bootMs: 1500 }, async world => {
    for (const name of ['small-1', 'small-2']) world.job(name, pictureJob('lighthouse.jpg'))
    const { code, stdout } = await world.run('run', 'jobs', '--yes', '--plain', '--max-hourly', '0.5')
    expect(code).toBe(0)
    expect(stdout.match(/ 1 job waits for a pod to end: .* of \$0\.50\/h are taken \(--max-hourly\)$/gm)).toHaveLength(
      1,
    )
  }))

test.concurrent('ctrl-c at the question about a dear pod starts nothing, and is no bug', () =>
  inWorld({ firstPort: 17_080 }, async world => {
    world.job('small', { ...pictureJob('lighthouse.jpg'), pod_config: { gpu_type: 'H200' } })
    const terminal = openTerminal(world, ['run', 'jobs', '--plain'], 80, 24)
    await terminal.until(/\[y\/N\]/)
    terminal.press('\x03')
    expect(await terminal.ended).toBe(130)
    expect(terminal.text()).toMatch(/not started$/m)
    expect(world.events()).toEqual([])
  }))

test.concurrent('wrong usage, files and settings are refused before anything is rented', () =>
  inWorld({ firstPort: 12_280 }, async world => {
    world.job('small', { ...pictureJob('lighthouse.jpg'), inputs: { image: './nowhere.png' } })
    const missing = await world.run('run', 'jobs', '--yes')
    expect(missing.code).toBe(2)
    expect(missing.stderr).toContain(join(world.folder, 'nowhere.png'))
    expect(missing.stderr).toContain(join(world.folder, 'jobs/nowhere.png'))
    const unknown = await world.run('run', 'jobs', '--max-pod', '3')
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toContain('max-pods"')
    const absent = `r2://${world.cloud.access.bucket}/absent.png`
    world.job('small', { ...pictureJob('lighthouse.jpg'), inputs: { image: absent } })
    for (const flag of ['--yes', '--dry-run'])
      expect(await world.run('run', 'jobs', flag)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`jobs/small.json: inputs.image: ${absent} does not exist`),
      })
    expect(await world.start(['run', join(root, 'fixtures/jobs')], { provider: null }).ended).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--provider sandbox'),
    })
    expect((await world.cloud.status()).bills).toEqual([])
  }))

test.concurrent('jobs that hang are interrupted, or get a new ComfyUI, and are done on the same pod', () =>
  inWorld(
    { firstPort: 12_960, settings: { run: { stuck_warn_minutes: 0.03, stuck_act_minutes: 0.06 } } },
    async world => {
      for (const name of ['hang-1', 'stall-1']) world.job(name, pictureJob('lighthouse.jpg'))
      const told = result.parse(await world.json(0, 'run', 'jobs', '--yes', '--max-pods', '2'))
      expect(told.jobs).toMatchObject([{ status: 'completed' }, { status: 'completed' }])
      const steps = (jobId: string) =>
        world
          .events()
          .flatMap(({ type, jobKey, step }) =>
            type === 'attempt.stuck_step' && String(jobKey).endsWith(jobId) ? [step] : [],
          )
      expect(steps('hang-1')).toEqual(['interrupt', 'restart'])
      expect(steps('stall-1')).toEqual(['interrupt', 'free'])
      const { prompts } = await world.cloud.status()
      expect(Object.values(prompts)).toEqual([1, 1, 1, 1])
      const cost = (await world.json(0, 'cost')) as { groups: { cause: string }[] }
      expect(cost.groups.map(({ cause }) => cause)).toContain('stuck')
    },
  ))
