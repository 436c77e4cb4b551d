// The line behind `:`: words of the key table with what they act on, completed by tab. It does nothing itself; `update` acts on what it means.

import { didYouMean } from '../domain/nearest.ts'
import { plural } from '../domain/units.ts'
import { BINDINGS, type Binding, type Context } from './keys.ts'
import type { Model } from './model.ts'
import { JOB_SORTS, jobOrder, POD_SORTS, podOrder } from './order.ts'
import { type Rows, rowsOfJobs, rowsOfPods } from './targets.ts'

/** What a line means: the binding, the rows it names (null = the marked or selected ones) and the words behind it. */
export type Meaning = { binding: Binding; rows: Rows | null; words: readonly string[] }

/** One entry a word, in the order of the table: those that differ in their condition share it. */
export function commandsOf(context: Context): Binding[] {
  const known = BINDINGS.filter(binding => binding.command && !(binding.changes && context.facts.readonly))
  return known.filter((binding, index) => known.findIndex(other => other.command === binding.command) === index)
}

/** Words that could stand where the cursor is, at most `most`. */
export function completions(line: string, context: Context, most = 200): string[] {
  const words = line.trimStart().split(/\s+/)
  const last = words.at(-1) ?? ''
  if (words.length < 2) return commandsOf(context).flatMap(({ command }) => (command?.startsWith(last) ? command : []))
  const binding = commandNamed(words[0] ?? '', context)
  if (typeof binding === 'string') return []
  return candidates(binding, context)
    .filter(word => word.startsWith(last) && !words.slice(1, -1).includes(word))
    .slice(0, most)
}

/** The line as far as it is clear what is meant. */
export function completed(line: string, context: Context): string {
  const found = completions(line, context)
  const first = found[0]
  if (first === undefined) return line
  const common = found.reduce((shared, word) => shared.slice(0, sharedLength(shared, word)), first)
  return `${line.slice(0, line.length - (/\S*$/.exec(line)?.[0].length ?? 0))}${common}${found.length === 1 ? ' ' : ''}`
}

/** What a finished line means, or why it means nothing. */
export function meaningOf(line: string, context: Context): Meaning | string {
  const [name = '', ...words] = line.trim().split(/\s+/)
  const first = commandNamed(name, context)
  if (typeof first === 'string') return first
  if (words.length > 0 && !first.takes) return `${first.command} takes nothing after it`
  const rows =
    words.length > 0 && (first.takes === 'jobs' || first.takes === 'pods') ? rowsNamed(words, first, context) : null
  if (typeof rows === 'string') return rows
  const known = candidates(first, context)
  const said = first.takes === 'words' ? words.map(word => (known.includes(word) ? word : onlyOne(word, known))) : words
  const wrong = words.find((_, index) => said[index] === null)
  if (wrong !== undefined) return `${first.command}: ${JSON.stringify(wrong)} is not known${didYouMean(wrong, known)}`
  if (first.takes === 'words' && words.length === 0) return `${first.command} what? ${known.join(', ')}`
  const chosen = rows ? { ...context, rows, job: rows.jobs[0] ?? null, pod: rows.pods[0] ?? null } : context
  const binding = BINDINGS.find(
    one => one.command === first.command && (!one.changes || !context.facts.readonly) && (one.valid?.(chosen) ?? true),
  )
  return binding ? { binding, rows, words: said.filter(word => word !== null) } : `not possible now: ${first.help}`
}

/** A command by its name or by a beginning that only it has. */
function commandNamed(name: string, context: Context): Binding | string {
  const known = commandsOf(context)
  const exact = known.find(({ command }) => command === name)
  if (exact) return exact
  const begun = name === '' ? [] : known.filter(({ command }) => command?.startsWith(name))
  if (begun.length === 1 && begun[0]) return begun[0]
  const names = (begun.length > 0 ? begun : known).map(({ command }) => command ?? '')
  return begun.length > 1
    ? `${name}: ${names.join(' or ')}?`
    : `${JSON.stringify(name)} is no command${didYouMean(name, names)}`
}

function onlyOne(begin: string, known: readonly string[]): string | null {
  const found = known.filter(word => word.startsWith(begin))
  return found.length === 1 ? (found[0] ?? null) : null
}

function candidates(binding: Binding, context: Context): string[] {
  const { model, facts } = context
  if (binding.takes === 'words') return binding.action === 'sort-by' ? sortsOf(model) : [...(binding.words ?? [])]
  if (binding.takes !== 'jobs' && binding.takes !== 'pods') return []
  const everything = { ...model, filter: '' }
  const pods = podOrder(everything, facts)
  const jobs = jobOrder(everything, facts).flatMap(key => facts.fleet.jobs.get(key)?.spec.jobId ?? [])
  const group = binding.changes ? [binding.action === 'retry' ? 'failed' : 'all'] : []
  return [...group, ...(binding.takes === 'pods' ? [...pods, ...jobs] : [...jobs, ...pods])]
}

function sortsOf(model: Model): string[] {
  return [...(model.panel === 'pods' ? POD_SORTS : JOB_SORTS).filter(Boolean), 'attention', 'reverse']
}

/** The rows that ids name; `all` and `failed` are those of the screen, whatever the filter hides. */
function rowsNamed(words: readonly string[], binding: Binding, context: Context): Rows | string {
  const { facts, model } = context
  const everything = { ...model, filter: '' }
  const jobs = jobOrder(everything, facts).flatMap(key => facts.fleet.jobs.get(key) ?? [])
  const pods = podOrder(everything, facts).flatMap(id => facts.fleet.pods.get(id) ?? [])
  const rows: Rows[] = []
  for (const word of words) {
    if (word === 'all' && binding.changes) rows.push({ jobs, pods })
    else if (word === 'failed' && binding.action === 'retry')
      rows.push({ jobs: jobs.filter(({ status }) => status === 'failed'), pods: [] })
    else {
      const pod = pods.filter(({ id }) => id === word)
      const job = jobs.filter(({ spec, key }) => spec.jobId === word || key === word)
      if (pod.length + job.length === 0)
        return `there is no ${binding.takes === 'pods' ? 'pod or job' : 'job or pod'} ${JSON.stringify(word)}${didYouMean(word, candidates(binding, context))}`
      if (job.length > 1)
        return `${plural(job.length, 'job')} of several runs are named ${word}; say ${job.map(({ key }) => key).join(' or ')}`
      rows.push(pod.length > 0 ? rowsOfPods(pod, facts) : rowsOfJobs(job, facts))
    }
  }
  return { jobs: rows.flatMap(one => one.jobs), pods: rows.flatMap(one => one.pods) }
}

function sharedLength(left: string, right: string): number {
  let length = 0
  while (length < left.length && left[length] === right[length]) length++
  return length
}
