// What jobs of one run would take from each other: an id, or a file that both write.
import { dirname, posix } from 'node:path'
import type { JobSpec } from '../domain/job.ts'
import type { OutputKind } from '../domain/template.ts'
import { savedKind } from '../domain/template-output.ts'
import { type Flaw, shownPath } from './jobdir-read.ts'

type Written = { target: string; extension: string; kind: OutputKind | null; words: string }

/** One of the two is `NAME.{ext}`; what saves sound never takes the name of a picture. */
function mayMeet(a: Written, b: Written): boolean {
  if (a.target === b.target || a.extension === b.extension) return true
  const isOpen = a.extension === '.{ext}' || b.extension === '.{ext}'
  return isOpen && (a.kind === null || b.kind === null || a.kind === b.kind)
}

export function collisions(specs: readonly JobSpec[], cwd: string): Flaw[] {
  const flaws: Flaw[] = []
  const ids = new Map<string, string>()
  const stems = new Map<string, Written[]>()
  const files = new Map<string, string>()
  for (const spec of specs) {
    const file = shownPath(spec.source, cwd)
    const earlier = ids.get(spec.jobId)
    if (earlier !== undefined) {
      const what = `"${spec.jobId}" is the id of ${earlier}, too`
      flaws.push({ file, place: 'job_id', what, remedy: 'Give each job of a run its own "job_id".' })
    }
    ids.set(spec.jobId, file)
    for (const { name, nodeId, target } of spec.outputs) {
      const place = `outputs.${name}`
      // In a folder files keep their own names; those are told apart when they are known.
      if (target.endsWith('/')) continue
      const extension = posix.extname(target)
      const kind = savedKind(spec.graph[nodeId]?.class_type ?? '')
      const written = { target, extension, kind, words: `${file}: ${place}` }
      // Whatever counts its files has one with the number 0.
      const stem = target.slice(0, target.length - extension.length).replaceAll('{index}', '0')
      const others = stems.get(stem) ?? []
      const taken = others.findLast(other => mayMeet(written, other))
      if (taken !== undefined) {
        const what =
          taken.target === target
            ? `would write the same file as ${taken.words}: ${shownPath(target, cwd)}`
            : `${shownPath(target, cwd)} may be the same file as ${shownPath(taken.target, cwd)} of ${taken.words}`
        flaws.push({ file, place, what, remedy: 'Put {job_id} or {name} into the path.' })
      }
      stems.set(stem, [...others, written])
      files.set(target, written.words)
    }
  }
  return [...flaws, ...nested(specs, files, cwd)]
}

/** Targets below what another output makes a file. @param files target → whose it is */
function nested(specs: readonly JobSpec[], files: ReadonlyMap<string, string>, cwd: string): Flaw[] {
  return specs.flatMap(spec =>
    spec.outputs.flatMap(({ name, target }): Flaw[] => {
      // In a bucket, `a` and `a/b` are two names.
      if (target.startsWith('r2://')) return []
      let folder = target.endsWith('/') ? target.slice(0, -1) : dirname(target)
      while (!files.has(folder) && dirname(folder) !== folder) folder = dirname(folder)
      const owner = files.get(folder)
      if (owner === undefined) return []
      const what = `needs the folder ${shownPath(folder, cwd)}, which is the file of ${owner}`
      return [
        { file: shownPath(spec.source, cwd), place: `outputs.${name}`, what, remedy: 'Choose another folder or name.' },
      ]
    }),
  )
}
