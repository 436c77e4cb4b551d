// The only place that sets timers and reads the time or chance of this machine.
import { randomUUID } from 'node:crypto'
import type { Clock } from '../ports.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise(resolve => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done, { once: true })
    }),
  uuid: () => randomUUID(),
}

/** Calls `fn` each `ms` until the returned function is called; keeps the process alive till then. */
export function every(ms: number, fn: () => void): () => void {
  const timer = setInterval(fn, ms)
  return () => clearInterval(timer)
}

/** Calls `fn` once after `ms` unless the returned function is called before. Does not keep the process alive. */
export function after(ms: number, fn: () => void): () => void {
  const timer = setTimeout(fn, ms).unref()
  return () => clearTimeout(timer)
}
