// The dialogs: what is about to happen to what, what it costs and loses, the harmless button first.
import { jobCost } from '../../domain/cost.ts'
import { isSettled, isUnpublished, type Job, liveAttempt } from '../../domain/job.ts'
import { mayBill, podCost } from '../../domain/pod.ts'
import { formatUsd, plural } from '../../domain/units.ts'
import { allocationOf, type Dialog, type Effect, type Facts, type Many, type Model, type Question } from '../model.ts'
import { clear, frame, put, type Screen } from '../screen.ts'
import { countJobs, gaugeOf, isOver, livePods, unsavedOutputs } from '../state.ts'
import { clean, cut, wrap } from '../text.ts'

export type Button = { label: string; effects: readonly Effect[] }
export type DialogText = { title: string; lines: string[]; buttons: Button[] }

const BACK: Button = { label: 'back', effects: [] }
/** Rows a dialog names before it counts the rest. */
const NAMED_MAX = 6

/** Worked out anew each frame: progress and cost go on while the dialog is open, the object stays. */
export function dialogText(dialog: Dialog, facts: Facts): DialogText {
  if (dialog.ask === 'leave') return leaveText(dialog, facts)
  const ask = dialog.ask
  if (ask.type === 'many') return manyText(ask, dialog.typed, facts)
  if (ask.type === 'retry-job') return manyText({ type: 'many', questions: [ask], word: null }, '', facts)
  return 'jobKey' in ask ? jobText(ask, facts) : podText(ask, facts)
}

const VERBS: Record<Question['type'], string> = {
  'kill-pod': 'terminate',
  'stop-pod': 'stop',
  'start-pod': 'start',
  'drain-pod': 'drain',
  'cancel-job': 'cancel',
  'retry-job': 'retry',
}

/** Several rows: how many, what they cost and lose together, and the first ones by name. Those that have ended meanwhile are left out. */
function manyText(ask: Many, typed: string, facts: Facts): DialogText {
  const open = ask.questions.filter(question => isOpen(question, facts))
  const verb = VERBS[ask.questions[0]?.type ?? 'kill-pod']
  const isPods = 'podId' in (ask.questions[0] ?? {})
  const what = plural(open.length, isPods ? 'pod' : 'job')
  if (open.length === 0) return { title: verb, lines: ['nothing is left to do it to'], buttons: [BACK] }
  const pods = open.flatMap(question => ('podId' in question && facts.fleet.pods.get(question.podId)) || [])
  const keys = open.map(question =>
    'jobKey' in question ? question.jobKey : facts.fleet.pods.get(question.podId)?.jobKey,
  )
  const jobs = keys.flatMap(key => (key && facts.fleet.jobs.get(key)) || [])
  const cost = isPods
    ? pods.reduce((sum, pod) => sum + podCost(pod, facts.now), 0)
    : jobs.reduce((sum, job) => sum + jobCost(facts.fleet, job, facts.now, allocationOf(facts)), 0)
  const lines = [`${verb} ${what}, ${spent(cost)}?`, '']
  for (const question of open.slice(0, NAMED_MAX)) lines.push(`  ${rowText(question, facts)}`)
  if (open.length > NAMED_MAX) lines.push(`  and ${open.length - NAMED_MAX} more`)
  const unsaved = jobs.reduce((sum, job) => sum + unsavedOutputs(job), 0)
  const loses = ask.questions[0]?.type !== 'drain-pod' && unsaved > 0
  lines.push('', ...(loses ? [`${plural(unsaved, 'output')} not yet saved`] : []))
  if (verb === 'terminate' && jobs.length > 0) lines.push('their jobs go to other pods if they have tries left')
  if (verb === 'drain') lines.push('their jobs are finished first, then they are terminated')
  if (verb === 'stop') lines.push('stopped, their disks are still billed until they are terminated')
  if (verb === 'retry') lines.push(...retryWords(jobs))
  if (ask.word !== null) lines.push(`no pod would be left: type ${ask.word} and press enter`, `› ${typed}▌`)
  const effects = open.map(command => ({ type: 'send' as const, command }))
  const go = { label: `${verb} ${what}`, effects }
  if (ask.word !== null) return { title: `${verb} ${what}`, lines, buttons: typed === ask.word ? [go] : [] }
  return { title: `${verb} ${what}`, lines, buttons: [BACK, go] }
}

