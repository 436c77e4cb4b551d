// What a simulated world does to processes: ports that go silent when theirs dies, and the time that processes are told.
import type { Clock } from '../../src/ports.ts'
import type { VirtualClock } from './clock.ts'

type Method = (...args: unknown[]) => unknown

/** A port in a process that may die: nothing it is asked for ever comes back to a dead process. */
export function guard<T extends object>(port: T, dead: () => boolean): T {
  const guarded: Record<PropertyKey, unknown> = {}
  for (const name of Object.keys(port)) {
    const member: unknown = Reflect.get(port, name)
    guarded[name] =
      typeof member === 'function' && name !== 'now' && name !== 'uuid' ? mortal(member as Method, dead) : member
  }
  return guarded as T
}

function mortal(member: Method, dead: () => boolean) {
  return (...args: unknown[]) => {
    if (dead()) return new Promise(() => {})
    const answer: unknown = member(...args)
    if (!(answer instanceof Promise)) return answer
    return new Promise((resolve, reject) => {
      answer.then(
        value => dead() || resolve(value),
        error => dead() || reject(error),
      )
    })
  }
}

/** The wall clock as processes read it; somebody may set it. */
export type WallClock = Clock & {
  set(byMs: number): void
  /** How far it was set back, all together. */
  backMs(): number
}

export function createWallClock(clock: VirtualClock): WallClock {
  let ahead = 0
  let back = 0
  return {
    now: () => clock.now() + ahead,
    sleep: clock.sleep,
    uuid: clock.uuid,
    set(byMs) {
      ahead += byMs
      back += Math.max(0, -byMs)
    },
    backMs: () => back,
  }
}
