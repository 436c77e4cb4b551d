// Listings: status, jobs, pods; as tables for people, as JSON for scripts.

import { runwayMs } from '../domain/account.ts'
import { allocate, hourlyRate, jobCost, runCost } from '../domain/cost.ts'
import type { Job } from '../domain/job.ts'
import { mayBill, type Pod, podCost } from '../domain/pod.ts'
import { formatClock, formatUsd, plural, usdFromMicro } from '../domain/units.ts'
import { systemClock } from '../edge/clock.ts'
import type { PodRow } from '../ports.ts'
import { lasting } from '../tui/panels/header.ts'
import { isAbout, tell } from '../tui/story.ts'
import type { Invocation } from './args.ts'
import { providersOf } from './compose.ts'
import { EXIT } from './exit.ts'
import { findJob } from './find.ts'
import { type Follow, view } from './follow.ts'
import { homeToSee } from './home.ts'
import { isMarked, listedPods } from './marked.ts'
import { resultOf } from './report.ts'
import { clean, table } from './table.ts'

export async function status({ flags, words }: Invocation): Promise<number> {
  const home = homeToSee(flags)
  return looking(view(home), follow => {
    const { fleet } = follow
    const now = systemClock.now()
    const [word] = words
    if (word) return oneJob(follow, findJob(fleet, word), flags.on('json'))
    const balance = follow.gauges().balance
    const runway = balance && runwayMs(balance.micro, hourlyRate(fleet, now))
    const runs = [...fleet.runs.values()]
    if (flags.on('json'))
      return print({
        version: 1,
        engine: follow.alive(),
        spent_usd: usdFromMicro(runCost(fleet, null, now)),
        usd_per_hour: usdFromMicro(hourlyRate(fleet, now)),
        balance_usd: balance && usdFromMicro(balance.micro),
        runway_s: runway === null ? null : Math.floor(runway / 1000),
        runs: runs.map(run => resultOf(fleet, run, now, home.cwd)),
      })
    const rows = runs.slice(-10).map(run => {
      const jobs = [...fleet.jobs.values()].filter(job => job.runId === run.id)
      const done = jobs.filter(job => job.status === 'completed').length
      return [
        run.id,
        run.status,
        `${done}/${jobs.length}`,
        formatClock((run.closedAt ?? now) - run.openedAt),
        formatUsd(runCost(fleet, run.id, now)),
      ]
    })
    const live = [...fleet.pods.values()].filter(mayBill)
    const lines = [table(['RUN', 'STATUS', 'JOBS', 'TIME', 'COST'], rows)]
    lines.push(
      `${plural(live.length, 'pod')}, ${formatUsd(hourlyRate(fleet, now))}/h; engine ${follow.alive() ? 'at work' : 'not running'}`,
    )
    if (live.length > 0 && !follow.alive())
      lines.push('Pods may be billed and nobody looks after them: autopod kill --all ends them.')
    if (balance && runway !== null) lines.push(`balance ${formatUsd(balance.micro)}, lasts ${lasting(runway)} at that`)
    for (const [name, provider] of fleet.providers) {
      if (provider.listingLostAt !== null)
        lines.push(
          `${name}: unknown which pods there are since ${new Date(provider.listingLostAt).toLocaleTimeString()}`,
        )
      if (provider.operator) lines.push(clean(`${name} needs you: ${provider.operator.message}`))
    }
    return `${lines.join('\n')}\n`
  })
}

export async function jobs({ flags }: Invocation): Promise<number> {
  return looking(view(homeToSee(flags)), follow => {
    const now = systemClock.now()
    const allocation = allocate(follow.fleet)
    const all = [...follow.fleet.jobs.values()]
    if (flags.on('json'))
      return print(
        all.map(job => ({
          job_id: job.spec.jobId,
          run_id: job.runId,
          status: job.status,
          attempts: job.attempts.length,
          pod: job.attempts.at(-1)?.podId ?? null,
          progress: job.status === 'completed' ? 1 : (follow.gauges().jobs.get(job.key)?.fraction ?? null),
          cost_usd: usdFromMicro(jobCost(follow.fleet, job, now, allocation)),
          error: job.fault,
        })),
      )
    const rows = all.map(job => [
      job.spec.jobId,
      job.runId,
      job.status,
      progress(follow, job),
      job.attempts.at(-1)?.podId ?? '–',
      formatUsd(jobCost(follow.fleet, job, now, allocation)),
      job.status === 'completed' ? '' : (job.fault?.message ?? ''),
    ])
    return `${table(['JOB', 'RUN', 'STATUS', 'PROGRESS', 'POD', 'COST', 'FAULT'], rows)}\n`
  })
}

