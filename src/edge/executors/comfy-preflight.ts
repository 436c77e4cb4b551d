// What a pod must have before anything is sent to it: every node class of the graph and every declared model.
import { Fault } from '../../domain/fault.ts'
import type { JobSpec } from '../../domain/job.ts'
import { formatBytes } from '../../domain/units.ts'
import type { ComfyApi } from './comfy-api.ts'
import { isTransient } from './comfy-api.ts'

/** Class name → whether it is an output node. Only found classes are kept: an installed node stays, a missing one may come. */
export type KnownClasses = Map<string, { isOutput: boolean }>

/** Questions at one time: a graph has dozens of classes, and a tunnel's round trip counts for each. */
const AT_ONCE = 8

/** Faults: job `node_missing` · `model_missing`, transient. */
export async function preflight(
  spec: JobSpec,
  api: ComfyApi,
  known: KnownClasses,
  on: { log(line: string): void },
  signal: AbortSignal,
): Promise<void> {
  const nodes = new Map(Object.entries(spec.graph).map(([id, node]) => [node.class_type, id]))
  const unknown = [...nodes.keys()].filter(name => !known.has(name))
  const missing: string[] = []
  for (let at = 0; at < unknown.length; at += AT_ONCE) {
    await Promise.all(
      unknown.slice(at, at + AT_ONCE).map(async name => {
        try {
          const info = await api.classInfo(name, signal)
          if (info) known.set(name, info)
          else missing.push(name)
        } catch (error) {
          // A node whose own description fails answers 500; whether it works is for the submission to tell.
          if (!isTransient(error) || error.data.code !== 'comfy_trouble') throw error
          on.log(`ComfyUI could not describe the node ${name}; going on`)
        }
      }),
    )
  }
  if (missing.length > 0) {
    const names = missing.sort().map(name => `${name} (node ${nodes.get(name)})`)
    throw new Fault({
      kind: 'job',
      code: 'node_missing',
      message: `this ComfyUI does not have ${missing.length === 1 ? 'the node class' : 'the node classes'} ${names.join(', ')}`,
      hint: 'Use an image or a volume that has the custom node installed; a node that failed to import shows only in the log of the pod.',
      node: { id: nodes.get(missing[0]!)!, classType: missing[0]! },
    })
  }
  await checkModels(spec, api, signal)
}

async function checkModels(spec: JobSpec, api: ComfyApi, signal: AbortSignal): Promise<void> {
  const folders = new Map<string, string[]>()
  for (const folder of new Set(spec.models.map(model => model.folder))) {
    const names = (await api.models(folder, signal)) ?? []
    folders.set(
      folder,
      names.map(name => name.replaceAll('\\', '/')),
    )
  }
  const missing = spec.models.filter(model => !folders.get(model.folder)?.includes(model.name))
  if (missing.length === 0) return
  const names = missing.map(model => `${model.folder}/${model.name} (${formatBytes(model.bytes)})`)
  const remedies = missing.map(model => `put ${model.url} into models/${model.folder} as ${model.name}`)
  throw new Fault({
    kind: 'job',
    code: 'model_missing',
    message: `the pod does not have the ${missing.length === 1 ? 'model' : 'models'} ${names.join(', ')}`,
    hint: `On the volume of the pods, ${remedies.join('; ')}.`,
  })
}
