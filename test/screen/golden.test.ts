// Screens as text at four sizes: with no, one, eight and 5,000 jobs, in every state, with every banner, dialog, panel and line.
import { expect, test } from 'vitest'
import { crashScreen } from '../../src/tui/crash.ts'
import { layoutOf } from '../../src/tui/layout.ts'
import { textOf } from '../../src/tui/screen.ts'
import { palette } from '../../src/tui/style.ts'
import { RUN as NIGHT } from '../unit/fleet-story.ts'
import { longNight } from '../unit/long-night.ts'
import { BANNERS } from './banners.ts'
import { busyWorld, largeWorld, MINUTE, newWorld, queue, RUN, SECOND, stuckWorld } from './fleets.ts'
import { matches, matchesSizes, play, type Scene, SIZES, textAt } from './golden.ts'
import {
  bootingWorld,
  everyState,
  failedWorld,
  gradient,
  LINK,
  loggedWorld,
  overWorld,
  secondAttempt,
  troubledWorld,
} from './scenes.ts'

const busy = (...keys: string[]): Scene => ({ world: busyWorld(), keys })
const typed = (text: string) => [...text].map(char => (char === ' ' ? 'space' : char))

/** The file it is kept in → what it shows, at all sizes. */
const SCENES: Record<string, [string, () => Scene]> = {
  empty: ['an empty run', () => ({ world: newWorld() })],
  one: [
    'one waiting job',
    () => {
      const world = newWorld()
      queue(world, ['job-001'])
      return { world }
    },
  ],
  eight: ['eight jobs', () => busy()],
  'five-thousand': ['five thousand jobs', () => ({ world: largeWorld(5000) })],
  'every-job-state': ['a job in each state', () => ({ world: everyState() })],
  'every-pod-state': ['a pod in each state', () => ({ world: everyState(), keys: ['2'] })],
  booting: ['waiting jobs and how far their pods are', () => ({ world: bootingWorld() })],
  backoff: ['a job that waits to be tried again', () => ({ world: secondAttempt(false) })],
  'attempt-2': ['a second attempt, which says so where its bar began anew', () => ({ world: secondAttempt(true) })],
  stuck: ['a job that shows no life', () => ({ world: stuckWorld() })],
  'stuck-waited': [
    'a job that shows no life and is given more time',
    () => {
      const world = stuckWorld()
      world.add({ type: 'attempt.wait_requested', jobKey: `${RUN}/job-001`, attempt: 1 })
      return { world }
    },
  ],
  old: [
    'figures that are too old, doubted',
    () => {
      const world = busyWorld()
      world.pass(MINUTE)
      world.add({ type: 'pod.link_lost', podId: 'pod-0002', fault: LINK })
      world.pass(20 * SECOND)
      return { world }
    },
  ],
  unknown: ['a pod that does not end and one not heard of', () => ({ world: troubledWorld(), keys: ['2'] })],
  pods: ['pods', () => busy('2')],
  costs: ['costs', () => busy('3')],
  'costs-plain': ['costs without colours: a letter for each cause', () => ({ ...busy('3'), colours: 0 })],
  events: ['events', () => busy('4')],
  over: ['a run that is over', () => ({ world: overWorld(), facts: { endWhenDone: true } })],
  summary: [
    'the summary of a long night',
    () => {
      const { fleet, now } = longNight(60, true)
      const report = () => '/home/ada/film/out/report.html'
      return { world: { ...newWorld(), fleet, now: () => now }, facts: { runId: NIGHT, report } }
    },
  ],
  details: ['the details of a job', () => ({ world: loggedWorld(), keys: ['enter'] })],
  'details-end': [
    'the details of a job, scrolled to their end',
    () => ({ world: loggedWorld(), keys: ['enter', 'G'] }),
  ],
  'details-failed': [
    'why a job failed, with what its log said last',
    () => ({ world: failedWorld(), keys: ['down', 'down', 'down', 'enter'] }),
  ],
  'details-pod': ['the details of a pod', () => busy('2', 'enter')],
  failed: ['a failed job in the pane', () => busy('down', 'down', 'down')],
  picture: [
    'a picture in the pane',
    () => {
      const world = busyWorld()
      world.pictures.set(`${RUN}/job-001`, gradient())
      return { world }
    },
  ],
  'picture-details': [
    'a picture beside the details',
    () => {
      const world = loggedWorld()
      world.pictures.set(`${RUN}/job-001`, gradient())
      return { world, keys: ['enter'] }
    },
  ],
  log: ['a log', () => ({ world: loggedWorld(), keys: ['l'] })],
  keys: ['the keys of the tables', () => busy('?')],
  'keys-log': ['the keys of a log', () => busy('l', '?')],
  marked: ['marked rows', () => busy('space', 'down', 'space')],
  sorted: ['rows sorted by another column, in reverse', () => busy('>', '>', '>', 'R')],
  filter: ['a filter being typed', () => busy('/', ...'fai')],
  filtered: ['a filter that is kept', () => busy('/', ...'pod-0001', 'enter')],
  'filter-nothing': ['a filter that no row has', () => busy('/', ...'nowhere', 'enter')],
  command: ['a command being typed', () => busy(':', ...'can', 'tab', ...'job-00')],
  'command-wrong': ['a command that means nothing', () => busy(':', ...'kil1', 'enter')],
  notice: ['what a key has done', () => busy('o')],
  'not-possible': [
    'a key that means nothing for this row',
    () => {
      const world = busyWorld()
      world.add({ type: 'pod.release_requested', podId: 'pod-0001', cause: 'killed by hand' })
      world.add({ type: 'pod.gone', podId: 'pod-0001', billedUntil: world.now() })
      return { world, keys: ['2', 'G', 'k'] }
    },
  ],
  frozen: [
    'a frozen screen, and since when',
    () => {
      const world = busyWorld()
      return { world, keys: ['2', 'z'], facts: { now: world.now(), clock: world.now() + MINUTE } }
    },
  ],
  readonly: ['a screen without the keys that change something', () => ({ ...busy(), facts: { readonly: true } })],
  'all-runs': [
    'all runs of a home, without an engine',
    () => {
      const world = busyWorld()
      const runId = 'run_20261122_141000_00c0ffee'
      world.add({ type: 'run.opened', runId, policy: world.fleet.runs.get(RUN)!.policy, follows: [] })
      queue(world, ['job-001', 'title'], runId)
      return { world, facts: { engineAlive: false, runId: null } }
    },
  ],
  ascii: ['nothing but ASCII', () => ({ ...busy(), ascii: true })],
  'ascii-costs': ['costs in nothing but ASCII', () => ({ ...busy('3'), ascii: true })],
  kill: ['what is asked before a pod is ended', () => busy('k')],
  leave: ['what is asked before leaving', () => busy('q')],
}