export async function pods({ flags }: Invocation): Promise<number> {
  const home = homeToSee(flags)
  const account: PodRow[] = []
  if (flags.on('all')) for (const provider of await providersOf(home)) account.push(...(await listedPods(provider)))
  return looking(view(home), follow => {
    const now = systemClock.now()
    const ours = [...follow.fleet.pods.values()].filter(pod => pod.status !== 'refused')
    const refs = new Set(ours.map(pod => pod.ref))
    const others = account.filter(row => !refs.has(row.ref))
    if (flags.on('json')) {
      const own = ours.map(pod => ({
        id: pod.id,
        pod_id: pod.ref,
        name: pod.name,
        provider: pod.provider,
        status: pod.status,
        gpu_type: pod.offer.gpuType,
        gpu_count: pod.offer.gpuCount,
        local_port: pod.localPort,
        price_usd_per_hour: usdFromMicro(pod.offer.perHour),
        cost_usd: usdFromMicro(podCost(pod, now)),
        foreign: false,
      }))
      const rest = others.map(row => ({
        id: null,
        pod_id: row.ref,
        name: row.name,
        provider: home.provider,
        status: row.status,
        gpu_type: row.gpuType,
        gpu_count: row.gpuCount,
        local_port: null,
        price_usd_per_hour: usdFromMicro(row.perHour),
        cost_usd: null,
        foreign: !isMarked(home, row),
      }))
      return print([...own, ...rest])
    }
    const rows = ours.map(pod => podRow(follow, pod, now))
    for (const row of others) {
      // Ours by its name, and on no books: what reap ends.
      const whose = isMarked(home, row) ? 'lost' : 'foreign'
      rows.push([whose, row.ref, row.status, row.gpuType ?? '–', '', '', '', formatUsd(row.perHour), '', row.name])
    }
    return `${table(['POD', 'PROVIDER ID', 'STATUS', 'GPU', 'GPU %', 'VRAM', 'PORT', '$/H', 'COST', 'JOB'], rows)}\n`
  })
}

function podRow(follow: Follow, pod: Pod, now: number): string[] {
  const gauge = mayBill(pod) ? follow.gauges().pods.get(pod.id) : undefined
  const gpu =
    gauge && gauge.vramTotalMiB > 0
      ? [
          `${Math.round(gauge.gpuUtil)} %`,
          `${(gauge.vramUsedMiB / 1024).toFixed(0)}/${(gauge.vramTotalMiB / 1024).toFixed(0)} GB`,
        ]
      : ['–', '–']
  const job = pod.jobKey ? follow.fleet.jobs.get(pod.jobKey)?.spec.jobId : undefined
  return [
    pod.id,
    pod.ref ?? '–',
    pod.status === 'booting' ? `booting (${pod.stage ?? 'ordered'})` : pod.status,
    `${pod.offer.gpuCount} × ${pod.offer.gpuName}`,
    ...gpu,
    pod.localPort ? String(pod.localPort) : '–',
    formatUsd(pod.offer.perHour),
    formatUsd(podCost(pod, now)),
    job ?? pod.broken?.message ?? '',
  ]
}

function oneJob(follow: Follow, job: Job, json: boolean): string {
  if (json) return print(job)
  const { fleet } = follow
  const lines = [
    `${job.spec.jobId}  ${job.status}  ${progress(follow, job)}  ${formatUsd(jobCost(fleet, job, systemClock.now()))}`,
    `from ${job.spec.source}, template ${job.spec.template}`,
  ]
  for (const attempt of job.attempts) {
    const pod = fleet.pods.get(attempt.podId)
    lines.push(
      `attempt ${attempt.number} on ${attempt.podId} (${pod?.ref ?? '?'}, port ${pod?.localPort ?? '–'}): ${attempt.status}${attempt.fault ? `: ${attempt.fault.message}` : ''}`,
    )
  }
  for (const file of job.published)
    lines.push(`${file.name}: ${file.path ?? file.url} (${file.bytes} bytes, sha256 ${file.sha256})`)
  if (job.fault && job.status !== 'completed')
    lines.push(`fault: ${job.fault.message}${job.fault.hint ? `\n→ ${job.fault.hint}` : ''}`)
  for (const event of fleet.recent) {
    if (isAbout(event, job.key, null))
      lines.push(`${new Date(event.at).toLocaleTimeString('en-GB')} ${tell(event).text}`)
  }
  return `${lines.map(clean).join('\n')}\n`
}

function progress(follow: Follow, job: Job): string {
  if (job.status !== 'running') return ''
  const gauge = follow.gauges().jobs.get(job.key)
  if (!gauge || gauge.attempt !== job.attempts.at(-1)?.number) return 'begins'
  return gauge.fraction === null ? gauge.phase : `${Math.floor(gauge.fraction * 100)} %`
}

function print(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

async function looking(follow: Follow, show: (follow: Follow) => string): Promise<number> {
  try {
    process.stdout.write(show(follow))
    return EXIT.ok
  } finally {
    await follow.close()
  }
}
