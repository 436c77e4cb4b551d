// What no GPU of a catalogue can ever do, whatever is in stock: told before a job waits in line for it.
import type { FaultData } from './fault.ts'
import { didYouMean } from './nearest.ts'
import { type Need, sameGpu } from './placement.ts'

/** countMax: most cards of one pod; null where the provider does not tell. */
export type Kind = { id: string; name: string; vramGb: number; countMax: number | null }

const isOf = (wanted: string, kind: Kind) => sameGpu(wanted, { gpuType: kind.id, gpuName: kind.name })

/** Fault capacity `gpu_impossible`; null when some type may do, or none of the wanted is there at all. */
export function impossible(need: Need, kinds: readonly Kind[]): FaultData | null {
  const wanted = kinds.filter(kind => need.gpuTypes.length === 0 || need.gpuTypes.some(name => isOf(name, kind)))
  if (wanted.length === 0) return null
  const among = need.gpuTypes.length === 0 ? '' : ` among ${need.gpuTypes.join(', ')}`
  const fault = (what: string, most: string, hint: string): FaultData => {
    const message = `no GPU type of ${need.provider}${among} has ${what}; ${most} is the most`
    return { kind: 'capacity', code: 'gpu_impossible', message, hint }
  }
  const vramGb = Math.max(...wanted.map(kind => kind.vramGb))
  if (vramGb < need.vramGbMin)
    return fault(
      `${need.vramGbMin} GB`,
      `${vramGb} GB`,
      'Name a GPU with more memory, or correct requires.vram_gb of the template.',
    )
  const counts = wanted.flatMap(kind =>
    kind.vramGb < need.vramGbMin ? [] : [kind.countMax ?? Number.POSITIVE_INFINITY],
  )
  const count = Math.max(...counts)
  return count < need.gpuCount
    ? fault(`${need.gpuCount} cards in one pod`, `${count}`, 'Ask for fewer (gpu_count, --gpu-count).')
    : null
}

/** Names in a list of types that the catalogue does not have, each with the nearest it has. */
export function unknownKinds(need: Need, kinds: readonly Kind[]): string[] {
  const names = kinds.map(kind => kind.name)
  const unknown = need.gpuTypes.filter(wanted => !kinds.some(kind => isOf(wanted, kind)))
  return unknown.map(wanted => `"${wanted}"${didYouMean(wanted, names)}`)
}
