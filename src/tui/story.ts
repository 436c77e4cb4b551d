// Events as one line of plain words each: what the events panel and the details tell.

import type { BalanceLevel } from '../domain/account.ts'
import type { Event } from '../domain/event.ts'
import type { FaultData } from '../domain/fault.ts'
import type { BudgetStep } from '../domain/run.ts'
import type { Step } from '../domain/stuck.ts'
import { formatBytes, formatClock, formatUsd, plural } from '../domain/units.ts'
import { STAGE_WORDS } from './panels/pods.ts'
import type { Ink } from './style.ts'

export const STEP_WORDS: Record<Step, string> = {
  interrupt: 'is interrupted',
  free: 'leaves its memory',
  restart: 'has ComfyUI started anew',
  new_pod: 'goes to another pod',
}

export type Line = { text: string; ink: Ink }

export function tell(event: Event): Line {
  switch (event.type) {
    case 'engine.started':
      return plain(`engine ${event.version} started (pid ${event.pid})`)
    case 'engine.stopped':
      return plain('engine stopped')
    case 'run.opened':
      return plain(`run opened on ${event.policy.provider}, at most ${plural(event.policy.podsMax, 'pod')}`)
    case 'run.drain_requested':
      return wait('run: finish what runs, then terminate')
    case 'run.cancel_requested':
      return wait('run: terminate all')
    case 'run.budget_step':
      return event.percent < 80 ? wait(budgetWords(event.percent)) : bad(budgetWords(event.percent))
    case 'run.limit_reached':
      return bad(`run: limit of ${event.limit} reached`)
    case 'run.closed':
      return { text: `run over: ${event.status.replace('_', ' ')}`, ink: event.status === 'completed' ? 'good' : 'bad' }
    case 'job.queued':
      return plain(`${event.spec.jobId} queued`)
    case 'job.cancel_requested':
      return wait(`${job(event.jobKey)} to be cancelled`)
    case 'job.retry_requested':
      return wait(`${job(event.jobKey)} to be tried again`)
    case 'job.completed': {
      const bytes = event.published.reduce((sum, file) => sum + file.bytes, 0)
      const [first, ...more] = event.published
      const files = more.length > 0 ? plural(event.published.length, 'file') : (first?.path ?? first?.url ?? 'no file')
      return {
        text: `✓ ${job(event.jobKey)} done, ${files}, ${formatBytes(bytes)}`,
        ink: 'good',
      }
    }
    case 'job.failed':
      return bad(`✗ ${job(event.jobKey)} failed: ${words(event.fault)}`)
    case 'job.delayed':
      return wait(`${job(event.jobKey)}: ${event.why}`)
    case 'job.cancelled':
      return wait(`⊘ ${job(event.jobKey)} cancelled`)
    case 'pod.requested':
      return plain(`${event.podId} asked for: ${event.offer.gpuName} at ${formatUsd(event.offer.perHour)}/h`)
    case 'pod.found':
      return bad(`✗ ${event.podId} found as ${event.ref}: the provider made ${event.namesake} twice; it goes`)
    case 'pod.created':
      return plain(`${event.podId} created as ${event.ref}, ${formatUsd(event.perHour)}/h`)
    case 'pod.placed':
      return plain(`${event.podId} lies on host ${event.hostId}`)
    case 'pod.host_avoided':
      return wait(`${event.podId} goes back: its host failed a while ago`)
    case 'pod.refused':
      return bad(`✗ ${event.podId} refused: ${words(event.fault)}`)
    case 'pod.port_held':
      return plain(`${event.podId} gets local port ${event.localPort}`)
    case 'pod.stage_reached':
      return plain(`${event.podId} ${STAGE_WORDS[event.stage]}`)
    case 'pod.addressed':
      return plain(`${event.podId} is at ${event.address.host}:${event.address.port}`)
    case 'pod.host_key_pinned':
      return plain(`${event.podId} host key ${event.hostKey}`)
    case 'pod.ready':
      return { text: `${event.podId} ready`, ink: 'good' }
    case 'pod.link_lost':
      return bad(`? ${event.podId} lost contact: ${words(event.fault)}`)
    case 'pod.link_restored':
      return { text: `${event.podId} in contact again`, ink: 'good' }
    case 'pod.restart_requested':
      return bad(`▸ ${event.podId}: ComfyUI is started anew: ${event.reason}`)
    case 'pod.broken':
      return bad(`✗ ${event.podId} broken: ${words(event.fault)}`)
    case 'pod.guarded':
      return plain(`${event.podId} ends itself if nobody renews its lease`)
    case 'pod.unguarded':
      return bad(`✗ ${event.podId} would not end itself: ${words(event.fault)}`)
    case 'pod.farewell_read':
      return farewell(event)
    case 'pod.drain_requested':
      return wait(`${event.podId} to be drained`)
    case 'pod.stop_requested':
      return wait(`${event.podId} to be stopped`)
    case 'pod.stopped':
      return wait(`‖ ${event.podId} stopped, ${formatUsd(event.perHour)}/h`)
    case 'pod.start_requested':
      return wait(`${event.podId} to be started again`)
    case 'pod.release_requested':
      return wait(`⊘ ${event.podId} to be terminated: ${event.cause}`)
    case 'pod.release_accepted':
      return plain(`${event.podId} termination accepted`)
    case 'pod.gone':
      return plain(`${event.podId} proven gone`)
    case 'pod.billed':
      return plain(`${event.podId} billed: ${formatUsd(event.micro)}`)
    case 'attempt.requested':
      return plain(`${job(event.jobKey)} attempt ${event.attempt} given to ${event.podId}`)
    case 'attempt.started':
      return plain(`${job(event.jobKey)} attempt ${event.attempt} started`)
    case 'attempt.rendered':
      return plain(`${job(event.jobKey)} attempt ${event.attempt} rendered`)
    case 'artifact.stored':
      return plain(`${job(event.jobKey)} stored ${event.artifact.file}, ${formatBytes(event.artifact.bytes)}`)
    case 'attempt.succeeded':
      return plain(`${job(event.jobKey)} attempt ${event.attempt} succeeded`)
    case 'attempt.failed':
      return bad(`✗ ${job(event.jobKey)} attempt ${event.attempt} failed: ${words(event.fault)}`)
    case 'attempt.cancelled':
      return wait(`⊘ ${job(event.jobKey)} attempt ${event.attempt} cancelled`)
    case 'attempt.stuck_warned':
      return bad(`? ${job(event.jobKey)} stuck? ${event.reason}`)
    case 'attempt.stuck_cleared':
      return { text: `${job(event.jobKey)} shows signs of life again`, ink: 'good' }
    case 'attempt.stuck_step':
      return bad(`▸ ${job(event.jobKey)} ${STEP_WORDS[event.step]}: ${event.reason}`)
    case 'attempt.wait_requested':
      return wait(`${job(event.jobKey)} is given more time`)
    case 'listing.lost':
      return bad(`? ${event.provider} gives no complete list: ${words(event.fault)}`)
    case 'listing.found':
      return { text: `${event.provider} lists its pods again`, ink: 'good' }
    case 'operator.needed':
      return bad(`✗ ${event.provider} needs you: ${words(event.fault)}`)
    case 'operator.cleared':
      return { text: `${event.provider} works again`, ink: 'good' }
    case 'balance.fallen': {
      const text = `${event.provider}: the balance of ${formatUsd(event.micro)} lasts ${formatClock(event.runwayMs)}`
      return bad(`${text}${balanceWords(event.level)}`)
    }
    case 'balance.restored':
      return { text: `${event.provider}: the balance is ${formatUsd(event.micro)} again`, ink: 'good' }
  }
}

