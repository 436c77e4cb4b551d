// What is still to come, for the header and the detail pane, in the words people read.
import { type Estimate, estimateRun, jobLeft, type ProgressOf } from '../domain/estimate.ts'
import type { Job } from '../domain/job.ts'
import { formatClock, formatUsd, type Micro, type Millis } from '../domain/units.ts'
import { type Facts, forAWhile } from './model.ts'
import { gaugeOf, isJobGaugeOld } from './state.ts'
import { clockTime } from './story.ts'

// Beyond this a time of day would be taken for today's.
const CLOCK_MS = 20 * 3_600_000
const CENT: Micro = 10_000
// It looks at every job, and tells minutes.
const ESTIMATE_MS = 5000

function progressIn(facts: Facts): ProgressOf {
  return job => {
    const gauge = gaugeOf(job, facts)
    return gauge?.phase === 'running' && gauge.fraction !== null ? { fraction: gauge.fraction, at: gauge.at } : null
  }
}

/** Of the runs on this screen together; null before there is one for each. */
function estimateOf(facts: Facts): Estimate | null {
  return forAWhile(facts, 'estimate', ESTIMATE_MS, () => {
    let all: Estimate | null = null
    for (const run of facts.fleet.runs.values()) {
      if (run.status !== 'running' || (facts.runId !== null && run.id !== facts.runId)) continue
      const one = estimateRun(facts.fleet, run.id, progressIn(facts), facts.now)
      if (!one) return null
      all = all ? together(all, one) : one
    }
    return all
  })
}

function together(a: Estimate, b: Estimate): Estimate {
  return {
    micro: [a.micro[0] + b.micro[0], a.micro[1] + b.micro[1]],
    end: [Math.max(a.end[0], b.end[0]), Math.max(a.end[1], b.end[1])],
  }
}

/** `to finish $1.40–1.90, 21:40–22:05`; null before there is an estimate. */
export function toFinish(facts: Facts): string | null {
  const estimate = estimateOf(facts)
  if (!estimate) return null
  const time = (at: Millis) => clockTime(at, facts.zone(at)).slice(0, 5)
  const hours = (at: Millis) => Math.round((at - facts.now) / 3_600_000)
  const [first, last] = estimate.end
  const when =
    last - facts.now < CLOCK_MS ? span(time(first), time(last)) : `in ${span(`${hours(first)}`, `${hours(last)}`)} h`
  const [low, high] = estimate.micro
  return `to finish ${span(cents(low), cents(high).replace('$', ''))}, ${when}`
}

/** Whole cents as soon as there is one: more digits than that nobody foresees. */
function cents(micro: Micro): string {
  return micro < CENT ? formatUsd(micro) : `$${(Math.ceil(micro / CENT) / 100).toFixed(2)}`
}

/** `1:05–1:30 left` of a job under way; null before there is an estimate, or while its figures are too old for one. */
export function leftOf(job: Job, facts: Facts): string | null {
  const gauge = gaugeOf(job, facts)
  if (gauge && isJobGaugeOld(gauge, facts.now)) return null
  const left = jobLeft(facts.fleet, job, progressIn(facts), facts.now)
  return left && `${span(formatClock(left[0]), formatClock(left[1]))} left`
}

function span(low: string, high: string): string {
  return low.replace('$', '') === high.replace('$', '') ? low : `${low}–${high}`
}
