// Per pod, while this engine lives: its held local port, and its present connection with those who wait for one.

import { mayBill } from '../domain/pod.ts'
import type { Machine, Tunnel } from '../ports.ts'
import type { Journal } from './journal.ts'

export type Slots = {
  /** The port a pod should try first: its remembered one, else the lowest that no pod of the fleet has. */
  preferredPort(podId: string): number
  hold(podId: string, tunnel: Tunnel): void
  tunnel(podId: string): Tunnel | null
  /** The pod's link is up (a machine) or down (null). */
  link(podId: string, machine: Machine | null): void
  /** The present connection, or the next one; rejects with the signal's reason when it aborts. */
  machine(podId: string, signal: AbortSignal): Promise<Machine>
  /** Ends the connection and frees the port: the pod is gone or no longer ours to tend. */
  drop(podId: string): Promise<void>
  close(): Promise<void>
}

export function createSlots(firstPort: number, journal: Journal): Slots {
  const tunnels = new Map<string, Tunnel>()
  const machines = new Map<string, Machine>()
  const waiting = new Map<string, Set<(machine: Machine) => void>>()
  const wished = new Map<string, number>()
  const drop = async (podId: string) => {
    machines.get(podId)?.close()
    machines.delete(podId)
    wished.delete(podId)
    const tunnel = tunnels.get(podId)
    tunnels.delete(podId)
    await tunnel?.close()
  }
  return {
    preferredPort(podId) {
      const own = journal.fleet.pods.get(podId)?.localPort
      if (own) return own
      const taken = new Set(wished.values())
      for (const pod of journal.fleet.pods.values()) if (mayBill(pod) && pod.localPort) taken.add(pod.localPort)
      let port = firstPort
      while (taken.has(port)) port++
      wished.set(podId, port)
      return port
    },
    hold(podId, tunnel) {
      tunnels.set(podId, tunnel)
      wished.set(podId, tunnel.localPort)
    },
    tunnel: podId => tunnels.get(podId) ?? null,
    link(podId, machine) {
      if (!machine) machines.delete(podId)
      else {
        machines.set(podId, machine)
        for (const resolve of waiting.get(podId) ?? []) resolve(machine)
        waiting.delete(podId)
      }
    },
    machine(podId, signal) {
      const present = machines.get(podId)
      if (present) return Promise.resolve(present)
      const { promise, resolve, reject } = Promise.withResolvers<Machine>()
      const set = waiting.get(podId) ?? new Set()
      waiting.set(podId, set.add(resolve))
      const giveUp = () => {
        set.delete(resolve)
        reject(signal.reason)
      }
      if (signal.aborted) giveUp()
      else signal.addEventListener('abort', giveUp, { once: true })
      return promise.finally(() => signal.removeEventListener('abort', giveUp))
    },
    drop,
    async close() {
      await Promise.all([...tunnels.keys()].map(drop))
    },
  }
}
