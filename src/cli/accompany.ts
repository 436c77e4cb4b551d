// At the side of a run until it is over, shown as the user wants it; its ctrl-c ends the run, a lost terminal does not.
import { isSettled } from '../domain/job.ts'
import { mayBill } from '../domain/pod.ts'
import { jobsOfRun, podsOfRun } from '../domain/review.ts'
import { every, systemClock } from '../edge/clock.ts'
import { isOfJournal } from '../engine/settle.ts'
import { limitsOf } from './compose.ts'
import { eventLines } from './event-lines.ts'
import { detach, type Follow } from './follow.ts'
import type { Home } from './home.ts'
import { plainScreen } from './plain.ts'
import { onSignals } from './signals.ts'

/** How soon a viewer notices that its engine died; longer than another takes to start. */
const GUARD_MS = 3000
/** A wrapper such as npm passes one ctrl-c on twice; a second one meant as such comes later. */
const TWICE_MS = 1000
/** How often is said what is still waited for. */
const WAIT_MS = 10_000

/** How a run is shown; silent: only its end. */
export type Mode = 'screen' | 'plain' | 'events' | 'silent'

/** Shows the run until it is over, or until the user lets it go on alone. `begin` writes it down, once signals are heard. */
export async function accompany(
  follow: Follow,
  home: Home,
  runId: string,
  mode: Mode,
  look: { ascii: boolean; mouse: boolean },
  begin: () => void,
): Promise<'over' | 'background' | 'interrupted'> {
  const open = () => openRunsOf(follow, runId)
  const over = closed(follow, runId)
  // Whoever leaves before, or cannot begin, does not wait for it.
  over.catch(() => {})
  let interruptedAt: number | null = null
  let quietWait = () => {}
  // Words would lie on a painted screen, whose banners say the same.
  let isPainted = mode === 'screen'
  const say = (text: string) => void (isPainted || process.stderr.write(text))
  const { promise: gone, resolve: hangUp } = Promise.withResolvers<'background' | 'interrupted'>()
  const cancel = () => {
    // Asked twice, a provider that does not answer is not waited for: the background goes on until the pods are gone.
    if (interruptedAt !== null && systemClock.now() - interruptedAt >= TWICE_MS) hangUp('interrupted')
    if (interruptedAt !== null) return
    interruptedAt = systemClock.now()
    if (mode !== 'screen') say('interrupted: ending every pod of the run\n')
    try {
      follow.command(open().map(id => ({ type: 'run.cancel_requested', runId: id })))
    } catch (error) {
      // The next ctrl-c tries again.
      if (!isOfJournal(error)) throw error
      interruptedAt = null
      say(`not cancelled: ${error.message}\n`)
      return
    }
    quietWait = every(WAIT_MS, () => {
      const theRun = follow.fleet.runs.get(runId)
      const names = theRun ? podsOfRun(follow.fleet, theRun).filter(mayBill) : []
      if (names.length === 0) return
      say(
        `no proof yet that ${names.map(pod => pod.name).join(', ')} ended; ctrl-c again leaves that to the background\n`,
      )
    })
  }
  // Handed to an engine that died since: without another one nobody would go on.
  const guard = follow.own ? () => {} : every(GUARD_MS, () => void (follow.alive() || detach(home, say)))
  const quiet = onSignals({
    // The screen has its own ctrl-c; a signal from outside means the same in every mode.
    interrupt: () => (follow.leads ? cancel() : hangUp('background')),
    hangup: () => hangUp('background'),
  })
  try {
    begin()
    if (mode === 'screen') {
      const { screen } = await import('./screen.ts')
      const shown = screen(follow, home, runId, { readonly: false, ...look })
      const left = await Promise.race([shown.left, gone])
      shown.close()
      isPainted = false
      if (left === 'interrupted') return left
      if (left === 'background' || left === 'viewer') return 'background'
      if (left === 'drain') follow.command(open().map(id => ({ type: 'run.drain_requested', runId: id })))
      if (left === 'terminate') cancel()
      let stop = () => {}
      if (left !== 'ended') {
        process.stderr.write(left === 'drain' ? 'finishing the running jobs …\n' : 'ending every pod of the run …\n')
        // Hours may pass until they are done, and each costs.
        stop = plainScreen(follow, runId, limitsOf(home), systemClock.now())
      }
      const result = await Promise.race([over, gone])
      stop()
      return result === 'over' && interruptedAt !== null ? 'interrupted' : result
    }
    const stop =
      mode === 'plain'
        ? plainScreen(follow, runId, limitsOf(home))
        : mode === 'events'
          ? eventLines(follow, runId)
          : () => {}
    const result = await Promise.race([over, gone])
    stop()
    return result === 'over' && interruptedAt !== null ? 'interrupted' : result
  } finally {
    quietWait()
    guard()
    // An impatient third ctrl-c must not end this process before the background has taken over.
    onSignals({ interrupt() {}, hangup() {} })
    quiet()
  }
}

/** The run and, of an engine that died, the runs whose jobs it goes on with: nobody else ends those. Only open ones. */
function openRunsOf({ fleet, leads }: Follow, runId: string): string[] {
  const theRun = fleet.runs.get(runId)
  const adopted = leads && theRun ? jobsOfRun(fleet, theRun).map(job => job.runId) : []
  return [...new Set([runId, ...adopted])].filter(id => fleet.runs.get(id)?.status === 'running')
}

/** Resolves when the run and those it adopted are closed and the jobs it only follows settled; rejects when the own engine died. */
function closed(follow: Follow, runId: string): Promise<'over'> {
  const { promise, resolve } = Promise.withResolvers<'over'>()
  const look = () => {
    const theRun = follow.fleet.runs.get(runId)
    if (theRun && openRunsOf(follow, runId).length === 0 && jobsOfRun(follow.fleet, theRun).every(isSettled))
      resolve('over')
  }
  const unlisten = follow.onEvent(look)
  look()
  return Promise.race([promise, follow.failed]).finally(unlisten)
}
