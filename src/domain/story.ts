// Events in plain words: one line each, for progress lines and logs. Silent where there is nothing a person would want to read.
import type { Event } from './event.ts'
import { formatBytes, formatUsd } from './units.ts'

const STAGE_WORDS = {
  placed: 'placed on a machine',
  address: 'has an address',
  ssh: 'SSH answers',
  gpu: 'GPU seen',
  comfy: 'ComfyUI answers',
}

/** null: not worth a line. */
export function storyOf(event: Event): string | null {
  switch (event.type) {
    case 'run.opened':
      return `${event.runId} opened`
    case 'run.closed':
      return `${event.runId} ${event.status.replace('_', ' ')}`
    case 'run.drain_requested':
      return 'draining: what runs is finished, nothing new starts'
    case 'run.cancel_requested':
      return 'cancelled: everything is ended now'
    case 'run.limit_reached':
      return `the run's ${event.limit} limit is reached`
    case 'job.queued':
      return `${event.spec.jobId} waiting`
    case 'job.completed':
      return `${nameOf(event.jobKey)} completed: ${event.published.map(file => `${file.path ?? file.url} (${formatBytes(file.bytes)})`).join(', ')}`
    case 'job.failed':
      return `${nameOf(event.jobKey)} failed: ${event.fault.message}${event.fault.hint ? `. ${event.fault.hint}` : ''}`
    case 'job.delayed':
      return `${nameOf(event.jobKey)}: ${event.why}`
    case 'job.cancelled':
      return `${nameOf(event.jobKey)} cancelled`
    case 'job.retry_requested':
      return `${nameOf(event.jobKey)} is tried again`
    case 'pod.requested':
      return `${event.podId} ordered: ${event.offer.gpuCount} × ${event.offer.gpuName} at ${formatUsd(event.offer.perHour)}/h (${event.name})`
    case 'pod.created':
      return `${event.podId} made by the provider as ${event.ref}`
    case 'pod.refused':
      return `${event.podId} not to be had: ${event.fault.message}`
    case 'pod.port_held':
      return `${event.podId} on http://127.0.0.1:${event.localPort}`
    case 'pod.stage_reached':
      return `${event.podId} ${STAGE_WORDS[event.stage]}`
    case 'pod.ready':
      return `${event.podId} ready`
    case 'pod.link_lost':
      return `${event.podId} link lost: ${event.fault.message}`
    case 'pod.link_restored':
      return `${event.podId} link restored`
    case 'pod.broken':
      return `${event.podId} broken: ${event.fault.message}`
    case 'pod.stop_requested':
      return `${event.podId} is being stopped`
    case 'pod.stopped':
      return `${event.podId} stopped`
    case 'pod.start_requested':
      return `${event.podId} is being started again`
    case 'pod.drain_requested':
      return `${event.podId} takes no new job`
    case 'pod.release_requested':
      return `${event.podId} is being terminated: ${event.cause}`
    case 'pod.gone':
      return `${event.podId} proven gone`
    case 'attempt.requested':
      return `${nameOf(event.jobKey)} attempt ${event.attempt} on ${event.podId}`
    case 'attempt.started':
      return `${nameOf(event.jobKey)} submitted`
    case 'artifact.stored':
      return `${nameOf(event.jobKey)} stored ${event.artifact.file} (${formatBytes(event.artifact.bytes)})`
    case 'attempt.failed':
      return `${nameOf(event.jobKey)} attempt ${event.attempt} failed: ${event.fault.message}`
    case 'attempt.cancelled':
      return `${nameOf(event.jobKey)} attempt ${event.attempt} stopped`
    case 'listing.lost':
      return `${event.provider} does not tell which pods there are: ${event.fault.message}`
    case 'listing.found':
      return `${event.provider} tells again which pods there are`
    case 'operator.needed':
      return `${event.provider} needs you: ${event.fault.message}${event.fault.hint ? `. ${event.fault.hint}` : ''}`
    case 'engine.started':
    case 'engine.stopped':
    case 'operator.cleared':
    case 'pod.addressed':
    case 'pod.host_key_pinned':
    case 'pod.release_accepted':
    case 'attempt.succeeded':
    case 'job.cancel_requested':
      return null
  }
}

function nameOf(jobKey: string): string {
  return jobKey.slice(jobKey.indexOf('/') + 1)
}
