// The real engine in seeded worlds: virtual time, weather, commands and crashes. A failure names its seed; the same seed fails the same way.
import { describe, expect, test } from 'vitest'
import { BEGINNING } from './clock.ts'
import { ALL_DONE, jobNamed, play, pods, runStatus, statuses } from './play.ts'
import type { Weather } from './weather.ts'
import { createWorld, RUN, type World } from './world.ts'

/** A lease that outlasts every time without an engine. */
const PATIENT = { leaseMs: 600_000 }

const STORM: Partial<Weather> = {
  createFails: 0.1,
  capacity: 0.1,
  listFails: 0.1,
  destroyFails: 0.2,
  stillborn: 0.05,
  vanishes: 0.1,
  linkLost: 0.3,
  podFault: 0.05,
  transientFault: 0.1,
  publishFails: 0.2,
}

describe('in good weather', () => {
  test('a batch of six jobs on three pods ends with all completed and no pod left', async () => {
    await play(20, () => ({}), {
      expects(world) {
        expect(statuses(world)).toEqual(ALL_DONE)
        expect(runStatus(world)).toBe('completed')
        expect(pods(world)).toHaveLength(3)
        expect(pods(world).every(pod => pod.status === 'gone')).toBe(true)
      },
    })
  })

  test('the same seed gives the same journal, byte for byte', async () => {
    const twice = await Promise.all([1, 2].map(() => createWorld({ seed: 7, weather: STORM, crashEvery: 25 }).play()))
    expect(twice[0]?.crashes).toBeGreaterThan(0)
    expect(JSON.stringify(twice[0]?.events)).toBe(JSON.stringify(twice[1]?.events))
  })

  test('an engine knows nothing that its journal does not tell', async () => {
    const world = await createWorld({ seed: 1 }).play()
    expect([...(world.known?.providers ?? [])]).toEqual([...world.fleet.providers])
  })

  test('one pod a job when pods are not used again', async () => {
    await play(5, () => ({ policy: { reuse: false } }), {
      expects(world) {
        expect(statuses(world)).toEqual(ALL_DONE)
        expect(pods(world).map(pod => pod.finished)).toEqual(Array(6).fill(1))
      },
    })
  })
})

describe('when the engine dies', () => {
  test('the next one adopts everything and runs no prompt twice, wherever it happened', async () => {
    const worlds = await play(60, seed => ({ crashEvery: 4 + (seed % 30), limits: PATIENT }), {
      expects(world) {
        expect(statuses(world)).toEqual(ALL_DONE)
        // Attempts are lost only with their pods, and no pod is lost here.
        expect([...world.fleet.jobs.values()].map(job => job.attempts.length)).toEqual(Array(6).fill(1))
      },
    })
    expect(worlds.reduce((sum, world) => sum + world.crashes, 0)).toBeGreaterThan(100)
  })

  test('a creation that was in flight is found, even when its answer and its engine were lost', async () => {
    await play(35, () => ({ jobs: 2, podsMax: 2, crashEvery: 3, weather: { createUnclear: 0.5 } }), {
      expects: world => expect(statuses(world)).toEqual(['completed', 'completed']),
    })
  })

  test('a creation whose name one listing leaves out is not believed lost', async () => {
    await play(40, () => ({ crashEvery: 4, downMs: [5000, 20_000], weather: { omits: 1 } }), {
      expects: world => expect(statuses(world)).toEqual(ALL_DONE),
    })
  })

  test('pods are not given up for the time in which nobody watched', async () => {
    await play(20, () => ({ crashEvery: 8, downMs: [60_000, 120_000], limits: PATIENT }), {
      expects(world) {
        expect(world.events.filter(event => event.type === 'pod.broken')).toEqual([])
        expect(statuses(world)).toEqual(ALL_DONE)
      },
    })
  })

  test('everything is put away in any weather', async () => {
    await play(35, seed => ({ crashEvery: 5 + (seed % 40), weather: STORM }), {
      expects: world => expect(['completed', 'failed']).toContain(runStatus(world)),
    })
  })
})