/** What is rendered and stored costs nothing to bring home. */
function retryWords(jobs: readonly Job[]): string[] {
  const stored = jobs.filter(isUnpublished).length
  const fresh = jobs.length - stored
  const lines: string[] = []
  if (stored > 0) lines.push(`${stored} ${stored === 1 ? 'is' : 'are'} only brought from the bucket: no pod, no cost`)
  if (fresh > 0)
    lines.push(`${fresh} ${fresh === 1 ? 'is waiting again, and costs' : 'are waiting again, and cost'} again`)
  return lines
}

function rowText(question: Question, facts: Facts): string {
  if ('jobKey' in question) {
    const job = facts.fleet.jobs.get(question.jobKey)
    if (!job) return question.jobKey
    const cost = jobCost(facts.fleet, job, facts.now, allocationOf(facts))
    return `${job.spec.jobId}${at(job, facts)}${job.attempts.length > 0 ? `, ${spent(cost)}` : ', not started'}`
  }
  const pod = facts.fleet.pods.get(question.podId)
  const job = pod?.jobKey ? facts.fleet.jobs.get(pod.jobKey) : undefined
  return [
    question.podId,
    job ? `${job.spec.jobId}${at(job, facts)}` : 'no job',
    pod ? spent(podCost(pod, facts.now)) : '',
  ]
    .filter(Boolean)
    .join(', ')
}

function isOpen(question: Question, facts: Facts): boolean {
  if ('podId' in question) {
    const pod = facts.fleet.pods.get(question.podId)
    return pod !== undefined && mayBill(pod)
  }
  const job = facts.fleet.jobs.get(question.jobKey)
  return job !== undefined && isSettled(job) === (question.type === 'retry-job')
}

function podText(ask: Extract<Question, { podId: string }>, facts: Facts): DialogText {
  const pod = facts.fleet.pods.get(ask.podId)
  const name = ask.podId
  const verb = VERBS[ask.type]
  if (!pod || !mayBill(pod)) return { title: `${verb} ${name}?`, lines: [`${name} is already gone`], buttons: [BACK] }
  const job = pod.jobKey ? facts.fleet.jobs.get(pod.jobKey) : undefined
  const parts = [name, job ? `${job.spec.jobId}${at(job, facts)}` : 'no job', spent(podCost(pod, facts.now))]
  const lines = [`${verb} ${parts.join(', ')}?`]
  const unsaved = job ? unsavedOutputs(job) : 0
  if (ask.type === 'kill-pod' && unsaved > 0) lines.push(`${plural(unsaved, 'output')} not yet saved`)
  if (ask.type === 'kill-pod' && job) lines.push('the job goes to another pod if it has tries left')
  if (ask.type === 'stop-pod') {
    if (job)
      lines.push(`${job.spec.jobId} is interrupted${unsaved ? `, ${plural(unsaved, 'output')} not yet saved` : ''}`)
    lines.push('stopped, its disk is still billed until it is terminated')
  }
  if (ask.type === 'drain-pod')
    lines.push(job ? 'its job is finished first, then it is terminated' : 'it is terminated now')
  if (ask.type === 'start-pod') lines.push(`it is billed ${formatUsd(pod.offer.perHour)}/h again; the GPU may be taken`)
  return {
    title: `${verb} ${name}`,
    lines,
    buttons: [BACK, { label: `${verb} ${name}`, effects: [{ type: 'send', command: ask }] }],
  }
}

