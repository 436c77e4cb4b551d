// How many pods there should be: never more than the run allows, never more orders than jobs that would use them.
import type { Fact } from './event.ts'
import type { Fleet } from './fleet.ts'
import type { Job } from './job.ts'
import { chooseOffer, fits, type Need, needKey, needOf } from './placement.ts'
import { isUsable, mayBill, type Pod } from './pod.ts'
import type { Run } from './run.ts'
import type { Millis } from './units.ts'
import type { Plan, World } from './world.ts'

/** Pods for waiting jobs that no pod is free or on its way for. Asks for offers first, orders when they are fresh. */
export function orders(fleet: Fleet, now: Millis, world: World): Plan {
  const facts: Fact[] = []
  const needs = new Map<string, Need>()
  let number = fleet.pods.size
  for (const run of fleet.runs.values()) {
    if (run.status !== 'running' || fleet.providers.get(run.policy.provider)?.operator) continue
    const pods = [...fleet.pods.values()].filter(pod => pod.runId === run.id)
    // A pod on its way out may still bill: it holds its place until it is proven gone.
    let room = run.policy.podsMax - pods.filter(pod => mayBill(pod) && pod.status !== 'stopped').length
    let perHourLeft = (run.policy.perHourMax ?? Number.POSITIVE_INFINITY) - hourly(pods)
    const jobs = unserved(fleet, run, now)
    for (const job of jobs) {
      if (room <= 0) break
      const need = needOf(job.spec, run.policy)
      const known = world.offers.get(needKey(need))
      if (!known || now - known.at > world.limits.offersFreshMs) {
        needs.set(needKey(need), need)
        continue
      }
      const offer = chooseOffer(known.offers, fleet, perHourLeft, now, world.limits)
      if (!offer) continue
      number++
      room--
      perHourLeft -= offer.perHour
      const serial = String(number).padStart(4, '0')
      const name = `autopod-${world.home8}-${run.id.slice(-8)}-${serial}`
      facts.push({ type: 'pod.requested', podId: `pod-${serial}`, runId: run.id, name, offer })
    }
  }
  return { facts, needs: [...needs.values()] }
}

/** Due waiting jobs of the run that no usable pod without a job will take. */
function unserved(fleet: Fleet, run: Run, now: Millis): Job[] {
  const { free, left } = match(fleet, run, now)
  return free.length > 0 || left.length > 0 ? left : []
}

/** Usable pods of open runs that no waiting job will need. With `keep`, ready pods stay. */
export function surplus(fleet: Fleet, now: Millis): Pod[] {
  const found: Pod[] = []
  for (const run of fleet.runs.values()) {
    if (run.status !== 'running') continue
    const { free } = match(fleet, run, now)
    for (const pod of free) if (!(run.policy.keep && pod.status === 'ready')) found.push(pod)
  }
  return found
}

/** Greedy, jobs oldest first, ready pods before booting ones; what stays over on each side. */
function match(fleet: Fleet, run: Run, now: Millis): { free: Pod[]; left: Job[] } {
  const free = [...fleet.pods.values()].filter(
    pod => pod.runId === run.id && isUsable(pod) && !pod.jobKey && !pod.draining,
  )
  free.sort((a, b) => Number(b.status === 'ready') - Number(a.status === 'ready'))
  const left: Job[] = []
  // While a person is needed nothing new starts, so no pod is kept waiting for it on the meter.
  if (fleet.providers.get(run.policy.provider)?.operator) return { free, left }
  for (const job of fleet.jobs.values()) {
    if (job.runId !== run.id || job.status !== 'waiting' || job.cancelRequested) continue
    const at = free.findIndex(pod => fits(pod, needOf(job.spec, run.policy)))
    if (at >= 0) free.splice(at, 1)
    // A job in its backoff keeps a free pod from being released, but orders none.
    else if (job.dueAt <= now) left.push(job)
  }
  return { free, left }
}

function hourly(pods: Pod[]): number {
  let sum = 0
  for (const pod of pods) for (const meter of pod.meters) if (meter.to === null && mayBill(pod)) sum += meter.perHour
  return sum
}
