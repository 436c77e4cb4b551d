// The chance of the sandbox: a seeded die, and the switches that say which failures happen how often.
// Pure: the die's state is a number that travels in the cloud's state, so the same seed gives the same world.

/** What each switch does, with the probability it has when it is given without one (`create-500=1` sets its own). */
export const faultChances = {
  sentinels: 1, // lists the GPU types `sold-out`, `never-boots`, `no-sshd` and `dies-early`
  'create-500': 0.3, // the pod is made, the answer is an error
  'create-500-none': 0.3, // an error, and nothing was made
  'create-timeout': 0.3, // the pod is made, the answer never comes
  'list-lag': 0.5, // a listing misses new pods and still shows ended ones, for at most `lagMaxMs`
  'list-empty': 0.2, // a listing says there are no pods
  'list-malformed': 0.2, // a listing does not fit the published type
  'get-404-fresh': 0.5, // a new pod cannot be read, for at most `lagMaxMs`
  'terminate-lies': 0.3, // 204, and the pod goes on
  'bad-host': 0.5, // the order lands on the first host of its GPU type, where sshd never starts; without the switch no host is bad
  capacity: 0.4, // no machine free for this order (or, at start, on this host)
  '429': 0.1,
  '5xx': 0.1,
  'ssh-cut': 0.5, // connections of a pod are cut once, within ten seconds after it is ready
  'comfy-crash': 0.3, // ComfyUI of a pod ends, within fifteen seconds after it is ready
  hang: 0.2, // a prompt hangs, one in two until it is interrupted, the others until ComfyUI ends
  preempt: 0.3, // the pod is EXITED by the host, within thirty seconds after it is ready
} as const

export type FaultName = keyof typeof faultChances
export type FaultChances = Partial<Record<FaultName, number>>

/** Reads switches like `create-500` or `429=0.5`. Throws on an unknown name or a chance outside 0–1: a typo must not pass as calm. */
export function parseFaults(switches: string[]): FaultChances {
  const chances: FaultChances = {}
  for (const text of switches) {
    const [name = '', chance] = text.split('=')
    if (!Object.hasOwn(faultChances, name))
      throw new Error(`unknown sandbox fault "${name}"; known: ${Object.keys(faultChances).join(', ')}`)
    const value = chance === undefined ? faultChances[name as FaultName] : Number(chance)
    if (!(value >= 0 && value <= 1)) throw new Error(`the chance of sandbox fault "${text}" must be from 0 to 1`)
    chances[name as FaultName] = value
  }
  return chances
}

/** A die over a state: `state()` is what the next die goes on from. */
export type Dice = {
  /** From 0 up to, but not including, 1. */
  roll(): number
  /** True with the fault's chance; does not touch the die when the fault is off, so switches do not disturb each other's absence. */
  happens(name: FaultName): boolean
  /** `length` characters out of `alphabet`. */
  text(length: number, alphabet: string): string
  pick<T>(list: readonly T[]): T | undefined
  state(): number
}

/** mulberry32: 32 bits of state, good enough to choose failures, never for secrets that guard anything real. */
export function diceFrom(seed: number, chances: FaultChances): Dice {
  let state = seed >>> 0
  const roll = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  return {
    roll,
    happens: name => {
      const chance = chances[name] ?? 0
      return chance > 0 && roll() < chance
    },
    text: (length, alphabet) =>
      Array.from({ length }, () => alphabet[Math.floor(roll() * alphabet.length)] ?? '').join(''),
    pick: list => list[Math.floor(roll() * list.length)],
    state: () => state,
  }
}

/** What a prompt may come to, as ComfyUI's own faults are called. */
export type PromptFailure = 'oom' | 'error' | 'hang' | 'stall' | 'crash'

const failingName = /(?<![A-Za-z0-9])(oom|error|hang|stall|crash)-(\d{1,4})(?![0-9])/

/** Which failure a prompt's tag asks for by a job name like `oom-2`, and for how many first prompts of that name. */
export function failureAsked(tag: string): { name: string; how: PromptFailure; times: number } | null {
  const found = failingName.exec(tag)
  if (!found) return null
  return { name: found[0], how: found[1] as PromptFailure, times: Number(found[2]) }
}
