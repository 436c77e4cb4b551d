// The faults that moving a file can end in, wherever it moves.
import { Fault } from '../domain/fault.ts'

/** Throws Fault transient `aborted` when the caller let go; a signal's own reason may be anything, a bare word too. */
export function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new Fault({ kind: 'transient', code: 'aborted', message: 'the transfer was stopped on request' })
}

/** Fault job: what lies at `path` has another content than when its digest was taken. */
export function changedFault(path: string): Fault {
  return new Fault({
    kind: 'job',
    code: 'file_changed',
    message: `${path} changed after it was checked`,
    hint: 'Leave input files alone while a run is under way, and run the job again.',
  })
}

/** Fault job: a file to be sent cannot be read here. */
export function unreadableFault(path: string, cause: unknown): Fault {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error'
  return new Fault(
    { kind: 'job', code: 'file_unreadable', message: `${path} cannot be read (${code})`, hint: 'Restore the file.' },
    { cause },
  )
}

/** Fault transient: there is more than there can be; whoever has a pod could send without end. */
export function tooLargeFault(what: string, bytesMax: number): Fault {
  const message = `${what} has more than the ${bytesMax} bytes that it should have`
  return new Fault({ kind: 'transient', code: 'transfer_corrupt', message })
}

/** Fault operator: this machine's disk does not take a file. */
export function unwritableFault(path: string, cause: unknown): Fault {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error'
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  return new Fault(
    {
      kind: 'operator',
      code: full ? 'disk_full' : 'file_unwritable',
      message: `${path} cannot be written (${code})`,
      hint: full ? 'Free some space on this disk.' : 'Check the permissions of its folder.',
    },
    { cause },
  )
}

const pathWords: Record<string, string> = {
  ENOTDIR: 'a part of its path is no folder',
  // A file, or a link that leads nowhere, has the name of the folder.
  EEXIST: 'a part of its path is no folder',
  // File systems that take no new folder say so (/proc).
  ENOENT: 'its folder cannot be made',
  EISDIR: 'it is a folder',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'a link in its path leads to itself',
}

/** What `unwritableFault` is for a job's target whose path is wrong: a matter of this job alone, as fault job `target_unusable`. */
export function targetFault(path: string, fault: Fault): Fault {
  const why = pathWords[(fault.cause as NodeJS.ErrnoException | undefined)?.code ?? '']
  if (fault.data.code !== 'file_unwritable' || why === undefined) return fault
  const hint = 'Move away what is in the way; for another name, change "outputs" in the job file and run it anew.'
  const message = `${path} cannot be written: ${why}`
  return new Fault({ kind: 'job', code: 'target_unusable', message, hint }, { cause: fault.cause })
}
