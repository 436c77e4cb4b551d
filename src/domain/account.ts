// The account's balance: how long it lasts, and what follows when that is not long. Providers stop every pod at zero (RunPod) and pods lose
// their disks then, so all is finished and put away before. Only a step down is a fact; the figure itself is a gauge.
import type { Fact } from './event.ts'
import type { FaultData } from './fault.ts'
import type { Fleet } from './fleet.ts'
import { liveAttempt } from './job.ts'
import type { Limits } from './limits.ts'
import { mayBill } from './pod.ts'
import { formatUsd, type Micro, type Millis } from './units.ts'

/** low: told · short: nothing new starts, what runs is finished · out: what still runs is cut, its pods are ended. */
export type BalanceLevel = 'low' | 'short' | 'out'

const LEVELS: readonly BalanceLevel[] = ['low', 'short', 'out']

/** How long `micro` lasts at `perHour`; null while nothing is billed. Others may spend from the same account. */
export function runwayMs(micro: Micro, perHour: Micro): number | null {
  return perHour > 0 ? Math.max(0, Math.floor((micro / perHour) * 3_600_000)) : null
}

/** What a balance that was just told changes. A level is left only when money came in: fewer pods make it last, but not grow. */
export function balanceSteps(fleet: Fleet, provider: string, micro: Micro, now: Millis, limits: Limits): Fact[] {
  let perHour = 0
  for (const pod of fleet.pods.values())
    if (pod.provider === provider && mayBill(pod))
      for (const meter of pod.meters) if (meter.to === null && meter.from <= now) perHour += meter.perHour
  const runway = runwayMs(micro, perHour) ?? Number.POSITIVE_INFINITY
  const bounds = { low: limits.runwayLowMs, short: limits.runwayShortMs, out: limits.runwayOutMs }
  const level = LEVELS.findLast(name => runway < bounds[name]) ?? null
  const known = fleet.providers.get(provider)?.balance ?? null
  const fell = (level === null ? -1 : LEVELS.indexOf(level)) - (known === null ? -1 : LEVELS.indexOf(known.level))
  if (fell === 0 || (fell < 0 && micro <= (known?.micro ?? 0))) return []
  return level === null
    ? [{ type: 'balance.restored', provider, micro }]
    : [{ type: 'balance.fallen', provider, level, micro, runwayMs: runway }]
}

/** Why nothing new starts at the provider: a person is needed, or the balance does not last; null as a rule. */
export function standstill(fleet: Fleet, provider: string): FaultData | null {
  const state = fleet.providers.get(provider)
  if (state?.operator) return state.operator
  if (!state?.balance || state.balance.level === 'low') return null
  const message = `the balance at ${provider} is down to ${formatUsd(state.balance.micro)}`
  return { kind: 'operator', code: 'balance_low', message, hint: `Add credit at ${provider} and start again.` }
}

/** What is not done when the balance is all but gone would be lost with its pod: it ends while outputs elsewhere can be brought home. */
export function drainAccount(fleet: Fleet): Fact[] {
  const facts: Fact[] = []
  for (const pod of fleet.pods.values()) {
    if (fleet.providers.get(pod.provider)?.balance?.level !== 'out') continue
    if (!mayBill(pod) || pod.status === 'releasing' || pod.status === 'stopped') continue
    const job = pod.jobKey ? fleet.jobs.get(pod.jobKey) : undefined
    const attempt = job && liveAttempt(job)
    const fault = standstill(fleet, pod.provider)
    if (attempt && fault) facts.push({ type: 'attempt.failed', jobKey: job.key, attempt: attempt.number, fault })
    facts.push({ type: 'pod.release_requested', podId: pod.id, cause: 'the balance is all but gone' })
  }
  return facts
}
