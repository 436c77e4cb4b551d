// The tables and pictures of the report: numbers to the right, what failed first, each sum below its column.
import { isSettled, type Job } from '../domain/job.ts'
import { billedMs, podCost } from '../domain/pod.ts'
import type { Review } from '../domain/review.ts'
import { formatBytes, formatClock, formatShare, formatUsd, plural } from '../domain/units.ts'
import { figure, type Html, html } from './html.ts'
import type { PageOptions } from './page.ts'
import { percent } from './timeline.ts'

/** Once a page: every drawing on it may refer to it. */
const HATCH = html`<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"><path d="M-1 7 7-1M-4 4 4-4M2 10 10 2"/></pattern></defs>`

/** Of a job with many files the first ones tell where the others lie. */
const FILES_MAX = 3

/** Above it the pictures are set smaller. */
export const SHOTS_LARGE_MAX = 48

const STATES: Record<Job['status'], { text: string; ink: string; rank: number }> = {
  failed: { text: '✗ failed', ink: 'bad', rank: 0 },
  cancelled: { text: '⊘ cancelled', ink: 'wait', rank: 1 },
  running: { text: '⟳ running', ink: 'wait', rank: 2 },
  waiting: { text: '⋯ not run', ink: 'wait', rank: 3 },
  completed: { text: '✓ done', ink: 'good', rank: 4 },
}

function money(micro: number): Html {
  return html`<td class="n">${figure(micro, formatUsd(micro))}</td>`
}

export function moneyTable({ causes, total }: Review): Html {
  let from = 0
  const bars = causes.map(({ cause, sense, micro }) => {
    const width = total > 0 ? micro / total : 0
    const place = html`x="${percent(from)}" width="${percent(width)}" height="26"`
    from += width
    return html`<g><title>${`${cause} ${formatUsd(micro)}`}</title><rect class="${cause}" ${place}/>${sense === 'waste' ? html`<rect class="hatched" ${place}/>` : null}</g>`
  })
  const rows = causes.map(
    ({ cause, sense, ms, micro }) =>
      html`<tr><th scope="row"><span class="swatch ${cause}"></span>${cause}</th><td class="s dim">${sense}</td><td class="n">${formatClock(ms)}</td>${money(micro)}<td class="n">${formatShare(micro, total)}</td></tr>
`,
  )
  return html`<div class="card"><svg class="bar" role="img" aria-label="Shares of the cost by cause">${HATCH}${bars}</svg>
<div class="scroll"><table><thead><tr><th scope="col">Cause</th><th scope="col"></th><th scope="col" class="n">Pod time</th><th scope="col" class="n">Cost</th><th scope="col" class="n">Share</th></tr></thead>
<tbody>${rows}</tbody><tfoot><tr><th scope="row">in all</th><td></td><td class="n">${formatClock(causes.reduce((sum, { ms }) => sum + ms, 0))}</td>${money(total)}<td></td></tr></tfoot></table></div></div>`
}

export function jobsTable({ jobs, jobCosts, pods, total, until }: Review, options: PageOptions): Html {
  const costs = new Map(jobs.map((job, index) => [job, jobCosts[index] ?? 0]))
  const rows = jobs
    .toSorted((a, b) => STATES[a.status].rank - STATES[b.status].rank)
    .map(job => {
      const { text, ink } = STATES[job.status]
      const begun = job.attempts[0]?.requestedAt
      return html`<tr><th scope="row"><span class="id">${job.spec.jobId}</span></th><td class="s ${ink}">${text}</td><td class="n">${job.attempts.length}</td><td class="s id">${job.attempts.at(-1)?.podId ?? '–'}</td><td class="n">${begun === undefined ? '–' : formatClock((job.settledAt ?? until) - begun)}</td>${money(costs.get(job) ?? 0)}<td class="w">${resultOf(job, options)}</td></tr>
`
    })
  // Pods that never had a job are nobody's, and still paid for.
  const rest = total - jobCosts.reduce((sum, micro) => sum + micro, 0)
  const nobody =
    rest > 0
      ? html`<tr><th scope="row" class="dim">no job</th><td></td><td></td><td></td><td></td>${money(rest)}<td class="dim">pods that never had one</td></tr>`
      : null
  return html`<div class="card scroll"><table><thead><tr><th scope="col">Job</th><th scope="col">Status</th><th scope="col" class="n">Attempts</th><th scope="col">Last pod</th><th scope="col" class="n">Time</th><th scope="col" class="n">Cost</th><th scope="col">Result</th></tr></thead>
<tbody>${rows}${nobody}</tbody><tfoot><tr><th scope="row">in all</th><td></td><td class="n">${jobs.reduce((sum, job) => sum + job.attempts.length, 0)}</td><td class="n">${plural(pods.length, 'pod')}</td><td></td>${money(total)}<td></td></tr></tfoot></table></div>`
}

