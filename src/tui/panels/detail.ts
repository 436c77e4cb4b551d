// Everything about one job or pod: the pane below the table, and the page behind `enter`.
import { jobCost } from '../../domain/cost.ts'
import type { FaultData } from '../../domain/fault.ts'
import { isSettled, type Job, liveAttempt } from '../../domain/job.ts'
import { type Pod, podCost } from '../../domain/pod.ts'
import { formatBytes, formatClock, formatUsd, plural } from '../../domain/units.ts'
import { leftOf } from '../ahead.ts'
import { drawPicture, sparkline } from '../chart.ts'
import { linesUntilEnd, logLine } from '../log-end.ts'
import { allocationOf, type Facts, type Model, type Page, type Picture, type Subject, sinceEvent } from '../model.ts'
import { frame, put, type Region, type Screen } from '../screen.ts'
import {
  ageWords,
  gaugeOf,
  isJobGaugeOld,
  isPodGaugeOld,
  jobState,
  podOfJob,
  podState,
  stallOf,
  stallWords,
  storedOutputs,
} from '../state.ts'
import { clockTime, isAbout, type Line, STEP_WORDS, tell } from '../story.ts'
import { clean, cut, wrap } from '../text.ts'
import { waitingFor } from './jobs.ts'
import { drawLines, wrapParts } from './lines.ts'
import { gpuName, podWork } from './pods.ts'

const plain = (text: string): Line => ({ text, ink: 'plain' })
const dim = (text: string): Line => ({ text, ink: 'dim' })

// A line and a blank at either side of it.
const PICTURE_EDGE = 3

export function subjectOf(model: Model): Subject | null {
  if (model.page) return model.page.subject
  if (model.panel === 'jobs') return model.jobs.selected === null ? null : { jobKey: model.jobs.selected }
  return model.panel === 'pods' && model.pods.selected !== null ? { podId: model.pods.selected } : null
}

export function nameOf(subject: Subject, facts: Facts): string {
  if ('podId' in subject) return clean(subject.podId)
  return clean(facts.fleet.jobs.get(subject.jobKey)?.spec.jobId ?? subject.jobKey)
}

export function drawPane(screen: Screen, region: Region, facts: Facts, model: Model): void {
  const subject = subjectOf(model)
  const inside = frame(screen, region, subject ? nameOf(subject, facts) : '')
  if (!subject) return
  const width = drawPreview(screen, region, inside, facts, subject)
  const figures = factLines(subject, facts, width)
  const said = linesUntilEnd(subject, facts).at(-1)
  const last = said ? [dim(`▸ ${clean(said.text)}`)] : []
  const rest = Math.max(0, inside.height - figures.length - last.length)
  const story = rest > 0 ? storyLines(subject, facts, rest) : []
  const lines = [...figures, ...story, ...last]
  for (const [row, line] of lines.slice(0, inside.height).entries())
    put(screen, inside.x, inside.y + row, cut(line.text, width), screen.ink[line.ink])
}

/** What a picture leaves of a frame's inside for words, in cells. */
export function wordsWidth(picture: Picture | null, { width, height }: Pick<Region, 'width' | 'height'>): number {
  if (!picture) return width
  // Half a cell row a pixel: the height decides, but never more than 40 % of the width.
  const wanted = Math.ceil((picture.width / Math.max(1, picture.height)) * height * 2)
  return width - Math.max(10, Math.min(wanted, Math.floor(width * 0.4))) - PICTURE_EDGE
}

/** The picture at the right, where there is one; answers the width left for words. */
function drawPreview(screen: Screen, region: Region, inside: Region, facts: Facts, subject: Subject): number {
  const picture = pictureOf(subject, facts)
  const width = wordsWidth(picture, inside)
  if (!picture) return width
  const columns = inside.width - width - PICTURE_EDGE
  const x = inside.x + width + PICTURE_EDGE
  drawPicture(screen, { x, y: inside.y, width: columns, height: inside.height }, picture)
  put(screen, x - 2, region.y, '┬', screen.ink.frame)
  put(screen, x, region.y, ' preview ', screen.ink.strong, columns)
  for (let y = inside.y; y < inside.y + inside.height; y++) put(screen, x - 2, y, '│', screen.ink.frame)
  put(screen, x - 2, region.y + region.height - 1, '┴', screen.ink.frame)
  return width
}

