// How the log of a job or pod ends, for the pages that show a few lines of it.
import type { Millis } from '../domain/units.ts'
import { type Facts, type Log, type LogLine, type Subject, sinceEvent } from './model.ts'
import type { Line } from './story.ts'
import { clean } from './text.ts'

// Enough to see an error with its trace.
const LINES = 8
/** What was printed in a job's last moment is read from the pod a moment later. */
const MOMENT_MS = 2000
const LOOK_BACK_LINES = 500
const LOOKS_BACK = 20

/** Of a job that is over, only what was said until then: its pod may have worked on for others. */
export function linesUntilEnd(subject: Subject, facts: Facts): readonly LogLine[] {
  const endedAt = 'jobKey' in subject ? facts.fleet.jobs.get(subject.jobKey)?.attempts.at(-1)?.endedAt : null
  const until = endedAt ? endedAt + MOMENT_MS : Number.POSITIVE_INFINITY
  const lines = facts.logs(subject).slice(-LINES)
  if ((lines.at(-1)?.at ?? 0) <= until) return lines
  const name = `log until the end of ${JSON.stringify(subject)}`
  return sinceEvent(facts, name, () => linesUntil(facts.log(subject), until))
}

export function logLine({ text }: LogLine, facts: Facts): Line {
  return facts.mark(clean(text)) ? { text: `! ${text}`, ink: 'bad' } : { text: `  ${text}`, ink: 'plain' }
}

/** The last lines up to a moment; [] when that lies too far back to be looked for while a frame is made. */
function linesUntil(log: Log, until: Millis): readonly LogLine[] {
  let to = log.end
  for (let look = 0; look < LOOKS_BACK && to > log.start; look++) {
    const lines = log.backward(to, LOOK_BACK_LINES)
    const last = lines.findLast(line => line.at <= until)
    if (last) return log.backward(last.to, LINES)
    to = lines[0]?.from ?? log.start
  }
  return []
}
