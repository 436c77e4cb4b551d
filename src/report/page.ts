// The report of a run: one page that needs nothing but itself, and that says first what somebody at night must know.
import { mayBill, type Pod, podCost } from '../domain/pod.ts'
import type { Failure, Review } from '../domain/review.ts'
import { formatClock, formatLimit, formatUsd, type Millis, plural } from '../domain/units.ts'
import { escaped, figure, type Html, html } from './html.ts'
import { STYLE } from './style.ts'
import { jobsTable, moneyTable, podsTable, shotsOf } from './tables.ts'
import { timelineOf } from './timeline.ts'

export type Shot = {
  /** A data URI. */
  src: string
  width: number
  height: number
  /** The last preview, where the output itself cannot be shown. */
  isPreview: boolean
}

export type PageOptions = {
  /** By job key. */
  shots: ReadonlyMap<string, Shot>
  /** Address of a file as seen from the page; null for what should not be opened by a click. */
  hrefOf(path: string): string | null
  /** How a path is written for people. */
  nameOf(path: string): string
  /** Minutes east of UTC at a moment. */
  zone(at: Millis): number
  version: string
}

/** Names of more jobs than this are hidden behind a click. */
const NAMES_MAX = 12

const VERDICTS: Record<Review['run']['status'], { glyph: string; word: string; ink: string }> = {
  running: { glyph: '⟳', word: 'still running', ink: 'wait' },
  completed: { glyph: '✓', word: 'completed', ink: 'good' },
  failed: { glyph: '✗', word: 'some jobs failed', ink: 'bad' },
  cancelled: { glyph: '⊘', word: 'cancelled', ink: 'wait' },
  budget_reached: { glyph: '✗', word: 'budget reached', ink: 'bad' },
  needs_operator: { glyph: '✗', word: 'needs you', ink: 'bad' },
}