export function pictureOf(subject: Subject, facts: Facts): Picture | null {
  const jobKey = 'jobKey' in subject ? subject.jobKey : facts.fleet.pods.get(subject.podId)?.jobKey
  return jobKey ? facts.preview(jobKey) : null
}

export function drawDetails(
  screen: Screen,
  region: Region,
  facts: Facts,
  page: Extract<Page, { type: 'details' }>,
): void {
  const inside = frame(screen, region, nameOf(page.subject, facts))
  const width = drawPreview(screen, region, inside, facts, page.subject)
  drawLines(screen, region, { ...inside, width }, detailLines(page.subject, facts, width), page.top)
}

/** All lines of the page, wrapped. */
export function detailLines(subject: Subject, facts: Facts, width: number): Line[] {
  const log = linesUntilEnd(subject, facts).map(line => logLine(line, facts))
  const isFailed = 'jobKey' in subject && facts.fleet.jobs.get(subject.jobKey)?.status === 'failed'
  const heading = dim(`${isFailed ? 'the log before it failed' : 'log'} (l shows all)`)
  const said = log.length > 0 ? [heading, ...log] : []
  const wrapped = (lines: readonly Line[]) => broken(lines, line => wrap(line, width))
  return [
    ...factLines(subject, facts, width),
    ...wrapped(isFailed ? said : []),
    ...inParts('jobKey' in subject ? moreOfJob(subject.jobKey, facts) : moreOfPod(subject.podId, facts), width),
    plain(''),
    ...wrapped(storyLines(subject, facts)),
    ...wrapped(isFailed || said.length === 0 ? [] : [plain(''), ...said]),
  ]
}

function inParts(lines: readonly Line[], width: number): Line[] {
  return broken(lines, line => wrapParts(line, width))
}

function broken(lines: readonly Line[], pieces: (text: string) => string[]): Line[] {
  return lines.flatMap(({ text, ink }) => pieces(clean(text)).map(piece => ({ text: piece, ink })))
}

/** The last `most` events about it, told. */
function storyLines(subject: Subject, facts: Facts, most = 200): Line[] {
  const job = 'jobKey' in subject ? subject.jobKey : null
  const jobOfPod = job === null ? undefined : facts.fleet.jobs.get(job)
  const pod = 'podId' in subject ? subject.podId : jobOfPod ? (podOfJob(jobOfPod, facts)?.id ?? null) : null
  const about = sinceEvent(facts, `about ${job} ${pod}`, () =>
    facts.fleet.recent.filter(event => isAbout(event, job, pod)),
  )
  return about.slice(-most).map(event => {
    const line = tell(event)
    return { text: `${clockTime(event.at, facts.zone(event.at))}  ${line.text}`, ink: line.ink }
  })
}

function factLines(subject: Subject, facts: Facts, width: number): Line[] {
  if ('podId' in subject) {
    const pod = facts.fleet.pods.get(subject.podId)
    return pod ? inParts(podLines(pod, facts, width), width) : []
  }
  const job = facts.fleet.jobs.get(subject.jobKey)
  return job ? inParts(jobLines(job, facts, width), width) : []
}

function jobLines(job: Job, facts: Facts, width: number): Line[] {
  const state = jobState(job, facts)
  const lines: Line[] = []
  if (liveAttempt(job)) lines.push(liveLine(job, facts), ...stallLines(job, facts))
  else if (job.status === 'waiting')
    lines.push({ text: `${state.glyph} waiting: ${waitingFor(job, facts)}`, ink: 'wait' })
  else if (job.fault && job.status === 'failed') lines.push(...faultLines(job.fault))
  else lines.push({ text: `${state.glyph} ${state.word}`, ink: state.ink })
  lines.push(plain(ingredients(job, facts)))
  const pod = liveAttempt(job) ? podOfJob(job, facts) : null
  if (pod) lines.push(...gpuLines(pod, facts, width))
  return lines
}

