// One way to look at a home and to give commands in it, whoever is the engine: this process or another.
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { Event, Fact } from '../domain/event.ts'
import { Fault } from '../domain/fault.ts'
import type { Fleet } from '../domain/fleet.ts'
import type { Gauges, JobGauge, PodGauge } from '../domain/gauge.ts'
import { every, systemClock } from '../edge/clock.ts'
import { inheritedEnv } from '../edge/config.ts'
import { openStore } from '../edge/store.ts'
import { openTrace } from '../edge/trace.ts'
import { startEngine } from '../engine/engine.ts'
import { openJournal } from '../engine/journal.ts'
import { isOfJournal } from '../engine/settle.ts'
import type { Store } from '../ports.ts'
import { compose } from './compose.ts'
import type { Home } from './home.ts'
import { openNotices } from './notices.ts'
import { openPages } from './pages.ts'
import { lackOfRoom, unattended } from './trouble.ts'

export type Follow = {
  readonly fleet: Fleet
  gauges(): Gauges
  /** Faults: those of the journal, for a viewer; an own engine keeps what its journal refuses until it takes it. */
  command(facts: Fact[]): void
  /**
   * Writes what `decide` makes of the newest fleet, in the transaction that read it. Faults: those of `decide` and of the journal; then
   * nothing is written, nor kept for later.
   */
  record(decide: (fleet: Fleet) => Fact[]): void
  /** What keeps the home from being written, in words; null: nothing does. */
  trouble(): string | null
  onEvent(listener: (event: Event) => void): () => void
  /** This process is the engine. */
  own: boolean
  /** The engine is this process, or works for it: interrupting this command ends its runs. */
  leads: boolean
  /** Whether an engine works in this home now. */
  alive(): boolean
  /** Where the report of a run that is over lies; null when it could not be written. */
  report(runId: string): Promise<string | null>
  /** Nothing is under way any more (own engine only; a viewer's never resolves). Rejects as `failed`. */
  idle: Promise<void>
  /** Rejects with what stopped the own engine: a bug, or fault `pods_unattended` · `journal_unwritable` · `journal_damaged`. */
  failed: Promise<never>
  /** Lets go: an own engine stops without ending anything. */
  close(): Promise<void>
}

/** How soon a viewer sees what the engine wrote. */
const VIEW_MS = 200

type Shown = { jobs: Map<string, JobGauge>; pods: Map<string, PodGauge>; balance: Gauges['balance'] }

/** Looks on; starts no engine. */
export function view(home: Home): Follow {
  const store = openStore(home.dir)
  const journal = openJournal(store, systemClock)
  const shown: Shown = { jobs: new Map(), pods: new Map(), balance: null }
  let lastRead = 0
  const pages = openPages(home, journal, false, openTrace(home.dir, systemClock))
  let unread: string | null = null
  const refresh = () => {
    try {
      journal.refresh()
      unread = null
    } catch (error) {
      if (!isOfJournal(error)) throw error
      unread = error.message
    }
  }
  const stop = every(VIEW_MS, refresh)
  return {
    fleet: journal.fleet,
    gauges() {
      const { jobs, pods, balance, last } = store.readGauges(lastRead)
      lastRead = last
      for (const [key, gauge] of jobs) shown.jobs.set(key, gauge)
      for (const [id, gauge] of pods) shown.pods.set(id, gauge)
      shown.balance = balance ?? shown.balance
      return shown
    },
    command: facts => journal.record(() => facts),
    record: journal.record,
    trouble: () => unread ?? lackOfRoom(home.dir),
    onEvent: listener => journal.onEvent(listener),
    own: false,
    leads: false,
    alive: () => store.leased(),
    report: runId => pages.of(runId),
    idle: new Promise(() => {}),
    failed: new Promise(() => {}),
    async close() {
      stop()
      await pages.close()
      store.close()
    },
  }
}

/** Becomes the engine of the home, or looks on when another process is; `decided` is called when it is clear which. */
export async function attach(home: Home, decided: () => void = () => {}): Promise<Follow> {
  const opened: Store = openStore(home.dir)
  // Taken before anything else: of two that start at the same moment one has to see that it is second.
  const lease = opened.leased() ? null : opened.lease()
  decided()
  if (!lease) {
    opened.close()
    return view(home)
  }
  const store: Store = { ...opened, lease: () => lease }
  const options = await compose(home, store)
  const engine = startEngine(options)
  const endNotices = openNotices(home, engine, options.trace)
  const pages = openPages(home, engine.journal, true, options.trace)
  const told = (error: unknown): never => {
    throw unattended(error, engine.fleet)
  }
  const [idle, failed] = [engine.idle.catch(told), engine.failed.catch(told)]
  // Not everybody listens to both.
  for (const promise of [idle, failed]) promise.catch(() => {})
  let closed: Promise<void> | null = null
  return {
    fleet: engine.fleet,
    gauges: () => engine.gauges,
    command: facts => engine.command(facts),
    record: engine.journal.record,
    trouble() {
      const refusal = engine.refusal()
      return refusal ? `${refusal.message}; nothing is decided until it can` : lackOfRoom(home.dir)
    },
    onEvent: listener => engine.journal.onEvent(listener),
    own: true,
    leads: true,
    alive: () => true,
    report: runId => pages.of(runId),
    idle,
    failed,
    close() {
      closed ??= (async () => {
        await engine.stop()
        await endNotices()
        await pages.close()
        await options.close()
        store.close()
      })()
      return closed
    },
  }
}

/**
 * Gives what `decide` makes of the newest fleet to the engine of the home, or to one that is started for it. It works in a process of
 * its own: a screen that freezes, crashes, is killed or eats the memory costs it nothing. Faults: those of `decide`; operator
 * `engine_unusable` when it does not start.
 */
export async function attachBeside(home: Home, decide: (fleet: Fleet) => Fact[]): Promise<Follow> {
  const looking = view(home)
  looking.record(decide)
  if (looking.alive()) return looking
  await detach(home)
  if (looking.alive()) return { ...looking, leads: true }
  await looking.close()
  throw new Fault({
    kind: 'operator',
    code: 'engine_unusable',
    message: 'the engine did not start; what was ordered waits in the journal',
    hint: `See the end of ${join(home.dir, 'logs', 'engine.log')}.`,
  })
}

/**
 * Starts an engine in the background that goes on with whatever the home's journal leaves open. Resolves when it has
 * taken over (or found another that has): who says "goes on in the background" has to know. `say`: why it did not start.
 */
export function detach(home: Home, say = (text: string): void => void process.stderr.write(text)): Promise<void> {
  const log = openLog(join(home.dir, 'logs', 'engine.log'))
  const args = [process.argv[1] as string, 'engine', ...(home.provider ? ['--provider', home.provider] : [])]
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: inheritedEnv(),
  })
  if (log !== 'ignore') closeSync(log)
  const { promise, resolve } = Promise.withResolvers<void>()
  child.once('message', () => resolve())
  child.once('error', () => resolve())
  child.once('exit', code => {
    if (code) say(`the engine did not start, see ${join(home.dir, 'logs', 'engine.log')}\n`)
    resolve()
  })
  return promise.finally(() => {
    if (child.connected) child.disconnect()
    child.removeAllListeners('exit').unref()
  })
}

/** Where there is no room for its words, an engine works without. */
function openLog(path: string): number | 'ignore' {
  try {
    return openSync(path, 'a', 0o600)
  } catch {
    return 'ignore'
  }
}

/** Tells the process that started this one by `detach` that it need not wait any longer. */
export function tellStarter(): void {
  process.send?.('at work', undefined, undefined, () => process.connected && process.disconnect?.())
}