/** What a step of a run's money means for it. */
export function budgetWords(percent: BudgetStep): string {
  if (percent === 100) return 'run: the money that is left is needed to end its pods; what it does not pay for is cut'
  if (percent === 90) return 'run: 90 % of its money is spent, nothing new starts'
  return `run: ${percent} % of its money is spent`
}

/** What a balance that has become low means. */
export function balanceWords(level: BalanceLevel): string {
  return { low: '', short: '; nothing new starts', out: '; what still runs is cut' }[level]
}

function farewell({ podId, reason, adopted }: Extract<Event, { type: 'pod.farewell_read' }>): Line {
  const why = reason && { lease: 'nobody renewed its lease', deadline: 'it was at its deadline' }[reason]
  const outputs = adopted ? 'its outputs are in the bucket' : 'its job was not finished'
  if (why) return { text: `${podId} ended itself (${why}): ${outputs}`, ink: adopted ? 'wait' : 'bad' }
  return plain(adopted ? `the outputs of ${podId} were in the bucket already` : `${podId} left nothing in the bucket`)
}

/** It tells of this job, or of this pod. */
export function isAbout(event: Event, jobKey: string | null, podId: string | null): boolean {
  if (jobKey !== null && 'jobKey' in event && event.jobKey === jobKey) return true
  if (jobKey !== null && event.type === 'job.queued') return `${event.runId}/${event.spec.jobId}` === jobKey
  // What the pod does for other jobs is their story.
  if (jobKey !== null && 'jobKey' in event) return false
  return podId !== null && 'podId' in event && event.podId === podId
}

function job(key: string): string {
  return key.slice(key.indexOf('/') + 1)
}

function words(fault: FaultData): string {
  return fault.hint ? `${fault.message} (${fault.hint})` : fault.message
}

const plain = (text: string): Line => ({ text, ink: 'plain' })
const wait = (text: string): Line => ({ text, ink: 'wait' })
const bad = (text: string): Line => ({ text, ink: 'bad' })

/** `14:02:11` in the user's zone. */
export function clockTime(at: number, zoneMinutes: number): string {
  const minutes = Math.floor(at / 60_000) + zoneMinutes
  const two = (value: number) => String(value).padStart(2, '0')
  return `${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}:${two(Math.floor(at / 1000) % 60)}`
}