function stallLines(job: Job, facts: Facts): Line[] {
  const stall = stallOf(job)
  if (!stall) return []
  const { waitAskedAt, steps } = stall
  const perHour = podOfJob(job, facts)?.offer.perHour
  const price = perHour === undefined ? '' : `, ${formatUsd(perHour)}/h`
  const lines: Line[] = [{ text: `stuck? ${stallWords(stall, job, facts)}${price}`, ink: 'bad' }]
  if (steps.length > 0) lines.push(...steps.map(({ step, reason }) => plain(`▸ ${STEP_WORDS[step]}: ${reason}`)))
  else if (waitAskedAt !== null)
    lines.push(plain(`▸ given more time at ${clockTime(waitAskedAt, facts.zone(waitAskedAt))}`))
  else lines.push(plain('▸ k kill   w wait   o look; if nobody does, it is interrupted'))
  return lines
}

function liveLine(job: Job, facts: Facts): Line {
  const gauge = gaugeOf(job, facts)
  const attempt = liveAttempt(job)
  const { glyph, word } = jobState(job, facts)
  const parts = [`${glyph} ${word}`]
  const pod = podOfJob(job, facts)
  if (pod && pod.linkLostAt !== null) parts.push(`no contact for ${formatClock(facts.now - pod.linkLostAt)}`)
  if (gauge?.phase === 'running' && gauge.nodeId !== null) {
    const steps = gauge.step !== null && gauge.steps !== null ? ` ${gauge.step}/${gauge.steps}` : ''
    parts.push(`node ${gauge.nodeId} ${gauge.nodeTitle ?? ''}${steps}`)
    if (gauge.perSecond) parts.push(rateOf(gauge.perSecond))
  }
  const left = leftOf(job, facts)
  if (left) parts.push(left)
  if (gauge && gauge.bytes !== null && (gauge.phase === 'inputs' || gauge.phase === 'outputs'))
    parts.push(`${formatBytes(gauge.bytes)}${gauge.bytesTotal === null ? '' : ` of ${formatBytes(gauge.bytesTotal)}`}`)
  parts.push(`attempt ${attempt?.number ?? 1}`)
  if (gauge) {
    const isOld = isJobGaugeOld(gauge, facts.now)
    parts.push(`${ageWords(facts.now - gauge.at)} ago${isOld ? ' ?' : ''}`)
    return { text: parts.join(' · '), ink: isOld ? 'dim' : 'plain' }
  }
  return plain([...parts, 'no figures yet'].join(' · '))
}

function rateOf(perSecond: number): string {
  return perSecond >= 1 ? `${perSecond.toFixed(1)}/s` : `${(1 / perSecond).toFixed(1)} s a step`
}

function ingredients(job: Job, facts: Facts): string {
  const { inputs, outputs, template } = job.spec
  const pod = podOfJob(job, facts)
  const isDone = job.status === 'completed'
  const parts = [
    `inputs ${filesOf(inputs)}`,
    // One output may become many files.
    `outputs ${isDone ? filesOf(job.published) : `${storedOutputs(job)}/${outputs.length}`}`,
    `template ${template}`,
  ]
  if (pod) parts.push(`${pod.id} ${gpuName(pod)} ${formatUsd(pod.offer.perHour)}/h`)
  if (job.attempts.length > 0) parts.push(formatUsd(jobCost(facts.fleet, job, facts.now, allocationOf(facts))))
  return parts.join(' · ')
}

function filesOf(files: readonly { bytes: number | null }[]): string {
  const bytes = files.reduce((sum, file) => sum + (file.bytes ?? 0), 0)
  return `${plural(files.length, 'file')}${bytes ? ` ${formatBytes(bytes)}` : ''}`
}

function faultLines(fault: FaultData): Line[] {
  const where =
    fault.node && !fault.message.includes(fault.node.classType)
      ? ` (node ${fault.node.id} ${fault.node.classType})`
      : ''
  const lines: Line[] = [{ text: `✗ ${fault.message}${where}`, ink: 'bad' }]
  if (fault.hint) lines.push({ text: `▸ ${fault.hint}`, ink: 'strong' })
  return lines
}

