// The fold's part on pods: their states and their meters.
import type { Event } from './event.ts'
import type { Fleet } from './fleet.ts'
import { learnHost } from './hosts.ts'
import { assert, podOf } from './lookup.ts'
import { learnBoot, learnRelease } from './pace.ts'
import { mayBill, type Offer, type Pod } from './pod.ts'
import type { Micro, Millis } from './units.ts'

export function applyToPod(fleet: Fleet, event: Event): void {
  if (event.type === 'pod.requested') {
    assert(!fleet.pods.has(event.podId), `pod ${event.podId} requested twice`)
    assert(fleet.runs.has(event.runId), `pod ${event.podId} of an unknown run`)
    fleet.pods.set(event.podId, newPod(event))
    return
  }
  if (event.type === 'pod.found') {
    assert(!fleet.pods.has(event.podId), `pod ${event.podId} found twice`)
    const { runId, name, offer } = podOf(fleet, event.namesake)
    const asked = { podId: event.podId, runId, name, offer: { ...offer, perHour: event.perHour }, at: event.since }
    const cause = `the provider made ${event.namesake} twice`
    const { ref, since: createdAt } = event
    const found = { status: 'releasing', ref, createdAt, releaseAt: event.at, releaseCause: cause } as const
    fleet.pods.set(event.podId, { ...newPod(asked), ...found })
    return
  }
  if (!('podId' in event)) throw new Error(`bug: ${event.type} is no event of a pod`)
  const pod = podOf(fleet, event.podId)
  switch (event.type) {
    case 'pod.created':
      assert(pod.status === 'requested' || pod.status === 'releasing', `${pod.id} created while ${pod.status}`)
      Object.assign(pod, {
        ref: event.ref,
        createdAt: event.at,
        status: pod.status === 'requested' ? 'booting' : 'releasing',
      })
      setPrice(pod, event.perHour, event.at, true)
      return
    case 'pod.refused':
      assert(pod.ref === null && mayBill(pod), `${pod.id} refused while ${pod.status}`)
      Object.assign(pod, { status: 'refused', broken: event.fault, goneAt: event.at, meters: [] })
      return
    case 'pod.placed':
      pod.hostId = event.hostId
      learnHost(fleet, pod, event.at)
      return
    case 'pod.host_avoided':
      pod.hostAvoided = true
      return
    case 'pod.port_held':
      pod.localPort = event.localPort
      return
    case 'pod.stage_reached':
      pod.stage = event.stage
      return
    case 'pod.addressed':
      pod.address = event.address
      return
    case 'pod.host_key_pinned':
      pod.hostKey = event.hostKey
      return
    case 'pod.ready':
      learnBoot(fleet, pod, event.at)
      assert(pod.status === 'booting', `${pod.id} ready while ${pod.status}`)
      Object.assign(pod, { status: 'ready', readyAt: pod.readyAt ?? event.at, idleSince: event.at, linkLostAt: null })
      return
    case 'pod.link_lost':
      pod.linkLostAt ??= event.at
      return
    case 'pod.link_restored':
      pod.linkLostAt = null
      return
    case 'pod.restart_requested':
      pod.restarts++
      return
    case 'pod.broken':
      pod.broken ??= event.fault
      learnHost(fleet, pod, event.at)
      return
    case 'pod.guarded':
      pod.guarded = true
      return
    case 'pod.unguarded':
      pod.guarded = false
      return
    case 'pod.farewell_read':
      pod.farewell = event.reason ?? 'none'
      return
    case 'pod.drain_requested':
      pod.draining = true
      return
    case 'pod.stop_requested':
      if (pod.status === 'ready' || pod.status === 'booting') pod.status = 'stopping'
      return
    case 'pod.stopped':
      assert(pod.status === 'stopping', `${pod.id} stopped while ${pod.status}`)
      Object.assign(pod, { status: 'stopped', stage: null, address: null, hostKey: null })
      setPrice(pod, event.perHour, event.at, false)
      return
    case 'pod.start_requested':
      if (pod.status === 'stopped') {
        Object.assign(pod, { status: 'booting', broken: null, guarded: null, farewell: null })
        setPrice(pod, pod.offer.perHour, event.at, false)
      }
      return
    case 'pod.release_requested':
      if (mayBill(pod) && pod.status !== 'releasing')
        Object.assign(pod, { status: 'releasing', releaseCause: event.cause, releaseAt: event.at })
      return
    case 'pod.release_accepted':
      pod.releaseAcceptedAt ??= event.at
      return
    case 'pod.gone':
      assert(mayBill(pod), `${pod.id} gone while ${pod.status}`)
      Object.assign(pod, { status: 'gone', goneAt: event.at })
      learnRelease(fleet, pod, event.at)
      closeMeters(pod, event.billedUntil)
      return
    case 'pod.billed':
      pod.billed = event.micro
      return
  }
}

function newPod(event: { podId: string; runId: string; name: string; offer: Offer; at: Millis }): Pod {
  return {
    id: event.podId,
    runId: event.runId,
    name: event.name,
    provider: event.offer.provider,
    offer: event.offer,
    status: 'requested',
    ref: null,
    hostId: null,
    hostAvoided: false,
    stage: null,
    address: null,
    hostKey: null,
    localPort: null,
    jobKey: null,
    finished: 0,
    restarts: 0,
    draining: false,
    broken: null,
    guarded: null,
    farewell: null,
    releaseCause: null,
    releaseAcceptedAt: null,
    requestedAt: event.at,
    createdAt: null,
    readyAt: null,
    idleSince: null,
    releaseAt: null,
    goneAt: null,
    linkLostAt: null,
    // The meter runs from the request: whoever waits for proof before counting, counts too little.
    billed: null,
    meters: [{ from: event.at, to: null, perHour: event.offer.perHour }],
  }
}

/** A new price from `at` on; with `whole`, the running stretch is repriced from its start (the provider's own figure is known now). */
function setPrice(pod: Pod, perHour: Micro, at: Millis, whole: boolean): void {
  const open = pod.meters.at(-1)
  if (whole && open) open.perHour = perHour
  else {
    if (open) open.to ??= at
    pod.meters.push({ from: at, to: null, perHour })
  }
  if (whole) pod.offer = { ...pod.offer, perHour }
}

function closeMeters(pod: Pod, until: Millis): void {
  for (const meter of pod.meters) meter.to = Math.max(meter.from, Math.min(meter.to ?? until, until))
}
