// How many pods there should be: never more than the run allows, never more orders than jobs that would use them.
import { standstill } from './account.ts'
import { openPurse, ownCapPays, type Purse } from './admission.ts'
import { hourlyCapReached, ownCapReached } from './budget.ts'
import { openJobs, openRuns, podsOf } from './census.ts'
import type { Fact } from './event.ts'
import type { Fleet } from './fleet.ts'
import type { Job } from './job.ts'
import { cheapest, chooseOffer, fits, type Need, needKey, needOf } from './placement.ts'
import { isUsable, mayBill, type Offer, type Pod } from './pod.ts'
import type { Run } from './run.ts'
import { formatLimit, formatUsd, type Micro, type Millis } from './units.ts'
import type { Plan, World } from './world.ts'

/** Pods for waiting jobs that no pod is free or on its way for. Asks for offers first, orders when they are fresh. */
export function orders(fleet: Fleet, now: Millis, world: World): Plan {
  const facts: Fact[] = []
  const needs = new Map<string, Need>()
  let number = fleet.pods.size
  for (const run of openRuns(fleet)) {
    if (standstill(fleet, run.policy.provider)) continue
    const pods = podsOf(fleet, run)
    // A pod on its way out may still bill: it holds its place until it is proven gone.
    let room = run.policy.podsMax - pods.filter(pod => mayBill(pod) && pod.status !== 'stopped').length
    if (room <= 0 || !openJobs(fleet).some(job => job.runId === run.id && job.status === 'waiting')) continue
    let perHourLeft = (run.policy.perHourMax ?? Number.POSITIVE_INFINITY) - hourly(pods)
    const { left: jobs, purse } = match(fleet, run, unused(pods), now, world)
    let isShort = false
    let isBare = !pods.some(pod => mayBill(pod) && pod.status !== 'stopped')
    for (const job of jobs) {
      if (room <= 0) break
      const need = needOf(job.spec, run.policy, job.vramGbAbove)
      const known = world.offers.get(needKey(need))
      if (!known || now - known.at > world.limits.offersFreshMs) {
        needs.set(needKey(need), need)
        continue
      }
      const least = cheapest(known.offers, fleet, now)
      if (isBare && least !== null && least > (run.policy.perHourMax ?? least)) {
        // However long it waits: each offer alone is above the limit.
        facts.push({ type: 'job.failed', jobKey: job.key, fault: hourlyCapReached(run, need, least) })
        continue
      }
      const choose = (pays: (offer: Offer) => boolean) =>
        chooseOffer(known.offers, fleet, perHourLeft, now, world.limits, pays)
      const offer = choose(place => purse.takePod(job, place))
      if (!offer) {
        if (!isBare || !choose(() => true)) continue
        if (!choose(place => ownCapPays(fleet, job, place, now, world.limits)))
          facts.push({ type: 'job.failed', jobKey: job.key, fault: ownCapReached(job) })
        else isShort = true
        continue
      }
      isBare = false
      number++
      room--
      perHourLeft -= offer.perHour
      const serial = String(number).padStart(4, '0')
      const name = `autopod-${world.home8}-${run.id.slice(-8)}-${serial}`
      facts.push({ type: 'pod.requested', podId: `pod-${serial}`, runId: run.id, name, offer })
    }
    // Only money is missing, and nothing under way will leave any.
    if (isBare && isShort && needs.size === 0) facts.push({ type: 'run.limit_reached', runId: run.id, limit: 'cost' })
  }
  return { facts, needs: [...needs.values()] }
}

/** Usable pods of open runs that no waiting job will need. With `keep`, ready pods stay while there is money for what waits. */
export function surplus(fleet: Fleet, now: Millis, world: World): Pod[] {
  const found: Pod[] = []
  for (const run of openRuns(fleet)) {
    const idle = unused(podsOf(fleet, run))
    if (idle.length === 0) continue
    const { free, left, isShort } = match(fleet, run, idle, now, world)
    const pods = podsOf(fleet, run).filter(pod => mayBill(pod) && pod.status !== 'stopped')
    // A kept pod that takes the only place keeps it from the pod that a job waits for.
    const isInTheWay = left.length > 0 && pods.length >= run.policy.podsMax
    const keep = run.policy.keep && !isShort && !isInTheWay && run.limitReached === null
    for (const pod of free) if (!(keep && pod.status === 'ready')) found.push(pod)
  }
  return found
}