function moreOfJob(key: string, facts: Facts): Line[] {
  const job = facts.fleet.jobs.get(key)
  if (!job) return [dim('this job is not known any more')]
  const lines: Line[] = [dim(`${job.spec.source} · ${job.runId}`)]
  for (const attempt of job.attempts) {
    const took = formatClock((attempt.endedAt ?? facts.now) - attempt.requestedAt)
    const why = attempt.fault ? `: ${attempt.fault.message}` : ''
    const ink = attempt.status === 'failed' ? 'bad' : 'plain'
    lines.push({ text: `attempt ${attempt.number} on ${attempt.podId} ${attempt.status} ${took}${why}`, ink })
  }
  for (const { name, source, bytes } of job.spec.inputs)
    lines.push(plain(`${name} ← ${source}${bytes === null ? '' : `  ${formatBytes(bytes)}`}`))
  if (!isSettled(job))
    for (const { name, file, bytes } of job.attempts.at(-1)?.artifacts ?? [])
      lines.push({ text: `${name ?? file} stored  ${formatBytes(bytes)}`, ink: 'good' })
  for (const file of job.published)
    lines.push({ text: `${file.name} → ${file.path ?? file.url ?? ''}  ${formatBytes(file.bytes)}`, ink: 'good' })
  if (!isSettled(job)) for (const output of job.spec.outputs) lines.push(dim(`${output.name} → ${output.target}`))
  return lines
}

function podLines(pod: Pod, facts: Facts, width: number): Line[] {
  const { glyph, word, ink } = podState(pod)
  const lines: Line[] = [{ text: `${glyph} ${word} · ${podWork(pod, facts, 40)}`, ink: ink === 'dim' ? 'plain' : ink }]
  if (pod.broken) lines.push(...faultLines(pod.broken))
  const parts = [
    gpuName(pod),
    `${pod.provider}${pod.offer.region ? ` ${pod.offer.region}` : ''} ${pod.offer.cloud}`,
    `${formatUsd(pod.offer.perHour)}/h, ${formatUsd(podCost(pod, facts.now))} so far`,
  ]
  if (pod.localPort) parts.push(`http://127.0.0.1:${pod.localPort}`)
  lines.push(plain(parts.join(' · ')))
  lines.push(...gpuLines(pod, facts, width))
  return lines
}

// Ten minutes of samples at five seconds each are kept; so many fit beside the figures.
const HISTORY_WIDTH = 36

/** What its GPU does and did in the last minutes; nothing before the first sample. */
function gpuLines(pod: Pod, facts: Facts, width: number): Line[] {
  const gauge = facts.gauges.pods.get(pod.id)
  if (!gauge || pod.status !== 'ready') return []
  const isOld = isPodGaugeOld(gauge, facts.now)
  const vram = `${(gauge.vramUsedMiB / 1024).toFixed(1)}/${(gauge.vramTotalMiB / 1024).toFixed(1)} GB`
  const age = `${ageWords(facts.now - gauge.at)} ago${isOld ? ' ?' : ''}`
  const gpu = `GPU ${Math.round(gauge.gpuUtil)} % `
  const parts = [
    `${gpu}${sparkline(gauge.history, Math.min(HISTORY_WIDTH, width - gpu.length))}`,
    `VRAM ${vram}`,
    `memory bus ${Math.round(gauge.memUtil)} %`,
    age,
  ]
  return [{ text: parts.join(' · '), ink: isOld ? 'dim' : 'plain' }]
}

function moreOfPod(id: string, facts: Facts): Line[] {
  const pod = facts.fleet.pods.get(id)
  if (!pod) return [dim('this pod is not known any more')]
  const lines: Line[] = [dim(`${pod.name} · ${pod.ref ?? 'no id yet'} · ${pod.runId}`)]
  if (pod.address) lines.push(plain(sshLine(pod) ?? ''))
  lines.push(plain(`${plural(pod.finished, 'attempt')} ended here${pod.draining ? ' · draining' : ''}`))
  if (pod.guarded === true) lines.push(dim('it ends itself if nobody renews its lease'))
  if (pod.guarded === false) lines.push({ text: '! it would not end itself if this machine failed', ink: 'bad' })
  if (pod.releaseCause) lines.push(plain(`terminated because: ${pod.releaseCause}`))
  return lines
}

export function sshLine(pod: Pod): string | null {
  return pod.address ? `ssh -p ${pod.address.port} ${pod.address.user}@${pod.address.host}` : null
}
