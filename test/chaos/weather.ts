// What happens in one round, drawn from its seed: the cloud's faults, the jobs, and when the program is killed.

/** When a start of the program is ended: so long after it began, or once the journal has grown by so many events. */
export type Kill = { afterMs: number; afterEvents: number | null; how: 'plain' | 'detached' | 'followed' }

export type Weather = {
  seed: number
  faults: string[]
  bootMs: number
  stepMs: number
  jobs: number
  podsMax: number
  kills: Kill[]
  /** How the pod is called that somebody else rented. */
  foreign: string
}

/** Chances small enough that most of a batch comes through, and large enough that each fault is seen in ten rounds. */
const FAULTS: Record<string, { inRounds: number; chance: number }> = {
  'create-500': { inRounds: 0.3, chance: 0.25 },
  'create-500-none': { inRounds: 0.25, chance: 0.2 },
  'create-timeout': { inRounds: 0.12, chance: 0.2 },
  'list-lag': { inRounds: 0.4, chance: 0.5 },
  'list-empty': { inRounds: 0.4, chance: 0.15 },
  'list-malformed': { inRounds: 0.3, chance: 0.15 },
  'get-404-fresh': { inRounds: 0.3, chance: 0.5 },
  'terminate-lies': { inRounds: 0.4, chance: 0.3 },
  capacity: { inRounds: 0.15, chance: 0.2 },
  '429': { inRounds: 0.25, chance: 0.05 },
  '5xx': { inRounds: 0.3, chance: 0.08 },
  // Of single pods, within ten seconds after each is ready: half of these fall into a round.
  'ssh-cut': { inRounds: 0.5, chance: 0.9 },
  'comfy-crash': { inRounds: 0.06, chance: 0.3 },
  preempt: { inRounds: 0.12, chance: 0.4 },
}
/** Longer than a start takes, shorter than a small batch. */
const KILL_MAX_MS = 4000
/** A start alone: the process compiles, reads its settings, opens its journal. */
const START_MS = 1000

/** `jobs` instead of the seed's own number. The same seed gives the same weather; what falls on what depends on the machine. */
export function weatherOf(seed: number, jobs?: number): Weather {
  const roll = diceFrom(seed)
  const from = (low: number, high: number) => low + Math.floor(roll() * (high - low + 1))
  const hex = () =>
    from(0, 2 ** 32 - 1)
      .toString(16)
      .padStart(8, '0')
  const faults = Object.entries(FAULTS).flatMap(([name, { inRounds, chance }]) =>
    roll() < inRounds ? [`${name}=${chance}`] : [],
  )
  const kill = (): Kill => {
    const isStart = roll() < 0.3
    const afterEvents = !isStart && roll() < 0.5 ? from(1, 40) : null
    const how = roll()
    return {
      afterMs: afterEvents !== null ? KILL_MAX_MS : from(0, isStart ? START_MS : KILL_MAX_MS),
      afterEvents,
      how: how < 0.7 ? 'plain' : how < 0.85 ? 'detached' : 'followed',
    }
  }
  return {
    seed,
    faults,
    bootMs: from(200, 400),
    stepMs: from(5, 20),
    jobs: jobs ?? from(4, 8),
    podsMax: from(2, 4),
    kills: Array.from({ length: from(2, 4) }, kill),
    // Also one that another home of this very program rented: our prefix, not our mark.
    foreign: roll() < 0.5 ? 'notebook of a colleague' : `autopod-${hex()}-${hex()}-0001`,
  }
}

/** No fault and no kill: what a batch gives when nothing happens. */
export function calmWeather(jobs: number): Weather {
  return { ...weatherOf(0, jobs), faults: [], kills: [], podsMax: 4, stepMs: 5 }
}

/** mulberry32, from 0 up to, but not including, 1. */
function diceFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
