// What somebody who is not looking must be told, and how often at most. Pure: which event is worth a message, and its words.
import type { Event } from './event.ts'
import type { Fleet } from './fleet.ts'
import { podCost } from './pod.ts'
import { formatClock, formatLimit, formatUsd, type Millis, plural } from './units.ts'

export type Notice = {
  /** The same thing has the same key: it is told once in a while, not each time. */
  key: string
  level: 'info' | 'warning' | 'alarm'
  title: string
  text: string
}

/** A termination that takes longer than this is no longer normal (RunPod confirms within seconds; reports, 2026). */
export const RELEASE_SLOW_MS = 120_000
/** The same notice is not repeated sooner. */
const REPEAT_MS = 15 * 60_000
/** More than this in an hour helps nobody; alarms are never held back by it. */
const PER_HOUR_MAX = 30

/** Of an event that was just folded; null for what can wait until somebody looks. */
export function noticeOf(fleet: Fleet, event: Event): Notice | null {
  switch (event.type) {
    case 'run.closed': {
      const jobs = [...fleet.jobs.values()].filter(job => job.runId === event.runId)
      if (jobs.length === 0) return null
      const done = jobs.filter(job => job.status === 'completed').length
      const run = fleet.runs.get(event.runId)
      const spent = [...fleet.pods.values()]
        .filter(pod => pod.runId === event.runId)
        .reduce((sum, pod) => sum + podCost(pod, event.at), 0)
      const took = formatClock(event.at - (run?.openedAt ?? event.at))
      const level = event.status === 'completed' ? 'info' : 'warning'
      return {
        key: `run ${event.runId}`,
        level,
        title: `run ${event.status.replace('_', ' ')}`,
        text: `${done} of ${plural(jobs.length, 'job')} in ${took}, ${formatUsd(spent)}`,
      }
    }
    case 'job.failed':
      return {
        key: `job ${event.jobKey}`,
        level: 'warning',
        title: `${event.jobKey.split('/')[1]} failed`,
        text: event.fault.message,
      }
    case 'run.budget_step': {
      const cap = fleet.runs.get(event.runId)?.policy.costMax ?? 0
      const means = { 50: '', 80: '', 90: '; nothing new starts', 100: '; what the rest does not pay for is cut' }
      return {
        key: `budget ${event.runId} ${event.percent}`,
        level: event.percent < 90 ? 'info' : 'warning',
        title: event.percent < 100 ? `${event.percent} % of the money is spent` : 'the money is needed to end the pods',
        text: `${formatUsd(event.spent)} of ${formatLimit(cap)}${means[event.percent]}`,
      }
    }
    case 'attempt.stuck_warned':
      return {
        key: `stuck ${event.jobKey} ${event.attempt}`,
        level: 'warning',
        title: `${event.jobKey.split('/')[1]} may be stuck`,
        text: event.reason,
      }
    case 'pod.unguarded':
      return {
        key: `unguarded ${event.podId}`,
        level: 'warning',
        title: `${event.podId} would not end itself`,
        text: `if this machine fails, end ${fleet.pods.get(event.podId)?.name} by hand: ${event.fault.message}`,
      }
    case 'run.limit_reached':
      return {
        key: `limit ${event.runId}`,
        level: 'warning',
        title: `the ${event.limit} limit is reached`,
        text: `${event.runId} starts nothing new`,
      }
    case 'balance.fallen': {
      const means = { low: '', short: '; nothing new starts', out: '; what still runs is cut' }[event.level]
      return {
        key: `balance ${event.provider} ${event.level}`,
        level: event.level === 'low' ? 'warning' : 'alarm',
        title: `the balance at ${event.provider} is low`,
        text: `${formatUsd(event.micro)} last ${formatClock(event.runwayMs)}${means}. Add credit`,
      }
    }
    case 'operator.needed':
      return {
        key: `operator ${event.provider}`,
        level: 'alarm',
        title: `${event.provider} needs you`,
        text: [event.fault.message, event.fault.hint].filter(Boolean).join('. '),
      }
    default:
      return null
  }
}

/** Pods whose end is not proven in time; looked at now and then, because nothing happening is no event. */
export function slowReleases(fleet: Fleet, now: Millis): Notice[] {
  const notices: Notice[] = []
  for (const pod of fleet.pods.values()) {
    if (pod.status !== 'releasing' || pod.releaseAt === null || now - pod.releaseAt < RELEASE_SLOW_MS) continue
    const text = `asked to end ${formatClock(now - pod.releaseAt)} ago, not proven gone; ${formatUsd(pod.offer.perHour)}/h. End it in the provider's console: ${pod.name}`
    notices.push({ key: `release ${pod.id}`, level: 'alarm', title: `${pod.id} does not end`, text })
  }
  return notices
}

/** Lets a notice through unless it was told a moment ago or there were too many. */
export function createSieve(): (notice: Notice, now: Millis) => boolean {
  const told = new Map<string, Millis>()
  const recent: Millis[] = []
  return (notice, now) => {
    if (now - (told.get(notice.key) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return false
    while (recent.length > 0 && now - (recent[0] ?? now) > 3_600_000) recent.shift()
    if (notice.level !== 'alarm' && recent.length >= PER_HOUR_MAX) return false
    told.set(notice.key, now)
    recent.push(now)
    return true
  }
}
