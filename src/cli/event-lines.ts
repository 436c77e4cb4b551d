// `--events`: one JSON event a line, as they happen.
import type { Event } from '../domain/event.ts'
import type { Follow } from './follow.ts'

/** Those of the run, and the engine's; from the run's first one on. */
export function eventLines(follow: Follow, runId: string): () => void {
  const mine = (event: Event) =>
    'runId' in event
      ? event.runId === runId
      : 'jobKey' in event
        ? event.jobKey.startsWith(`${runId}/`)
        : 'podId' in event
          ? follow.fleet.pods.get(event.podId)?.runId === runId
          : true
  const tell = (event: Event) => {
    if (mine(event)) process.stdout.write(`${JSON.stringify({ ...event, at: new Date(event.at).toISOString() })}\n`)
  }
  const opened = follow.fleet.runs.get(runId)?.openedAt ?? 0
  for (const event of follow.fleet.recent) if (event.at >= opened) tell(event)
  return follow.onEvent(tell)
}