describe('when an engine hands over', () => {
  test('it stops soon, lets go of everything, and the next one goes on in any weather', async () => {
    const worlds = await play(35, seed => ({ handOverEvery: 3 + (seed % 30), weather: { linkLost: 0.3 } }), {
      expects(world) {
        expect(statuses(world)).toEqual(ALL_DONE)
        expect([...world.fleet.jobs.values()].map(job => job.attempts.length)).toEqual(Array(6).fill(1))
      },
    })
    expect(worlds.reduce((sum, world) => sum + world.handOvers, 0)).toBeGreaterThan(60)
  })
})

describe('when the provider is in trouble', () => {
  test('a creation that fails although the pod was made is not made again', async () => {
    await play(30, () => ({ weather: { createUnclear: 1 } }), {
      expects(world) {
        expect(statuses(world)).toEqual(ALL_DONE)
        expect([...world.cloud.pods.values()].filter(pod => pod.ours)).toHaveLength(3)
      },
    })
  })

  test('a pod whose creation stayed unclear while nobody could look is not left behind', async () => {
    await play(30, () => ({ weather: { createUnclear: 0.5, createFails: 0.5 } }))
  })

  test('jobs wait out a provider that has nothing left, and run when it has', async () => {
    const arrange = (world: World) => {
      world.cloud.capacityFrom = BEGINNING + 40_000
    }
    await play(20, () => ({}), { arrange, expects: world => expect(statuses(world)).toEqual(ALL_DONE) })
  })

  test('jobs fail as without capacity when nothing comes back in time', async () => {
    const arrange = (world: World) => {
      world.cloud.capacityFrom = Number.POSITIVE_INFINITY
    }
    await play(5, () => ({}), {
      arrange,
      expects(world) {
        expect(runStatus(world)).toBe('failed')
        expect([...world.fleet.jobs.values()].map(job => job.fault?.code)).toEqual(Array(6).fill('no_capacity'))
        expect([...world.cloud.pods.values()].filter(pod => pod.ours)).toHaveLength(0)
      },
    })
  })

  test('no pod is given up or forgotten while listings are unknown', async () => {
    const arrange = (world: World) => {
      world.once(
        event => event.type === 'attempt.started',
        () => {
          world.cloud.listingFrom = world.clock.now() + 60_000
          return undefined
        },
      )
    }
    await play(20, seed => ({ crashEvery: seed % 2 ? 20 : 0 }), {
      arrange,
      expects(world) {
        expect(statuses(world)).toEqual(ALL_DONE)
        expect(world.events.filter(event => event.type === 'pod.broken')).toEqual([])
        expect(world.events.some(event => event.type === 'listing.lost')).toBe(true)
        expect(world.events.some(event => event.type === 'listing.found')).toBe(true)
      },
    })
  })

  test('a pod that one listing or one look leaves out is neither believed gone nor given up', async () => {
    await play(35, () => ({ weather: { omits: 0.7, destroyFails: 0.6 } }), {
      expects(world) {
        expect(statuses(world)).toEqual(ALL_DONE)
        expect(world.events.filter(event => event.type === 'pod.broken')).toEqual([])
      },
    })
  })

  test('releases are asked for again until they are proven', async () => {
    await play(20, () => ({ weather: { destroyFails: 0.7, listFails: 0.2 } }), {
      expects: world => expect(statuses(world)).toEqual(ALL_DONE),
    })
  })
})