function resultOf(job: Job, options: PageOptions): Html {
  if (job.status === 'completed') {
    const files = job.published
      .slice(0, FILES_MAX)
      .map(file => html`<div>${linkOf(file, options)} <span class="dim">${formatBytes(file.bytes)}</span></div>`)
    const more = job.published.length - files.length
    return html`${files}${more > 0 ? html`<div class="dim">and ${more} more</div>` : null}`
  }
  if (job.fault && isSettled(job)) {
    const { message, node } = job.fault
    return html`${message}${node && !message.includes(node.classType) ? html` <span class="dim">node ${node.id} ${node.classType}</span>` : null}`
  }
  return html``
}

function linkOf(file: Job['published'][number], { hrefOf, nameOf }: PageOptions): Html {
  const name = html`<span class="id">${file.path === null ? (file.url ?? '') : nameOf(file.path)}</span>`
  const href = file.path === null ? null : hrefOf(file.path)
  return href === null ? name : html`<a href="${href}">${name}</a>`
}

export function podsTable({ pods, entries, total, until }: Review): Html {
  const rendered = new Map<string, number>()
  for (const { podId, cause, from, to } of entries)
    if (cause === 'render') rendered.set(podId, (rendered.get(podId) ?? 0) + to - from)
  const rows = pods.map(pod => {
    const billed = billedMs(pod, until)
    const state =
      pod.status === 'gone'
        ? html`<td class="s good">✓ proven gone</td>`
        : html`<td class="s bad">? ${pod.status}, may be billed</td>`
    return html`<tr><th scope="row" class="id">${pod.id}</th><td>${pod.offer.gpuCount > 1 ? `${pod.offer.gpuCount} × ` : ''}${pod.offer.gpuName} <span class="dim">${pod.offer.region ?? pod.provider}</span></td><td class="n">${formatUsd(pod.offer.perHour)}</td><td class="n">${pod.finished}</td><td class="n">${formatClock(billed)}</td><td class="n">${formatShare(rendered.get(pod.id) ?? 0, billed)}</td>${money(podCost(pod, until))}${state}<td class="w dim">${pod.broken?.message ?? pod.releaseCause ?? ''}</td></tr>
`
  })
  return html`<div class="card scroll"><table><thead><tr><th scope="col">Pod</th><th scope="col">GPU</th><th scope="col" class="n">An hour</th><th scope="col" class="n">Attempts</th><th scope="col" class="n">Billed</th><th scope="col" class="n">Rendering</th><th scope="col" class="n">Cost</th><th scope="col">State</th><th scope="col">Ended because</th></tr></thead>
<tbody>${rows}</tbody><tfoot><tr><th scope="row">in all</th><td></td><td></td><td></td><td class="n">${formatClock(pods.reduce((sum, pod) => sum + billedMs(pod, until), 0))}</td><td></td>${money(total)}<td></td><td></td></tr></tfoot></table></div>`
}

export function shotsOf({ jobs, jobCosts }: Review, options: PageOptions): Html | null {
  const shots = jobs.flatMap((job, index) => {
    const shot = options.shots.get(job.key)
    if (!shot) return []
    const file = job.published.find(one => one.path !== null)
    const href = file?.path ? options.hrefOf(file.path) : null
    const alt = shot.isPreview ? `Last preview of ${job.spec.jobId}` : `Output of ${job.spec.jobId}`
    const picture = html`<img src="${shot.src}" width="${shot.width}" height="${shot.height}" alt="${alt}">`
    const begun = job.attempts[0]?.requestedAt
    const took = begun === undefined || job.settledAt === null ? '' : formatClock(job.settledAt - begun)
    return [
      html`<li>${href === null ? picture : html`<a href="${href}">${picture}</a>`}<p><span class="id">${job.spec.jobId}</span><span class="dim">${took} · ${formatUsd(jobCosts[index] ?? 0)}</span></p></li>
`,
    ]
  })
  if (shots.length === 0) return null
  const done = jobs.filter(job => job.status === 'completed').length
  const rest =
    done > shots.length
      ? html`<p class="note">Of ${shots.length} of the ${done} finished jobs; all are in the table below.</p>`
      : null
  return html`<h2>Outputs</h2>${rest}<ul class="shots ${shots.length > SHOTS_LARGE_MAX ? 'many' : ''}">${shots}</ul>`
}
