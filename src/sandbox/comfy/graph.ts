// A prompt as a graph: links, cache keys, and the order in which the real server runs nodes (seen on ComfyUI 0.33.0).
import { createHash } from 'node:crypto'

export type Link = [nodeId: string, slot: number]
export type PromptNode = { class_type: string; inputs: Record<string, unknown>; _meta?: { title?: string } }
export type Prompt = Record<string, PromptNode>

export function isLink(value: unknown): value is Link {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' && typeof value[1] === 'number'
}

/** Every node below `id` and the slots they feed it through. Dangling links are left out: validation refuses them. */
function links(prompt: Prompt, id: string): Link[] {
  const inputs = Object.values(prompt[id]?.inputs ?? {})
  return inputs.filter(isLink).filter(link => prompt[link[0]] !== undefined)
}

/**
 * Key of each node: its class, its inputs and all that lies below it. Two nodes with one key share one result.
 * @param fingerprint what else decides the result (a file's digest); '' when nothing does
 */
export async function cacheKeys(
  prompt: Prompt,
  fingerprint: (node: PromptNode) => Promise<string>,
): Promise<Map<string, string>> {
  const keys = new Map<string, string>()
  const visiting = new Set<string>()
  const keyOf = async (id: string): Promise<string> => {
    const known = keys.get(id)
    if (known !== undefined) return known
    const node = prompt[id]
    // A cycle can only be among nodes that no valid output reaches; any stable text will do.
    if (!node || visiting.has(id)) return `?${id}`
    visiting.add(id)
    const parts: unknown[] = [node.class_type, await fingerprint(node)]
    for (const name of Object.keys(node.inputs ?? {}).sort()) {
      const value = node.inputs[name]
      parts.push(name, isLink(value) ? [await keyOf(value[0]), value[1]] : value)
    }
    visiting.delete(id)
    const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
    keys.set(id, key)
    return key
  }
  for (const id of Object.keys(prompt)) await keyOf(id)
  return keys
}

export type Order = { next(): string | undefined; done(id: string): void }

/**
 * Which node runs next: an output that is ready, else what stands right before an output, else two before, else the oldest.
 * So a preview appears as early as it can; recordings 04 and 09 show it.
 */
export function executionOrder(
  prompt: Prompt,
  outputs: string[],
  isOutput: (id: string) => boolean,
  isCached: (id: string) => boolean,
): Order {
  const waitsFor = new Map<string, Set<string>>()
  const blocks = new Map<string, Set<string>>()
  const stack: string[] = []
  for (const output of outputs) {
    stack.push(output)
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (waitsFor.has(id)) continue
      const needs = new Set(
        links(prompt, id)
          .map(link => link[0])
          .filter(from => !isCached(from)),
      )
      waitsFor.set(id, needs)
      stack.push(...needs)
      for (const from of needs) blocks.set(from, (blocks.get(from) ?? new Set()).add(id))
    }
  }
  const blockedBy = (id: string) => [...(blocks.get(id) ?? [])]
  return {
    next() {
      const ready = [...waitsFor].filter(([, needs]) => needs.size === 0).map(([id]) => id)
      return (
        ready.find(isOutput) ??
        ready.find(id => blockedBy(id).some(isOutput)) ??
        ready.find(id => blockedBy(id).some(next => blockedBy(next).some(isOutput))) ??
        ready[0]
      )
    },
    done(id) {
      waitsFor.delete(id)
      for (const needs of waitsFor.values()) needs.delete(id)
    },
  }
}
