// The pods' lives on one axis of time: what each moment on their meters was for. Inline SVG in percent, so that it is as wide as the page.
import { CAUSES, type Cause, type Entry } from '../domain/ledger.ts'
import { mayBill, type Pod, podCost } from '../domain/pod.ts'
import { type Review, SENSES } from '../domain/review.ts'
import { formatClock, formatUsd, type Millis, plural } from '../domain/units.ts'
import { type Html, html } from './html.ts'

/** More would be a wall; the table below has them all. */
const ROWS_MAX = 60
const ROW = 34
const BAR = 15
/** Of the width: below it nothing would be seen, and a night of short jobs would be megabytes. */
const SHARE_MIN = 0.0005
/** Of the width, per letter, on a page of full width: narrower, a name would be cut off. */
const LETTER = 0.0075
/** About one label per 90 pixels of a phone. */
const TICKS_MAX = 4
const SECOND = 1000
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400]

export function timelineOf({ pods, entries, jobs, until }: Review, clock: (at: Millis) => string): Html {
  const shown = pods.slice(0, ROWS_MAX)
  const from = Math.min(...pods.map(pod => pod.requestedAt))
  const to = Math.max(from + 1, ...pods.map(pod => pod.goneAt ?? until))
  const at = (moment: Millis) => (moment - from) / (to - from)
  const names = new Map(jobs.map(job => [job.key, job.spec.jobId]))
  const byPod = Map.groupBy(entries, entry => entry.podId)
  const height = shown.length * ROW + 22
  const rows = shown.map((pod, row) => rowOf(pod, row * ROW, byPod.get(pod.id) ?? [], at, names, until))
  const more =
    pods.length > shown.length
      ? html`<p class="note">${pods.length - shown.length} more pods are in the table below.</p>`
      : null
  return html`<svg class="time" height="${height}" role="img" aria-label="${`Lives of ${plural(pods.length, 'pod')}, ${formatClock(to - from)} in all`}">
${ticksOf(from, to, height, at, clock)}${rows}</svg>
${legendOf(new Set(entries.map(entry => entry.cause)))}${more}`
}

function rowOf(
  pod: Pod,
  top: number,
  entries: Entry[],
  at: (moment: Millis) => number,
  names: ReadonlyMap<string, string>,
  until: Millis,
): Html {
  const bars = entries.map(entry => {
    const width = at(entry.to) - at(entry.from)
    if (width < SHARE_MIN) return html``
    const job = entry.jobKey === null ? null : (names.get(entry.jobKey) ?? null)
    const title = `${pod.id} ${entry.cause}${job ? ` · ${job}` : ''} · ${formatClock(entry.to - entry.from)} · ${formatUsd(entry.micro)}`
    const place = { x: percent(at(entry.from)), width: percent(width) }
    const hatch =
      SENSES[entry.cause] === 'waste'
        ? html`<rect class="hatched" x="${place.x}" y="${top + 16}" width="${place.width}" height="${BAR}"/>`
        : null
    const label =
      entry.cause === 'render' && job && job.length * LETTER < width
        ? html`<svg x="${place.x}" y="${top + 16}" width="${place.width}" height="${BAR}"><text class="in" x="5" y="11.5">${job}</text></svg>`
        : null
    return html`<g><title>${title}</title><rect class="${entry.cause}" x="${place.x}" y="${top + 16}" width="${place.width}" height="${BAR}"/>${hatch}${label}</g>
`
  })
  const state = pod.status === 'gone' ? '' : mayBill(pod) ? ` · ${pod.status}, may be billed` : ` · ${pod.status}`
  const start = at(pod.requestedAt)
  // A late pod's name would run out of the page: it is set against the right edge instead.
  const anchor = start > 0.6 ? html`x="100%" text-anchor="end"` : html`x="${percent(start)}"`
  return html`<text ${anchor} y="${top + 12}"><tspan class="name">${pod.id}</tspan> ${`${pod.offer.gpuName} · ${formatUsd(podCost(pod, until))}${state}`}</text>
${bars}`
}

function ticksOf(
  from: Millis,
  to: Millis,
  height: number,
  at: (moment: Millis) => number,
  clock: (at: Millis) => string,
): Html[] {
  const step = SECOND * (STEPS.find(seconds => (to - from) / (seconds * SECOND) <= TICKS_MAX) ?? 7 * 86_400)
  const ticks: Html[] = []
  for (let moment = Math.ceil(from / step) * step; moment <= to; moment += step) {
    const x = percent(at(moment))
    const anchor = at(moment) > 0.93 ? 'end' : at(moment) < 0.07 ? 'start' : 'middle'
    const label = step < 60 * SECOND ? clock(moment) : clock(moment).slice(0, 5)
    ticks.push(
      html`<line class="tick" x1="${x}" x2="${x}" y1="0" y2="${height - 18}"/><text x="${x}" y="${height - 4}" text-anchor="${anchor}">${label}</text>
`,
    )
  }
  return ticks
}

function legendOf(present: ReadonlySet<Cause>): Html {
  const parts = CAUSES.filter(cause => present.has(cause)).map(
    cause => html`<li><span class="swatch ${cause}"></span>${cause}</li>`,
  )
  return html`<ul class="legend">${parts}</ul>`
}

export function percent(share: number): string {
  return `${Number((share * 100).toFixed(3))}%`
}
