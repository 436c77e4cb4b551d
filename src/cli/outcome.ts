// What a run came to: its result on standard output, what may still cost money on the other one, and the exit code.
import { relative } from 'node:path'
import { mayBill } from '../domain/pod.ts'
import { podsOfRun } from '../domain/review.ts'
import type { Run } from '../domain/run.ts'
import { formatUsd } from '../domain/units.ts'
import { systemClock } from '../edge/clock.ts'
import { EXIT } from './exit.ts'
import type { Follow } from './follow.ts'
import type { Home } from './home.ts'
import { lostPods } from './marked.ts'
import { summary } from './plain.ts'
import { exitCodeOf, isKept, resultOf } from './report.ts'

/** Answers with the exit code. */
export async function tellOutcome(
  follow: Follow,
  home: Home,
  run: Run,
  as: 'document' | 'line' | 'words' | 'nothing',
  isInterrupted: boolean,
): Promise<number> {
  const { fleet } = follow
  const now = systemClock.now()
  const pods = podsOfRun(fleet, run)
  const left = pods.filter(mayBill)
  const isBilling = left.some(pod => !isKept(pod, run))
  const code = isInterrupted && run.status !== 'completed' && !isBilling ? EXIT.interrupted : exitCodeOf(fleet, run)
  if (as === 'document' || as === 'line') {
    const document = resultOf(fleet, run, now, home.cwd)
    process.stdout.write(`${JSON.stringify(document, null, as === 'line' ? 0 : 2)}\n`)
  }
  if (as === 'words') {
    process.stdout.write(summary(fleet, run, now, home.cwd))
    const page = run.status === 'running' ? null : await follow.report(run.id)
    if (page) process.stdout.write(`report: ${relative(home.cwd, page) || page}\n`)
  }
  for (const pod of left) {
    const line = isKept(pod, run)
      ? `kept: ${pod.name}, ${formatUsd(pod.offer.perHour)}/h until autopod kill ${pod.id}`
      : `may still be billed: ${pod.name}; end it with autopod kill ${pod.id}`
    process.stderr.write(`${line}\n`)
  }
  const lost = pods.length > 0 && left.length === 0 ? ((await lostPods(home, fleet)) ?? []) : []
  for (const line of lost) process.stderr.write(`${line}\n`)
  return lost.length > 0 ? EXIT.billing : code
}