function jobText(ask: Extract<Question, { jobKey: string }>, facts: Facts): DialogText {
  const job = facts.fleet.jobs.get(ask.jobKey)
  const name = job?.spec.jobId ?? ask.jobKey
  if (!job || job.settledAt !== null)
    return { title: `cancel ${name}?`, lines: [`${name} is already ${job?.status ?? 'gone'}`], buttons: [BACK] }
  const cost = jobCost(facts.fleet, job, facts.now, allocationOf(facts))
  const live = liveAttempt(job)
  const lines = [`cancel ${name}${at(job, facts)}${job.attempts.length > 0 ? `, ${spent(cost)}` : ', not started'}?`]
  const unsaved = unsavedOutputs(job)
  if (unsaved > 0) lines.push(`${plural(unsaved, 'output')} not yet saved`)
  if (live) lines.push(`${live.podId} takes the next job`)
  return {
    title: `cancel ${name}`,
    lines,
    buttons: [BACK, { label: `cancel ${name}`, effects: [{ type: 'send', command: ask }] }],
  }
}

function leaveText(dialog: Dialog, facts: Facts): DialogText {
  const counts = countJobs(facts)
  const pods = livePods(facts)
  const unsaved = [...facts.fleet.jobs.values()]
    .filter(job => job.runId === facts.runId)
    .reduce((sum, job) => sum + unsavedOutputs(job), 0)
  const lines = [
    `${plural(counts.running, 'job')} running, ${counts.waiting} waiting, ${plural(pods.length, 'pod')} billed`,
    unsaved > 0 ? `terminating now loses ${plural(unsaved, 'output')} not yet saved` : 'no output is unsaved',
  ]
  if (dialog.drainAt !== null) {
    const seconds = Math.max(0, Math.ceil((dialog.drainAt - facts.clock) / 1000))
    lines.push(`draining in ${seconds} s; ctrl-c again terminates all now, esc goes back`)
  }
  const leave = (label: string, how: 'background' | 'drain' | 'terminate'): Button => ({
    label,
    effects: [{ type: 'leave', how }],
  })
  return {
    title: 'leave',
    lines,
    buttons: [
      leave('go on in the background', 'background'),
      leave('finish the running jobs, then terminate', 'drain'),
      leave(`terminate all now (${plural(pods.length, 'pod')})`, 'terminate'),
      BACK,
    ],
  }
}

/** A screen that owns a run under way asks what becomes of it; any other simply leaves. */
export function asksOnLeave(facts: Facts): boolean {
  return facts.runId !== null && !isOver(facts) && !facts.readonly
}

function at(job: Job, facts: Facts): string {
  const fraction = gaugeOf(job, facts)?.fraction
  return fraction === null || fraction === undefined ? '' : ` at ${Math.floor(fraction * 100)} %`
}

function spent(micro: number): string {
  return `${formatUsd(micro)} spent`
}

/** On a low terminal blank lines go first, then the last named rows: what is asked and the answers stay. */
function fitting(lines: readonly string[], room: number): string[] {
  const kept = lines.length > room ? lines.filter(line => line !== '') : [...lines]
  while (kept.length > room) {
    const last = kept.findLastIndex(line => line.startsWith('  '))
    if (last === -1) break
    kept.splice(last, 1)
  }
  return kept
}

export function drawDialog(screen: Screen, model: Model, dialog: Dialog, facts: Facts): void {
  const text = dialogText(dialog, facts)
  const width = Math.min(model.width - 4, 72)
  const room = model.height - text.buttons.length - 3
  const lines = fitting(text.lines, room).flatMap(line => wrap(clean(line), width - 4))
  const height = Math.min(model.height, lines.length + text.buttons.length + 3)
  const region = { x: Math.floor((model.width - width) / 2), y: Math.floor((model.height - height) / 2), width, height }
  clear(screen, { ...region, x: region.x - 1, width: width + 2 })
  const inside = frame(screen, region, cut(clean(text.title), width - 6), screen.ink.key)
  for (const [row, line] of lines.entries()) put(screen, inside.x, inside.y + row, line, screen.ink.plain, inside.width)
  for (const [index, button] of text.buttons.entries()) {
    const isChosen = index === Math.min(dialog.choice, text.buttons.length - 1)
    const y = inside.y + lines.length + 1 + index
    const label = `${isChosen ? '›' : ' '} ${clean(button.label)} `
    put(screen, inside.x, y, label, isChosen ? screen.ink.title : screen.ink.plain, inside.width)
  }
}