export function pageOf(review: Review, options: PageOptions): string {
  const { run, pods, failures } = review
  const { word, glyph, ink } = VERDICTS[run.status]
  const stamp = (at: Millis) => stampOf(at, options.zone(at))
  const page = html`<body><main>
<header><h1><span class="${ink}">${glyph} ${word}</span> – ${jobWords(review)}</h1>
<p class="dim"><span class="id">${run.id}</span> · ${stamp(run.openedAt)} → ${run.closedAt === null ? 'now' : stamp(run.closedAt)} ${zoneWord(options.zone(run.openedAt))}</p></header>
${tilesOf(review)}
${pods.filter(mayBill).map(pod => alarmOf(pod, review))}
${failures.length > 0 ? html`<h2>What failed, by cause</h2>${failures.map(failure => failureOf(failure))}` : null}
${shotsOf(review, options)}
<h2>Where the money went</h2>${moneyTable(review)}
${pods.length > 0 ? html`<h2>Pods in time</h2><div class="card">${timelineOf(review, at => stamp(at).slice(11))}</div>` : null}
<h2>Jobs</h2>${jobsTable(review, options)}
${pods.length > 0 ? html`<h2>Pods</h2>${podsTable(review)}` : null}
<footer>autopod ${options.version}. Figures are rounded up; the exact ones are those of <code>autopod status --json</code>, to the micro-dollar.</footer>
</main></body>`
  // `img-src data:` lets pictures in that are part of the page; nothing else is loaded, run, sent or framed.
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">
<meta name="autopod-run" content="${escaped(run.id)}">
<title>${escaped(`${glyph} ${word} – ${run.id}`)}</title>
<style>${STYLE}</style></head>
${page.markup}</html>
`
}

/** The run whose report a file is, by its beginning; null for any other file. */
export function runOfPage(head: string): string | null {
  return /<meta name="autopod-run" content="([\w-]+)">/.exec(head)?.[1] ?? null
}

function jobWords({ jobs }: Review): string {
  const count = (status: string) => jobs.filter(job => job.status === status).length
  const parts = [`${count('completed')} of ${plural(jobs.length, 'job')} done`]
  for (const [status, said] of [
    ['failed', 'failed'],
    ['cancelled', 'cancelled'],
    ['running', 'running'],
    ['waiting', 'not run'],
  ] as const)
    if (count(status) > 0) parts.push(`${count(status)} ${said}`)
  return parts.join(', ')
}

function tilesOf(review: Review): Html {
  const { run, jobs, pods, total, waste, until } = review
  const done = jobs.filter(job => job.status === 'completed')
  const files = jobs.reduce((sum, job) => sum + job.published.length, 0)
  const left = pods.filter(mayBill).length
  const limit = run.policy.costMax
  const share = total > 0 ? Math.round((waste / total) * 100) : 0
  return html`<dl class="tiles">
${tile('Cost', figure(total, formatUsd(total)), limit === null ? 'no budget was set' : `of ${formatLimit(limit)} budget`)}
${tile('Time', formatClock((run.closedAt ?? until) - run.openedAt), done.length > 0 ? `${formatUsd(Math.ceil(total / done.length))} a finished job` : '–')}
${tile('Outputs', html`${files}`, `${files === 1 ? 'file' : 'files'} of ${plural(done.length, 'job')}, verified`)}
${tile('Waste', figure(waste, formatUsd(waste)), `${share} % of the cost`, share >= 20 ? 'wait' : '')}
${tile('Pods', html`${pods.length}`, left === 0 ? 'all proven gone' : `${left} may still be billed`, left === 0 ? '' : 'bad')}</dl>`
}

function tile(name: string, value: Html | string, note: string, ink = ''): Html {
  return html`<div><dt>${name}</dt><dd class="big ${ink}">${value}</dd><dd class="note">${note}</dd></div>`
}

function alarmOf(pod: Pod, { until }: Review): Html {
  return html`<div class="card alarm" role="alert"><h3 class="bad">${pod.id} is not proven gone: it may still be billed</h3>
<p>${pod.offer.gpuName}, ${formatUsd(pod.offer.perHour)}/h, ${formatUsd(podCost(pod, until))} until this page was written; ${pod.status}. <span class="id">${pod.name}</span></p>
<p class="hint">End it: <code>autopod kill ${pod.id}</code></p></div>`
}

function failureOf({ code, message, hint, jobs, recovered, attempts, pods, micro }: Failure): Html {
  const counts = [
    jobs.length > 0 ? `${plural(jobs.length, 'job')} failed` : '',
    recovered.length > 0 ? `${recovered.length} tried again` : '',
    attempts > 0 ? `${plural(attempts, 'attempt')} lost` : '',
    pods.length > 0 ? `${plural(pods.length, 'pod')} broke` : '',
  ].filter(Boolean)
  const names = [...jobs, ...recovered].map(job => job.spec.jobId).concat(pods.map(pod => pod.id))
  return html`<article class="card failure ${jobs.length === 0 ? 'over' : ''}"><header><h3>${message}</h3>${figure(micro, formatUsd(micro))}</header>
<p class="dim">${counts.join(' · ')} · <code>${code}</code></p>
${hint === null ? null : html`<p class="hint">${hint}</p>`}
${namesOf(names)}</article>`
}

function namesOf(names: string[]): Html {
  const list = html`<span class="id">${names.join(', ')}</span>`
  if (names.length <= NAMES_MAX) return html`<p>${list}</p>`
  const first = names.slice(0, NAMES_MAX).join(', ')
  return html`<details><summary><span class="id">${first}</span> and ${names.length - NAMES_MAX} more</summary><p>${list}</p></details>`
}

/** `2026-11-22 14:02:11` in the given zone. */
function stampOf(at: Millis, zone: number): string {
  return new Date(at + zone * 60_000).toISOString().slice(0, 19).replace('T', ' ')
}

function zoneWord(zone: number): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const minutes = Math.abs(zone)
  return zone === 0 ? 'UTC' : `UTC${zone < 0 ? '−' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