describe('when a pod is in trouble', () => {
  test('a job whose pod breaks is tried again on another pod', async () => {
    const worlds = await play(25, () => ({ weather: { podFault: 0.3 }, policy: { retries: 20 } }), {
      expects(world) {
        for (const job of world.fleet.jobs.values()) {
          // Two hosts that break in the same words are taken for the job's doing.
          if (job.fault?.code === 'poison') expect(job.attempts.length).toBeGreaterThan(1)
          else expect(job.status).toBe('completed')
          expect(new Set(job.attempts.map(attempt => attempt.podId)).size).toBe(job.attempts.length)
        }
      },
    })
    expect(worlds.some(world => [...world.fleet.jobs.values()].some(job => job.attempts.length > 1))).toBe(true)
  })

  test('a pod that vanishes is noticed, paid for and replaced', async () => {
    await play(40, seed => ({ weather: { vanishes: 0.4 }, policy: { retries: 20 }, crashEvery: seed % 3 ? 0 : 30 }), {
      expects: world => expect(statuses(world)).toEqual(ALL_DONE),
    })
  })

  test('a lost link is taken up again without a second attempt', async () => {
    await play(40, seed => ({ weather: { linkLost: 0.8 }, crashEvery: seed % 3 ? 0 : 25 }), {
      expects(world) {
        expect(statuses(world)).toEqual(ALL_DONE)
        expect([...world.fleet.jobs.values()].map(job => job.attempts.length)).toEqual(Array(6).fill(1))
      },
    })
  })

  test('pods that never answer are not rented one after the other for ever', async () => {
    await play(1, () => ({ jobs: 1, weather: { stillborn: 1 } }), {
      expects(world) {
        expect(runStatus(world)).toBe('failed')
        expect(pods(world).length).toBeLessThanOrEqual(10)
      },
    })
  })

  test('a pod that never answers is replaced', async () => {
    await play(20, () => ({ weather: { stillborn: 0.4 } }), {
      expects: world => expect(statuses(world)).toEqual(ALL_DONE),
    })
  })

  test('a fault of the job ends it after one attempt and leaves the others alone', async () => {
    await play(20, () => ({ weather: { jobFault: 0.3 } }), {
      expects(world) {
        for (const job of world.fleet.jobs.values()) expect(job.attempts).toHaveLength(1)
        expect(runStatus(world)).toBe(statuses(world).includes('failed') ? 'failed' : 'completed')
      },
    })
  })
})

describe('when a person steps in', () => {
  test('a pod killed in the middle of a job ends, and the job goes elsewhere without counting it', async () => {
    const kill = (world: World) =>
      world.once(
        event => event.type === 'attempt.started',
        () => {
          const busy = pods(world).find(pod => pod.jobKey !== null && pod.status === 'ready')
          return busy ? [{ type: 'pod.release_requested', podId: busy.id, cause: 'killed by you' }] : undefined
        },
      )
    await play(30, seed => ({ policy: { retries: 0 }, crashEvery: seed % 2 ? 15 : 0 }), {
      arrange: kill,
      expects(world) {
        expect(statuses(world)).toEqual(ALL_DONE)
        expect(pods(world).some(pod => pod.releaseCause === 'killed by you' && pod.status === 'gone')).toBe(true)
      },
    })
  })

  test('a running job that is cancelled stops on its pod before another job starts there', async () => {
    const cancel = (world: World) => {
      world.jobMs = [10_000, 20_000]
      world.once(
        event => event.type === 'attempt.started',
        () => [{ type: 'job.cancel_requested', jobKey: `${RUN}/job-1` }],
      )
    }
    await play(40, seed => ({ podsMax: 1 + (seed % 2), jobs: 3 }), {
      arrange: cancel,
      expects: world => expect(statuses(world)).toEqual(['cancelled', 'completed', 'completed']),
    })
  })

  test('a running job that is cancelled while links break and engines die stops, too', async () => {
    const cancel = (world: World) => {
      world.jobMs = [10_000, 20_000]
      world.once(
        event => event.type === 'attempt.started',
        () => [{ type: 'job.cancel_requested', jobKey: `${RUN}/job-1` }],
      )
    }
    await play(80, seed => ({ podsMax: 1, jobs: 3, crashEvery: seed % 2 ? 6 : 0, weather: { linkLost: 0.6 } }), {
      arrange: cancel,
      expects: world => expect(statuses(world).slice(1)).toEqual(['completed', 'completed']),
    })
  })

  test('a prompt that does not stop when told makes its pod unfit for others', async () => {
    const cancel = (world: World) =>
      world.once(
        event => event.type === 'attempt.started',
        () => [{ type: 'job.cancel_requested', jobKey: `${RUN}/job-1` }],
      )
    await play(15, () => ({ podsMax: 1, jobs: 2, weather: { cancelIgnored: 1 } }), {
      arrange(world) {
        world.jobMs = [20_000, 30_000]
        cancel(world)
      },
      expects(world) {
        expect(statuses(world)).toEqual(['cancelled', 'completed'])
        expect(pods(world).some(pod => pod.broken?.code === 'cancel_ignored')).toBe(true)
      },
    })
  })

  test('a job cancelled while it waits never runs', async () => {
    await play(10, () => ({ podsMax: 1 }), {
      arrange: world => world.later(2000, () => [{ type: 'job.cancel_requested', jobKey: `${RUN}/job-6` }]),
      expects(world) {
        expect(jobNamed(world, 'job-6')?.status).toBe('cancelled')
        expect(jobNamed(world, 'job-6')?.attempts).toEqual([])
      },
    })
  })

  test('a cancelled run ends with nothing left, at whatever moment it was cancelled', async () => {
    await play(60, seed => ({ crashEvery: seed % 2 ? 12 : 0, weather: { createUnclear: 0.3, linkLost: 0.2 } }), {
      arrange: world =>
        world.later(world.chance.between(0, 25_000), fleet =>
          fleet.runs.get(RUN)?.status === 'running' ? [{ type: 'run.cancel_requested', runId: RUN }] : [],
        ),
      expects: world => expect(['cancelled', 'completed']).toContain(runStatus(world)),
    })
  })

  test('a drained run finishes what runs and starts nothing new', async () => {
    await play(20, () => ({}), {
      arrange: world =>
        world.once(
          event => event.type === 'attempt.started',
          () => [{ type: 'run.drain_requested', runId: RUN }],
        ),
      expects(world) {
        expect(statuses(world)).toContain('completed')
        expect(statuses(world)).toContain('cancelled')
        const drained = world.events.find(event => event.type === 'run.drain_requested')?.seq ?? 0
        const later = world.events.filter(event => event.type === 'attempt.requested' && event.seq > drained)
        expect(later).toEqual([])
      },
    })
  })

  test('a pod stopped and started again bills its disk meanwhile and works on', async () => {
    await play(20, () => ({ podsMax: 2, jobs: 1 }), {
      arrange(world) {
        world.once(
          event => event.type === 'attempt.started',
          () => {
            world.once(
              event => event.type === 'pod.stopped',
              () => [{ type: 'pod.start_requested', podId: 'pod-0001' }],
            )
            return [{ type: 'pod.stop_requested', podId: 'pod-0001' }]
          },
        )
      },
      expects: world => expect(statuses(world)).toEqual(['completed']),
    })
  })
})

