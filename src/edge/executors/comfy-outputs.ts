// Which files of a finished prompt are the job's, and where they lie on the pod. Names from a pod are not to be trusted.
import { posix } from 'node:path'
import { Fault } from '../../domain/fault.ts'
import type { JobSpec } from '../../domain/job.ts'
import type { Machine, PodFile } from '../../ports.ts'
import { type OutputFile, outputFiles } from '../../wire/comfy.ts'
import { plain } from './comfy-faults.ts'
import type { ComfyFolders } from './comfy-folders.ts'
import { graphNode } from './comfy-graph.ts'

/** Each is a fact and a transfer. Ten thousand are the frames of a film of more than five minutes, saved one by one. */
const FILES_MAX = 10_000

/**
 * Files of type `output`, and those of type `temp` whose node a target names. A name that leaves its folder is left out and
 * told to `log`. Faults: job `output_missing` when a target's node gave no file; job `outputs_too_many`.
 */
export function selectFiles(
  outputs: Record<string, unknown>,
  spec: Pick<JobSpec, 'graph' | 'outputs'>,
  folders: ComfyFolders,
  prefix: string,
  log: (line: string) => void,
): PodFile[] {
  const targets = new Set(spec.outputs.map(target => target.nodeId))
  const files: PodFile[] = []
  const names = new Set<string>()
  const paths = new Set<string>()
  const named = outputFiles(outputs)
    .map(listed => ({ ...listed, nodeId: graphNode(spec.graph, listed.nodeId) }))
    .filter(({ type, nodeId }) => type !== 'input' && (type !== 'temp' || targets.has(nodeId)))
  if (named.length > FILES_MAX)
    throw new Fault({
      kind: 'job',
      code: 'outputs_too_many',
      message: `the workflow ended well, but names ${named.length} files; of one job at most ${FILES_MAX} are brought back`,
      hint: 'Save frames as a film instead of one by one, or make several jobs of it.',
    })
  for (const listed of named) {
    const { nodeId } = listed
    const podPath = pathOf(listed, listed.type === 'temp' ? folders.temp : folders.output)
    if (podPath === null) {
      log(
        `refused a file name of node ${nodeId} that leaves its folder: ${plain(`${listed.subfolder}/${listed.filename}`)}`,
      )
      continue
    }
    // A cached node can be listed under an older entry too.
    if (paths.has(podPath)) continue
    paths.add(podPath)
    const file = freeName(listed, prefix, names)
    names.add(file)
    files.push({ podPath, nodeId, file })
  }
  for (const target of spec.outputs) {
    if (files.some(file => file.nodeId === target.nodeId)) continue
    const classType = spec.graph[target.nodeId]?.class_type ?? '?'
    throw new Fault({
      kind: 'job',
      code: 'output_missing',
      message: `the workflow ended well, but node ${target.nodeId} (${classType}) gave no file for the output ${target.name}`,
      hint: 'Point the output at a node that saves files, and see that no switch or blocker upstream turns it off.',
      node: { id: target.nodeId, classType },
    })
  }
  return files
}

function pathOf({ filename, subfolder }: OutputFile, folder: string): string | null {
  if (/[\x00-\x1f\x7f]/.test(filename + subfolder) || /[/\\]/.test(filename) || filename === '.' || filename === '..')
    return null
  const below = subfolder.replaceAll('\\', '/')
  if (below.startsWith('/') || /^[A-Za-z]:/.test(below) || below.split('/').includes('..')) return null
  return posix.join(folder, below, filename)
}

/** Two files of one attempt may share a name in different subfolders, and all are kept under one key. */
function freeName({ filename, subfolder }: OutputFile, prefix: string, taken: Set<string>): string {
  if (!taken.has(filename)) return filename
  const below = subfolder.replaceAll('\\', '/').replace(prefix, '').split('/').filter(Boolean)
  const named = [...below, filename].join('-')
  let file = named
  for (let number = 2; taken.has(file); number++) file = `${number}-${named}`
  return file
}

/** Those that are not on the pod's disk: an old name from ComfyUI's cache, or a folder someone cleaned up. */
export async function missingFiles(files: PodFile[], machine: Machine, signal: AbortSignal): Promise<PodFile[]> {
  if (files.length === 0) return []
  const command = 'while IFS= read -r file; do [ -f "$file" ] || printf \'%s\\n\' "$file"; done'
  const stdin = files.map(file => `${file.podPath}\n`).join('')
  const { stdout } = await machine.exec(command, { stdin, timeoutMs: 30_000, signal })
  const gone = new Set(stdout.split('\n'))
  return files.filter(file => gone.has(file.podPath))
}
