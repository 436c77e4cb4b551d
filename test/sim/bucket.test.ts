// Files on their way through the bucket, and what else lies there: nothing finished is lost, and nothing stays that nobody needs.
import { describe, expect, test } from 'vitest'
import { ALL_DONE, jobNamed, play, pods, runStatus, statuses } from './play.ts'
import type { Weather } from './weather.ts'
import { policyOf, RUN, specOf, type World } from './world.ts'

describe('when files are on their way out', () => {
  test('a bucket that is busy delays the completion and loses nothing', async () => {
    await play(20, seed => ({ weather: { publishFails: 0.7 }, crashEvery: seed % 2 ? 20 : 0 }), {
      expects: world => expect(statuses(world)).toEqual(ALL_DONE),
    })
  })

  test('of two launches of one job in the same moment the later one loses nothing: its result waits in the bucket', async () => {
    const other = 'run_20261122_000000_52m52m52'
    await play(10, () => ({ jobs: 1 }), {
      arrange(world) {
        world.later(0, () => [
          { type: 'run.opened', runId: other, policy: policyOf(), follows: [] },
          { type: 'job.queued', runId: other, spec: specOf('job-1') },
        ])
        world.once(
          event => event.type === 'job.failed',
          () => {
            // Somebody moves it away.
            world.targets.clear()
            const [late] = [...world.fleet.jobs.values()].filter(({ status }) => status === 'failed')
            return [{ type: 'job.retry_requested', jobKey: late?.key ?? '' }]
          },
        )
      },
      expects(world) {
        const failed = world.events.flatMap(event => (event.type === 'job.failed' ? [event.fault] : []))
        expect(failed).toHaveLength(1)
        expect(failed[0]).toMatchObject({ kind: 'job', code: 'output_exists' })
        expect(failed[0]?.message).toMatch(/the result lies in the bucket below out\/run_.*\/job-1\/1\/$/)
        expect(failed[0]?.hint).toContain('autopod retry brings it from the bucket, without a pod')
        for (const { status, attempts } of world.fleet.jobs.values())
          expect({ status, attempts: attempts.length }).toEqual({ status: 'completed', attempts: 1 })
      },
    })
  })

  test('a target that cannot be written fails its job and no other', async () => {
    await play(10, () => ({}), {
      arrange(world) {
        world.refusedTarget = 'job-3'
      },
      expects(world) {
        expect(statuses(world)).toEqual(ALL_DONE.map((done, at) => (at === 2 ? 'failed' : done)))
        expect(jobNamed(world, 'job-3')?.fault?.code).toBe('target_unwritable')
      },
    })
  })
})

describe('a lease in the bucket', () => {
  const renewed: Partial<Weather> = { renewFails: 0.5 }
  const leftOf = (world: World) =>
    [...world.leases].filter(name => pods(world).every(pod => pod.name !== name || pod.goneAt))

  test('goes when its pod is gone, also where the pod went while no engine lived', async () => {
    const worlds = await play(20, seed => ({ weather: { ...renewed, vanishes: 0.3 }, crashEvery: seed % 2 ? 10 : 0 }), {
      expects: world => expect(leftOf(world)).toEqual([]),
    })
    expect(worlds.some(world => world.crashes > 0)).toBe(true)
  })

  test('stays for the next engine where the bucket refuses, and the run ends all the same', async () => {
    let left = 0
    await play(10, () => ({ weather: renewed, jobs: 1 }), {
      arrange(world) {
        world.once(
          event => event.type === 'job.completed',
          () => {
            world.bucketRefuses = true
            return undefined
          },
        )
      },
      expects(world) {
        left += leftOf(world).length
        expect(runStatus(world)).toBe('completed')
      },
    })
    expect(left).toBeGreaterThan(0)
  })
})

describe('when somebody changes what lies in the bucket', () => {
  test('its job fails with the name of the object, and is done again when a person asks', async () => {
    await play(10, () => ({}), {
      arrange(world) {
        world.changedJob = 'job-3'
        world.once(
          event => event.type === 'job.failed',
          () => [{ type: 'job.retry_requested', jobKey: `${RUN}/job-3` }],
        )
      },
      expects(world) {
        const failed = world.events.find(event => event.type === 'job.failed')
        expect(failed).toMatchObject({ jobKey: `${RUN}/job-3`, fault: { kind: 'job', code: 'object_changed' } })
        expect(statuses(world)).toEqual(ALL_DONE)
        expect(jobNamed(world, 'job-3')?.attempts).toHaveLength(2)
      },
    })
  })
})

describe('when the bucket refuses the key at the end', () => {
  test('jobs fail as needing the operator, and their files stay in the journal', async () => {
    await play(5, () => ({ jobs: 2 }), {
      arrange(world) {
        world.bucketRefuses = true
      },
      expects(world) {
        expect(runStatus(world)).toBe('needs_operator')
        for (const job of world.fleet.jobs.values()) expect(job.attempts.at(-1)?.artifacts).toHaveLength(2)
      },
    })
  })
})