for (const [name, [about, make]] of Object.entries(SCENES))
  test(`${about}, at every size`, () => matchesSizes(name, make))

/** Dialogs are as wide at 80 columns as anywhere. */
const DIALOGS: Record<string, [string, () => Scene]> = {
  'kill-many': ['ending several pods', () => busy('space', 'space', 'space', 'k')],
  'kill-all': ['ending every pod, which wants a word', () => busy(':', ...typed('kill all'), 'enter', ...'xterm')],
  stop: ['stopping a pod', () => busy('s')],
  start: [
    'starting a pod again',
    () => {
      const world = busyWorld()
      world.add({ type: 'pod.stop_requested', podId: 'pod-0004' })
      world.add({ type: 'pod.stopped', podId: 'pod-0004', perHour: 10_000 })
      return { world, keys: ['2', 'down', 'down', 'down', 's'] }
    },
  ],
  drain: ['draining a pod', () => busy('d')],
  cancel: ['cancelling a job', () => busy('c')],
  'cancel-waiting': ['cancelling a job that was not started', () => busy(...Array<string>(5).fill('down'), 'c')],
  'cancel-many': [
    'cancelling many jobs',
    () => ({ world: largeWorld(500), keys: [':', ...typed('cancel all'), 'enter'] }),
  ],
  retry: ['trying several jobs again', () => ({ world: everyState(), keys: [':', ...typed('retry all'), 'enter'] })],
  'leave-drain': ['leaving, with ctrl-c a second time', () => busy('ctrl-c', 'ctrl-c')],
}
for (const [name, [about, make]] of Object.entries(DIALOGS))
  test(`the dialog about ${about}, on low and usual screens`, () => matchesSizes(name, make, ['60x15', '80x24']))

function bannersAt(scene: Scene, size: string): string {
  const { model, facts, screen } = play(scene, size)
  const { y = 0, height = 0 } = layoutOf(model, facts)?.banners ?? {}
  const rows = textOf(screen).split('\n')
  return rows.slice(y, y + height).join('\n')
}

test('every banner, at every size that makes a difference', () => {
  const parts = new Map<string, string>()
  for (const [name, make] of Object.entries(BANNERS)) {
    const sizesOf = Map.groupBy(SIZES, size => bannersAt(make(), size))
    for (const [rows, sizes] of sizesOf) {
      expect(rows, `${name} at ${sizes}`).not.toBe('')
      parts.set(`${name}, ${sizes.join(' ')}`, `${rows}\n`)
    }
  }
  matches('banners', parts)
})

test('a panel that fell over, at every size', () => {
  const error = new Error(
    'Cannot read properties of undefined (reading 字), and more words than fit on a narrow screen',
  )
  const at = (size: string) => {
    const [width = 0, height = 0] = size.split('x').map(Number)
    return textOf(crashScreen(width, height, palette(256), false, error))
  }
  matches('crash', new Map(['30x6', ...SIZES].map(size => [size, at(size)])))
})

test('a terminal that is too small says what it needs', () =>
  matchesSizes('small', () => busy(), ['59x14', '20x6', '100x10']))

test('in ASCII nothing has a question mark for a stand-in', () => {
  for (const keys of [[], ['2'], ['3'], ['4'], ['enter'], ['l'], ['?'], ['q'], ['k'], ['space', 'space', 'k'], [':']])
    for (const size of SIZES) {
      const text = textAt({ ...busy(...keys), ascii: true }, size)
      expect(text).toMatch(/^[\x20-\x7e\n]*$/)
      // What has no stand-in of its own would be a question mark, which says something else here.
      expect(text.replaceAll(/\? keys|spent\?|\? {2,}(this list|row up)/g, ''), `${keys} at ${size}`).not.toMatch(
        /\?{2}|\w\?\w/,
      )
    }
})
