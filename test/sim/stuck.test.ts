// Prompts that hang, and a ComfyUI that is gone: worlds in which only the engine's own steps help.
import { describe, expect, test } from 'vitest'
import { createWorld, type World, type WorldOptions } from './world.ts'

const steps = (world: World) => world.events.flatMap(event => (event.type === 'attempt.stuck_step' ? [event.step] : []))

async function play(
  seeds: number,
  options: Omit<WorldOptions, 'seed'>,
  expects: (world: World) => void,
  arrange: (world: World) => void = () => {},
): Promise<void> {
  for (let seed = 1; seed <= seeds; seed++) {
    const world = createWorld({ seed, jobs: 1, podsMax: 1, ...options })
    arrange(world)
    await world.play()
    expect(world.wrongs, `seed ${seed}`).toEqual([])
    expects(world)
  }
}

/** The first prompt hangs, those after it do not. */
const onlyTheFirst = (world: World) =>
  world.once(
    event => event.type === 'attempt.started',
    () => {
      world.cloud.weather.hangs = 0
      return undefined
    },
  )

describe('a prompt that hangs', () => {
  test('is interrupted, its memory is freed, and the job is done on the same pod', () =>
    play(
      10,
      { weather: { hangs: 1 } },
      world => {
        expect(steps(world)).toEqual(['interrupt', 'free'])
        expect([...world.fleet.jobs.values()][0]).toMatchObject({ status: 'completed', attempts: { length: 2 } })
        expect(world.fleet.pods.size).toBe(1)
        expect(new Set(world.prompts.keys()).size).toBe(2)
      },
      onlyTheFirst,
    ))

  test('and does not heed its interrupt costs ComfyUI a restart, or its pod', () =>
    play(
      20,
      { weather: { hangs: 1, deaf: 1 }, policy: { retries: 4 } },
      world => {
        expect([...world.fleet.jobs.values()][0]?.status).toBe('completed')
        const taken = steps(world)
        expect(taken.slice(0, 2)).toEqual(['interrupt', 'restart'])
        expect(world.fleet.pods.size).toBe(taken[2] === 'new_pod' ? 2 : 1)
      },
      onlyTheFirst,
    ))

  test('is noticed without nvidia-smi, too', () =>
    play(5, { weather: { hangs: 1, blind: 1 } }, world => expect(steps(world)[0]).toBe('interrupt'), onlyTheFirst))

  test('each time takes its job to another pod the second time', () =>
    play(5, { weather: { hangs: 1 }, policy: { retries: 1 } }, world => {
      expect([...world.fleet.jobs.values()][0]?.status).toBe('failed')
      // On a second machine the same, at the latest after its second time there: then it is the job.
      expect(steps(world).slice(0, 5)).toEqual(['interrupt', 'free', 'new_pod', 'interrupt', 'free'])
      expect(world.fleet.pods.size).toBe(2)
    }))
})

describe('a job that takes its time', () => {
  test('is left alone, whatever sign of life it gives', () =>
    play(40, { jobs: 3, podsMax: 2, weather: { slow: 1 } }, world => {
      expect(steps(world)).toEqual([])
      expect(world.fleet.pods.size).toBe(2)
    }))
})

describe('a ComfyUI that is gone while its pod answers', () => {
  test('is started anew by the next engine within seconds', async () => {
    const struck = new Set<World>()
    const options = { jobs: 2, handOverEvery: 4, downMs: [2000, 2000] as [number, number] }
    const strike = (world: World) =>
      world.once(
        (event, { jobs }) =>
          event.type === 'engine.stopped' &&
          [...jobs.values()].some(({ attempts }) => attempts.at(-1)?.status === 'started'),
        () => {
          struck.add(world)
          for (const pod of world.cloud.pods.values()) {
            pod.prompts.clear()
            pod.comfyAt = Number.POSITIVE_INFINITY
          }
          return undefined
        },
      )
    await play(
      20,
      options,
      world => {
        expect([...world.fleet.jobs.values()].every(({ status }) => status === 'completed')).toBe(true)
        expect(world.fleet.pods.size).toBe(1)
        if (!struck.has(world)) return
        const restart = world.events.find(({ type }) => type === 'pod.restart_requested')
        expect(restart).toBeDefined()
        const begun = world.events.findLast(({ type, seq }) => type === 'engine.started' && seq < (restart?.seq ?? 0))
        const { comfyGoneMs, linkLostMs } = world.limits
        expect((restart?.at ?? 0) - (begun?.at ?? 0)).toBeLessThan(Math.min(comfyGoneMs * 2, linkLostMs))
      },
      strike,
    )
    expect(struck.size).toBeGreaterThan(5)
  })
})
