// What `v` opens: the report on the summary, else the job's first output.
import { isViewable } from '../domain/viewable.ts'
import type { Context } from './keys.ts'
import type { Command } from './model.ts'
import { runToSum } from './state.ts'

/** The path is copied, too: not every machine has a viewer. */
export function viewingOf({ mode, facts, job }: Context): { notice: string; commands: Command[] } {
  const run = mode === 'summary' ? runToSum(facts) : null
  const path = run ? facts.report(run.id) : (job?.published.find(file => file.path !== null)?.path ?? null)
  if (path === null) return { notice: 'the report is not written yet', commands: [] }
  const copy: Command = { type: 'copy', text: path }
  if (!run && !isViewable(path)) return { notice: `not opened, only copied: ${path}`, commands: [copy] }
  return { notice: `opening ${path}; the path is copied`, commands: [{ type: 'view', path }, copy] }
}
