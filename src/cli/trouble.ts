// What keeps a home from being written, in words for whoever looks on, and for whoever is left with pods when an engine gives up.
import { statfsSync } from 'node:fs'
import { Fault } from '../domain/fault.ts'
import type { Fleet } from '../domain/fleet.ts'
import { mayBill } from '../domain/pod.ts'
import { isOfJournal } from '../engine/settle.ts'

/** SQLite writes pages of 4 KiB and a log beside the file: with less than this the next fact may be refused. */
const ROOM_MIN_BYTES = 256 * 1024

/** null while there is room, or where nobody can say. */
export function lackOfRoom(dir: string): string | null {
  try {
    const { bavail, bsize } = statfsSync(dir)
    if (bavail * bsize >= ROOM_MIN_BYTES) return null
    return `the disk of ${dir} is full: logs and previews are left out, and soon nothing can be decided`
  } catch {
    return null
  }
}

/** Of an engine that its journal stopped: which pods nobody watches now, and how to end them. Anything else comes back as it is. */
export function unattended(error: unknown, fleet: Fleet): unknown {
  if (!isOfJournal(error)) return error
  const left = [...fleet.pods.values()].filter(mayBill)
  if (left.length === 0) return error
  const lines = left.map(
    pod =>
      `may still be billed: ${pod.name} (${pod.id}; ${pod.ref ? `${pod.provider} id ${pod.ref}` : `ordered from ${pod.provider}, no answer yet`})`,
  )
  return new Fault(
    {
      ...error.data,
      code: 'pods_unattended',
      message: [error.message, ...lines].join('\n'),
      hint: `Mend that, then autopod kill ${left.map(pod => pod.id).join(' ')} ends them and autopod run goes on with them; or end them at the provider by their ids. Left alone, each ends itself when its lease is over.`,
    },
    { cause: error },
  )
}
