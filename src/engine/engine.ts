// The imperative shell: journal → plan → effects, until nothing is left to do. It decides nothing itself.

import { openRuns } from '../domain/census.ts'
import type { Fact } from '../domain/event.ts'
import type { Fault } from '../domain/fault.ts'
import type { Fleet } from '../domain/fleet.ts'
import type { Gauges } from '../domain/gauge.ts'
import { plan } from '../domain/plan.ts'
import { mayBill } from '../domain/pod.ts'
import type { World } from '../domain/world.ts'
import type { Context, EngineOptions } from './context.ts'
import { createGaugeBoard } from './gauges.ts'
import { type Journal, openJournal } from './journal.ts'
import { createLanes } from './lanes.ts'
import { beginLife } from './life.ts'
import { createMarket } from './market.ts'
import { isOfJournal } from './settle.ts'
import { createSightings, type Sightings } from './sightings.ts'
import { createSlots } from './slots.ts'
import { createSteadyClock } from './steady.ts'
import { sweepLeases } from './sweep.ts'
import { createUnderWay } from './under-way.ts'

export type Engine = {
  readonly fleet: Fleet
  readonly gauges: Gauges
  readonly journal: Journal
  /** Why nothing is decided at present: what the journal answered when it refused a fact. */
  refusal(): Fault | null
  /** What a person asks for at this process. Facts that the journal refuses are kept, and written first once it takes them again. */
  command(facts: Fact[]): void
  /** Resolves when no run is open and nothing is under way, or rejects as `failed`. */
  idle: Promise<void>
  /** Rejects with the bug, or the journal's fault, that stopped it, also after it was idle. */
  failed: Promise<never>
  /** Lets go of everything without ending any of it, so that another engine can take over; pods, prompts and files stay. */
  stop(): Promise<void>
}

/** An effect that hangs for longer is an open question for the next engine, as after a crash. */
const STOP_MAX_MS = 5000