/** Pods that turned out dearer than they were offered, newest first, until the rest keeps the limit for the hour. */
export function priceLimits(fleet: Fleet): Fact[] {
  const facts: Fact[] = []
  for (const run of openRuns(fleet)) {
    const { perHourMax } = run.policy
    if (perHourMax === null) continue
    const pods = podsOf(fleet, run).filter(pod => pod.status !== 'releasing')
    let sum = hourly(pods)
    for (const pod of pods.reverse()) {
      if (sum <= perHourMax) break
      // Only its creation can have told a new price; what was started again by hand is somebody's will.
      if (pod.status !== 'booting' || pod.readyAt !== null || pod.createdAt === null) continue
      sum -= pod.offer.perHour
      const cause = `with ${formatUsd(pod.offer.perHour)}/h the limit of ${formatLimit(perHourMax)}/h is passed`
      facts.push({ type: 'pod.release_requested', podId: pod.id, cause })
    }
  }
  return facts
}

/** What the run's pods take an hour, where its limit leaves no room for another one like the cheapest of them; null where there is room. */
export function hourlyFull(fleet: Fleet, run: Run): { taken: Micro; max: Micro } | null {
  const { perHourMax: max } = run.policy
  const pods = podsOf(fleet, run).filter(pod => mayBill(pod) && pod.status !== 'stopped')
  if (max === null || pods.length === 0) return null
  const taken = hourly(podsOf(fleet, run))
  return taken + Math.min(...pods.map(pod => pod.offer.perHour)) > max ? { taken, max } : null
}

type Matched = {
  /** Usable pods that no waiting job will take. */
  free: Pod[]
  /** Due waiting jobs that no pod is there or on its way for. */
  left: Job[]
  /** The run's money after what was matched. */
  purse: Purse
  /** A pod is free only because there is no money for the job that would take it. */
  isShort: boolean
}

function unused(pods: readonly Pod[]): Pod[] {
  return pods.filter(pod => isUsable(pod) && !pod.jobKey && !pod.draining)
}

/** Greedy, jobs oldest first, ready pods before booting ones; what stays over on each side. */
function match(fleet: Fleet, run: Run, pods: readonly Pod[], now: Millis, world: World): Matched {
  const free = pods.toSorted((a, b) => Number(b.status === 'ready') - Number(a.status === 'ready'))
  const left: Job[] = []
  const purse = openPurse(fleet, run, now, world.limits)
  let isShort = false
  // While a person is needed nothing new starts, so no pod is kept waiting for it on the meter.
  if (standstill(fleet, run.policy.provider)) return { free, left, purse, isShort }
  const place = (job: Job) => {
    if (free.length === 0) return -1
    const need = needOf(job.spec, run.policy, job.vramGbAbove)
    return free.findIndex(pod => {
      if (!fits(pod, need)) return false
      const pays = purse.takeJob(job, pod)
      if (!pays) isShort = true
      return pays
    })
  }
  for (const job of openJobs(fleet)) {
    if (job.runId !== run.id || job.status !== 'waiting' || job.cancelRequested) continue
    const at = place(job)
    if (at >= 0) free.splice(at, 1)
    // A job in its backoff keeps a free pod from being released, but orders none.
    else if (job.dueAt <= now) left.push(job)
  }
  return { free, left, purse, isShort }
}

function hourly(pods: readonly Pod[]): number {
  let sum = 0
  for (const pod of pods) for (const meter of pod.meters) if (meter.to === null && mayBill(pod)) sum += meter.perHour
  return sum
}
