// The program as users of an account meet it: RunPod's and R2's variables, here those of an embedded cloud that runs by itself.
import { expect, test } from 'vitest'
import { result } from './result.ts'
import { type Cloud, inWorld, pictureJob, type World } from './world.ts'

/** What a user has set, from the line that `autopod sandbox` prints. */
const accountOf = ({ access }: Cloud): NodeJS.ProcessEnv => ({
  RUNPOD_API_URL: access.runpod_url,
  RUNPOD_GRAPHQL_URL: access.graphql_url,
  RUNPOD_API_KEY: access.api_key,
  R2_ENDPOINT: access.s3_endpoint,
  R2_ACCESS_KEY_ID: access.s3_access_key_id,
  R2_SECRET_ACCESS_KEY: access.s3_secret_access_key,
  R2_BUCKET: access.bucket,
})
const start = (world: World, env: NodeJS.ProcessEnv, ...args: string[]) =>
  world.start(['run', 'jobs', '--yes', ...args], { provider: 'runpod', env: { ...accountOf(world.cloud), ...env } })
    .ended

test.concurrent('an account set by its variables runs a job, in the home of real pods', () =>
  inWorld({ firstPort: 12_500 }, async world => {
    world.job('small', pictureJob('lighthouse.jpg'))
    const ended = await start(world, {}, '--json')
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const told = result.parse(JSON.parse(ended.stdout))
    expect(told).toMatchObject({ status: 'completed', pods: [{ provider: 'runpod', status: 'terminated' }] })
    expect(world.outputs()).toEqual(['small.png'])
    expect(world.events()).toEqual([])
    const shown = await world.start(['config', 'show'], { provider: 'runpod', env: accountOf(world.cloud) }).ended
    expect(shown.stdout).toMatch(/^runpod\.api_key +…\w{4} +RUNPOD_API_KEY$/m)
    for (const secret of [world.cloud.access.api_key, world.cloud.access.s3_secret_access_key])
      expect(shown.stdout + ended.stdout + ended.stderr).not.toContain(secret)
  }))

test.concurrent('a key that RunPod refuses ends with the exit code of the operator, and rents nothing', () =>
  inWorld({ firstPort: 12_520 }, async world => {
    world.job('small', pictureJob('lighthouse.jpg'))
    const refused = await start(world, { RUNPOD_API_KEY: 'rpa_WRONG' }, '--plain')
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringMatching(/401[\s\S]*→ .*RUNPOD_API_KEY/) })
    const missing = await start(world, { RUNPOD_API_KEY: '' }, '--plain')
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining('RUNPOD_API_KEY') })
    expect((await world.cloud.status()).bills).toEqual([])
  }))

test.concurrent('a secret that R2 refuses ends with the exit code of the operator, and rents nothing', () =>
  inWorld({ firstPort: 12_540 }, async world => {
    world.job('small', pictureJob('lighthouse.jpg'))
    const refused = await start(world, { R2_SECRET_ACCESS_KEY: 'wrong' }, '--plain')
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringMatching(/refused[\s\S]*→ .*secret/) })
    const without = await start(world, { R2_SECRET_ACCESS_KEY: '' }, '--plain')
    expect(without).toMatchObject({ code: 3, stderr: expect.stringContaining('R2_SECRET_ACCESS_KEY not set') })
    expect((await world.cloud.status()).bills).toEqual([])
  }))