export function startEngine(options: EngineOptions): Engine {
  const { store } = options
  const clock = createSteadyClock(options.clock)
  const lease = store.lease()
  if (!lease) throw new Error('bug: an engine without the lease')
  const journal = openJournal(store, clock)
  const gauges = createGaugeBoard(store, clock, journal.fleet)
  const lanes = createLanes()
  const sightings = createSightings(clock)
  const slots = createSlots(options.firstPort, journal)
  const parts = { ...options, clock, journal, lanes, slots, sightings, gauges }
  /** Later than anything an earlier engine or life wrote: `startedAt` tells its questions from ours, within the same millisecond, too. */
  const contextNow = (): Context => {
    clock.pass(journal.fleet.at + 1)
    return { ...parts, startedAt: clock.now() }
  }
  const begin = (context: Context) =>
    beginLife(context, () => {
      // Whoever tends a pod goes on: its lease is renewed, and its port stays.
      underWay.letGo('tend')
      wake()
    })
  /** Commands of this process that the journal refused. */
  const unsaid: Fact[] = []
  const engineId = clock.uuid()
  const stopping = new AbortController()
  let wake: () => void = () => {}
  const idle = Promise.withResolvers<void>()
  const failure = Promise.withResolvers<never>()
  // Not everybody listens to both.
  for (const { promise } of [idle, failure]) promise.catch(() => {})
  const crash = (error: unknown) => {
    if (!stopping.signal.aborted) {
      stopping.abort('stopping')
      idle.reject(error)
      failure.reject(error)
    }
    wake()
  }
  const market = createMarket(() => wake(), crash)
  const underWay = createUnderWay(() => wake(), crash)
  const world: World = { offers: market.offers, home8: options.home8, limits: options.limits }
  let life = begin(contextNow())

  /** Waits for `work`, for so long as an engine that stops may take. */
  const patient = async (work: Promise<void>[]) => {
    const late = new AbortController()
    await Promise.race([Promise.all(work), clock.sleep(STOP_MAX_MS, late.signal)])
    late.abort('late')
  }

  const decide = () => {
    // Each round writes at least one fact; a fleet of n jobs settles in far fewer rounds than this.
    for (let round = 0; round < 10_000; round++) {
      const before = journal.fleet.seq
      const first = plan(journal.fleet, clock.now(), world)
      if (first.facts.length === 0) return first.needs
      journal.record(fleet => stamp(fleet.seq === before ? first.facts : plan(fleet, clock.now(), world).facts))
    }
    throw new Error('bug: the plan does not come to rest')
  }
  const stamp = (facts: Fact[]) =>
    facts.map(fact => (fact.type === 'attempt.requested' ? { ...fact, promptId: clock.uuid() } : fact))

  const live = async () => {
    const context = contextNow()
    journal.record(fleet => [
      { type: 'engine.started', engineId, pid: options.pid, version: options.version },
      // A person may have mended it meanwhile: every start tries again.
      ...[...fleet.providers]
        .filter(([, p]) => p.operator || p.balance)
        .map(([provider]): Fact => ({ type: 'operator.cleared', provider })),
      ...unsaid,
    ])
    unsaid.length = 0
    // Everything under way ends without its outcome; an effect that hangs is not started again before it has ended.
    underWay.letGo()
    await patient(underWay.ends())
    life = begin(context)
    while (!stopping.signal.aborted) {
      if (life.refusal) throw life.refusal
      const woken = new AbortController()
      wake = () => woken.abort('woken')
      journal.refresh()
      for (const need of decide()) market.ask(life.context, need)
      underWay.align(life.context)
      gauges.flushIfDue()
      // It stays ready for runs that other processes hand over, until it is stopped.
      if (openRuns(journal.fleet).length === 0 && !market.isAsked() && !owes(journal.fleet, sightings)) idle.resolve()
      await clock.sleep(options.limits.listenMs, woken.signal)
    }
  }

  const loop = async () => {
    const { journalRetryMs, journalWaitMs } = options.limits
    let refusedAt: number | null = null
    while (!stopping.signal.aborted) {
      const begunAt = clock.now()
      try {
        await live()
      } catch (error) {
        if (!isOfJournal(error)) throw error
        life.end(error)
        // A disk that has room for a fact now and then is no disk to go on with.
        if (refusedAt === null || clock.now() - begunAt > journalWaitMs) {
          refusedAt = clock.now()
          options.trace.engine(`${error.message}; nothing is decided until it takes facts again`)
        }
        if (error.data.code === 'journal_damaged' || clock.now() - refusedAt >= journalWaitMs) throw error
        await clock.sleep(journalRetryMs, stopping.signal)
      }
    }
  }
  const unlisten = journal.onEvent(() => wake())
  const looping = loop().catch(crash)
  const sweeping = sweepLeases(parts, stopping.signal).catch(crash)

  return {
    journal,
    fleet: journal.fleet,
    gauges: gauges.gauges,
    idle: idle.promise,
    failed: failure.promise,
    refusal: () => life.refusal,
    command(facts) {
      try {
        journal.record(() => facts)
      } catch (error) {
        if (!isOfJournal(error)) throw error
        unsaid.push(...facts)
        life.end(error)
      }
      wake()
    },
    async stop() {
      stopping.abort('stopping')
      wake()
      await looping
      unlisten()
      underWay.letGo()
      // A creation is waited for: what it makes is billed, and this engine alone is about to hear of it.
      await Promise.all([patient([...underWay.ends(), sweeping]), ...underWay.ends('create')])
      await slots.close()
      gauges.flush()
      life.context.journal.record(() => [{ type: 'engine.stopped', engineId }])
      lease.release()
    },
  }
}

/**
 * Something is under way that must come to its end: a pod that nobody keeps on purpose, a file on its way, or the look for the twin of a
 * kept pod (seed 19141). The twin of one that goes shows in the listings that prove it gone.
 */
function owes(fleet: Fleet, sightings: Sightings): boolean {
  for (const pod of fleet.pods.values())
    if (mayBill(pod) && ((pod.status !== 'ready' && pod.status !== 'stopped') || sightings.isOwed(pod.provider)))
      return true
  for (const job of fleet.jobs.values()) if (job.status === 'running') return true
  return false
}
