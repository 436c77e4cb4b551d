// What `autopod retry` can say at once: of a job that the same cap ends again, why; of one that something is done for, nothing more.
import { expect, test } from 'vitest'
import { failedAtOnce } from '../../src/cli/at-once.ts'
import type { Event, Fact } from '../../src/domain/event.ts'
import type { Job } from '../../src/domain/job.ts'
import { keyOf, offerOf, RUN, story } from './fleet-story.ts'

/** Longer than the test may take: who waits for it has waited for nothing. */
const NEVER = 60_000

function retried(...names: string[]) {
  const s = story()
    .run()
    .jobs(...names)
  const listeners = new Set<(event: Event) => void>()
  const onEvent = (listener: (event: Event) => void) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  const tell = (fact: Fact) => {
    s.tell(fact)
    for (const listener of listeners) listener(s.events.at(-1) as Event)
  }
  const jobs = names.map(name => s.fleet.jobs.get(keyOf(name)) as Job)
  return { jobs, tell, onEvent, listeners }
}
const failed = (name: string): Fact => ({
  type: 'job.failed',
  jobKey: keyOf(name),
  fault: { kind: 'job', code: 'budget_reached', message: 'too dear' },
})

test('jobs that fail again before anything is done for them are told', async () => {
  const { jobs, tell, onEvent, listeners } = retried('a', 'b')
  const told = failedAtOnce({ onEvent }, jobs, NEVER)
  tell(failed('b'))
  tell({ type: 'job.delayed', jobKey: keyOf('a'), dueAt: 1, why: 'no machine' } as Fact)
  expect((await told).map(job => job.spec.jobId)).toEqual(['b'])
  expect(listeners.size).toBe(0)
})

test('a pod that is ordered for their run is enough to know', async () => {
  const { jobs, tell, onEvent } = retried('a')
  const told = failedAtOnce({ onEvent }, jobs, NEVER)
  tell({ type: 'pod.requested', podId: 'p', runId: RUN, name: 'autopod-p', offer: offerOf() })
  expect(await told).toEqual([])
})

test('jobs that wait in line are not waited for', async () => {
  const { jobs, onEvent } = retried('a')
  expect(await failedAtOnce({ onEvent }, jobs, 1)).toEqual([])
  expect(await failedAtOnce({ onEvent }, [], NEVER)).toEqual([])
})
