// What can be said of files without renting: check, template, schema.

import { join } from 'node:path'
import type { Event } from '../domain/event.ts'
import { Fault } from '../domain/fault.ts'
import { emptyFleet } from '../domain/fleet.ts'
import { audit } from '../domain/invariants.ts'
import { plural } from '../domain/units.ts'
import { settingsSchema } from '../edge/config.ts'
import { jsonSchemaOf, listTemplates, loadJobs, readTemplate } from '../edge/jobdir.ts'
import { isOfJournal } from '../engine/settle.ts'
import { type Flags, type Invocation, usage } from './args.ts'
import { isOurFile } from './compose.ts'
import { EXIT } from './exit.ts'
import { type Home, openHome, templateDirs } from './home.ts'
import { eventsOf, pastOf } from './past.ts'
import { clean, table } from './table.ts'

export async function check({ flags, words }: Invocation): Promise<number> {
  if (flags.on('journal')) return checkJournal(flags)
  if (words.length === 0)
    throw usage('check needs a job file, a folder of them, or a glob', 'For example: autopod check ./jobs')
  const home = openHome(flags)
  const fleet = pastOf(home)
  const loading = loadJobs(words, {
    cwd: home.cwd,
    pathsFrom: process.cwd(),
    templateDirs: templateDirs(home.cwd),
    replaceable: path => fleet !== null && isOurFile(fleet, path),
  })
  const { specs } = await loading.catch((error: unknown) => {
    if (flags.on('json') && error instanceof Fault) {
      const { message, hint = null } = error.data
      process.stdout.write(
        `${JSON.stringify({ version: 1, ok: false, problems: message.split('\n'), hint }, null, 2)}\n`,
      )
    }
    throw error
  })
  if (flags.on('json')) {
    const jobs = specs.map(spec => ({
      job_id: spec.jobId,
      source: spec.source,
      template: spec.template,
      gpu_types: spec.gpuTypes,
      inputs: spec.inputs.length,
      outputs: spec.outputs.map(output => output.target),
    }))
    process.stdout.write(`${JSON.stringify({ version: 1, ok: true, jobs }, null, 2)}\n`)
    return EXIT.ok
  }
  const rows = specs.map(spec => [
    spec.jobId,
    spec.template,
    spec.gpuTypes.join(', ') || 'any',
    String(spec.inputs.length),
    spec.outputs.map(output => output.target).join(', '),
  ])
  process.stdout.write(
    `${table(['JOB', 'TEMPLATE', 'GPU', 'INPUTS', 'OUTPUTS'], rows)}\n${plural(specs.length, 'job')}, all well. Nothing was rented.\n`,
  )
  return EXIT.ok
}

/** Every event of the home's journal against what no journal may tell; a breach is a bug of the engine that wrote it. */
function checkJournal(flags: Flags): number {
  const home = openHome(flags)
  const breaches: { seq: number; at: string; breach: string }[] = []
  const fleet = emptyFleet()
  for (const event of readEvents(home, flags))
    for (const breach of audit(fleet, event))
      breaches.push({ seq: event.seq, at: new Date(event.at).toISOString(), breach })
  if (flags.on('json'))
    process.stdout.write(
      `${JSON.stringify({ version: 1, ok: breaches.length === 0, events: fleet.seq, breaches }, null, 2)}\n`,
    )
  else {
    for (const { seq, at, breach } of breaches) process.stdout.write(`event ${seq} (${at}): ${breach}\n`)
    const verdict = breaches.length === 0 ? 'all well' : `${breaches.length} broken promises`
    process.stdout.write(`${plural(fleet.seq, 'event')} of ${join(home.dir, 'journal.db')}: ${verdict}.\n`)
  }
  return breaches.length === 0 ? EXIT.ok : EXIT.failed
}

/** A damaged journal is said in the document, too. */
function readEvents(home: Home, flags: Flags): Event[] {
  try {
    return eventsOf(home)
  } catch (error) {
    if (flags.on('json') && isOfJournal(error)) {
      const { message, hint = null } = error.data
      process.stdout.write(
        `${JSON.stringify({ version: 1, ok: false, events: null, breaches: [], problem: message, hint }, null, 2)}\n`,
      )
    }
    throw error
  }
}

export async function template({ flags, words }: Invocation): Promise<number> {
  const [what, name] = words
  const dirs = templateDirs(process.cwd())
  if (what === 'list') {
    const entries = await listTemplates(dirs)
    if (flags.on('json')) process.stdout.write(`${JSON.stringify(entries, null, 2)}\n`)
    else
      process.stdout.write(
        `${table(
          ['TEMPLATE', 'VRAM', 'DESCRIPTION'],
          entries.map(entry => [
            entry.name,
            entry.requires.vramGb > 0 ? `${entry.requires.vramGb} GB` : '–',
            entry.problem ?? entry.description,
          ]),
        )}\n`,
      )
    return EXIT.ok
  }
  if (what !== 'show' || !name)
    throw usage('template needs list, or show NAME', 'For example: autopod template show resize')
  const found = await readTemplate(name, { cwd: process.cwd(), templateDirs: dirs })
  if (flags.on('json')) {
    process.stdout.write(`${JSON.stringify(found, null, 2)}\n`)
    return EXIT.ok
  }
  const lines = [`${found.name}: ${found.description}`, found.path, '']
  for (const [key, input] of Object.entries(found.inputs ?? {}))
    lines.push(`input   ${key.padEnd(16)} ${input.kind ?? 'file'}  ${input.description}`)
  for (const [key, param] of Object.entries(found.params ?? {}))
    lines.push(
      `param   ${key.padEnd(16)} ${param.type}${param.unused ? ' (not used)' : param.default === undefined ? ' (required)' : ` = ${JSON.stringify(param.default)}`}  ${param.description}`,
    )
  for (const [key, output] of Object.entries(found.outputs))
    lines.push(`output  ${key.padEnd(16)} ${output.kind ?? 'file'} of node ${output.node}`)
  for (const model of found.requires.models)
    lines.push(`model   ${model.folder}/${model.name}  ${(model.bytes / 1e9).toFixed(1)} GB  ${model.url}`)
  if (found.requires.vramGb > 0) lines.push(`needs   ${found.requires.vramGb} GB of VRAM`)
  process.stdout.write(`${lines.map(clean).join('\n')}\n`)
  return EXIT.ok
}

export async function schema({ words }: Invocation): Promise<number> {
  const [what] = words
  if (what !== 'job' && what !== 'template' && what !== 'config')
    throw usage('schema needs job, config or template', 'For example: autopod schema job')
  process.stdout.write(`${JSON.stringify(what === 'config' ? settingsSchema() : jsonSchemaOf(what), null, 2)}\n`)
  return EXIT.ok
}
