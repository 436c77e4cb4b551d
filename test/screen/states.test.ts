// Colour is decoration: whatever a state says is said by a glyph and a word, on every terminal.
import { expect, test } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import type { Pod, PodStatus } from '../../src/domain/pod.ts'
import { jobState, podState, RUN_WORDS, type State } from '../../src/tui/state.ts'
import { asciiOf, type Ink, palette } from '../../src/tui/style.ts'
import { busyWorld, factsOf, RUN } from './fleets.ts'

const world = busyWorld()
const pod = world.fleet.pods.get('pod-0001') as Pod
const job = world.fleet.jobs.get(`${RUN}/job-001`) as Job
const fault = { kind: 'pod' as const, code: 'x', message: 'x' }

const statuses: PodStatus[] = ['requested', 'booting', 'ready', 'stopping', 'stopped', 'releasing', 'gone', 'refused']
const podStates = [
  ...statuses.map(status => podState({ ...pod, status })),
  podState({ ...pod, jobKey: null }),
  podState({ ...pod, broken: fault }),
  podState({ ...pod, linkLostAt: 1 }),
  podState({ ...pod, draining: true }),
]
const jobStates = [
  ...(['completed', 'failed', 'cancelled'] as const).map(status => jobState({ ...job, status }, factsOf(world))),
  jobState({ ...job, status: 'waiting', attempts: [] }, factsOf(world)),
  jobState({ ...job, cancelRequested: true }, factsOf(world)),
  ...[...world.fleet.jobs.values()].map(one => jobState(one, factsOf(world))),
]

test('every state of jobs, pods and runs has a glyph of one cell and a word, also in ASCII', () => {
  for (const state of [...podStates, ...jobStates, ...Object.values(RUN_WORDS)]) {
    expect([...state.glyph]).toHaveLength(1)
    expect(state.word).toMatch(/^[a-z ]{3,}$/)
    const ascii = String.fromCharCode(asciiOf(state.glyph.codePointAt(0) ?? 0))
    if (state.glyph !== '?') expect(ascii, state.word).not.toBe('?')
  }
})

test('states that mean different things have different words', () => {
  const meanings = (states: State[]) => new Set(states.map(({ word, glyph }) => `${glyph} ${word}`)).size
  const words = (states: State[]) => new Set(states.map(({ word }) => word)).size
  expect(words(podStates)).toBe(meanings(podStates))
  expect(words(jobStates)).toBe(meanings(jobStates))
})

test('what is bad stands out in every palette, without colours by its weight', () => {
  const inks: Ink[] = ['plain', 'dim', 'good', 'busy', 'wait']
  for (const colours of [0, 16, 256] as const) {
    const ink = palette(colours)
    for (const other of inks) expect(ink.bad, `${other} of ${colours}`).not.toBe(ink[other])
    expect(ink.selected(ink.plain)).not.toBe(ink.plain)
  }
})