describe('when a person is needed', () => {
  test('a provider that refuses the key ends the run as needing the operator, and nothing is rented', async () => {
    await play(5, () => ({ weather: { operator: 1 } }), {
      expects(world) {
        expect(runStatus(world)).toBe('needs_operator')
        expect(new Set(statuses(world))).toEqual(new Set(['failed']))
        expect(jobNamed(world, 'job-1')?.fault?.code).toBe('key_refused')
        expect([...world.cloud.pods.values()].filter(pod => pod.ours)).toHaveLength(0)
      },
    })
  })

  test('pods whose sshd refuses the key are not rented one after the other for ever', async () => {
    await play(2, () => ({ jobs: 2, podsMax: 2 }), {
      arrange(world) {
        world.keyRefused = true
      },
      expects(world) {
        expect(runStatus(world)).toBe('needs_operator')
        expect(pods(world).length).toBeLessThanOrEqual(4)
      },
    })
  })

  test('a refused key of the bucket at work ends the run, and no pod waits on the meter for the person', async () => {
    await play(5, () => ({ jobs: 3, podsMax: 2, weather: { operatorFault: 1 } }), {
      expects: world => expect(runStatus(world)).toBe('needs_operator'),
    })
  })
})

describe('when a limit is reached', () => {
  test('a run ends at its money limit, a few cents a pod late at most', async () => {
    const costMax = 1_500
    await play(20, seed => ({ policy: { costMax }, jobs: 12, crashEvery: seed % 2 ? 20 : 0 }), {
      arrange(world) {
        world.jobMs = [5000, 20_000]
      },
      expects(world) {
        expect(runStatus(world)).toBe('budget_reached')
        expect(world.spend()).toBeLessThanOrEqual(costMax + pods(world).length * 50_000)
        expect(statuses(world)).toContain('failed')
      },
    })
  })

  test('a run ends at its time limit', async () => {
    await play(10, () => ({ policy: { timeoutMs: 15_000 }, jobs: 12 }), {
      arrange(world) {
        world.jobMs = [5000, 20_000]
      },
      expects: world => expect(runStatus(world)).toBe('budget_reached'),
    })
  })
})
