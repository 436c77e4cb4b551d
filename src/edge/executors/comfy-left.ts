// What ComfyUI said at a pod's end, read as the end of one prompt: which saved files are its outputs, and whether they are all.
import { posix } from 'node:path'
import { Fault } from '../../domain/fault.ts'
import type { Farewell, LeftFiles, Task } from '../../ports.ts'
import { history } from '../../wire/comfy.ts'
import { outputPrefix } from './comfy-graph.ts'
import { selectFiles } from './comfy-outputs.ts'

/** Made up: only what lies below the output folder was saved, by its path there. */
const FOLDERS = { input: '/input', output: '/output', temp: '/temp' }

/** null unless the prompt ended well and each of its files was saved. */
export function leftFiles(task: Task, farewell: Farewell): LeftFiles | null {
  const { tar, tarKey, files: saved } = farewell
  const told = history.safeParse(farewell.history)
  const entry = told.success ? told.data[task.promptId] : undefined
  if (!tar || !tarKey || entry?.status?.status_str !== 'success') return null
  const known = new Map(saved.filter(file => file.saved).map(file => [file.path, file]))
  const files: LeftFiles['files'] = []
  for (const { podPath, nodeId, file } of selected(task, entry.outputs) ?? []) {
    const path = posix.relative(FOLDERS.output, podPath)
    const there = known.get(path)
    if (!there) return null
    files.push({ podPath: path, nodeId, file, bytes: there.bytes, sha256: there.sha256 })
  }
  return files.length > 0 ? { tar: { key: tarKey, ...tar }, files } : null
}

/** A target whose node gave no file is the job's own fault: another try says so to its owner. */
function selected(task: Task, outputs: Record<string, unknown>) {
  try {
    return selectFiles(outputs, task.spec, FOLDERS, outputPrefix(task), () => {})
  } catch (error) {
    if (error instanceof Fault) return null
    throw error
  }
}
