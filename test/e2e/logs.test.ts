// What pods said, told by `autopod logs`: once each, also over a crash of the engine and after the pod is gone, trouble marked.
import { expect, test } from 'vitest'
import { inWorld, pictureJob } from './world.ts'

test.concurrent('the log of a pod goes on over a crash of the engine without repeating a line; trouble in it is marked', () =>
  inWorld({ firstPort: 16_200, stepMs: 60 }, async world => {
    world.job('a-film')
    world.job('bad', pictureJob('not-a-picture.png'))
    const run = ['run', 'jobs', '--yes', '--plain', '--max-pods', '1']
    const killed = world.start(run)
    await world.event('attempt.started')
    killed.kill('SIGKILL')
    await killed.ended
    expect(await world.run(...run)).toMatchObject({ code: 1 })

    const all = await world.run('logs', 'bad')
    expect(all.stderr).toMatch(/^Input file unreadable: .*\.\n$/)
    const lines = all.stdout.trimEnd().split('\n')
    expect(lines.filter(line => line.includes('create container'))).toHaveLength(1)
    expect(lines.filter(line => line.endsWith('got prompt'))).toHaveLength(2)
    expect(lines.filter(line => /^\S+Z ! .*cannot identify image file/.test(line)).length).toBeGreaterThan(0)
    const prompts = lines.filter(line => line.endsWith('got prompt'))
    expect((await world.run('logs', 'bad', '--grep', 'GOT p', '--since', '1h', '--lines', '1')).stdout).toBe(
      `${prompts[1]}\n`,
    )
    expect(await world.run('logs', 'bad', '--since', 'now-ish')).toMatchObject({ code: 2, stdout: '' })
  }))
