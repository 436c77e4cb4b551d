// File attributes of the SFTP server: what a client may set, and the `ls -l` line that clients print as it comes.
import type { Stats } from 'node:fs'
import type { Attributes } from './sftp-packet.ts'

/** An open file, or the three calls bound to a path. */
type Settable = {
  truncate(size: number): Promise<void>
  chmod(mode: number): Promise<void>
  utimes(atime: number, mtime: number): Promise<void>
}

/** Owners are left alone (a pod's user is root, ours is not); set-uid bits are dropped. */
export async function setAttributes(file: Settable, wanted: Attributes): Promise<void> {
  if (wanted.size !== undefined) await file.truncate(wanted.size)
  if (wanted.mode !== undefined) await file.chmod(wanted.mode & 0o777)
  if (wanted.atime !== undefined && wanted.mtime !== undefined) await file.utimes(wanted.atime, wanted.mtime)
}

export function listingLine(name: string, stats: Stats): string {
  const kind = stats.isDirectory() ? 'd' : stats.isSymbolicLink() ? 'l' : '-'
  const bits = [...(stats.mode & 0o777).toString(2).padStart(9, '0')]
  const mode = bits.map((bit, at) => (bit === '1' ? 'rwxrwxrwx'.charAt(at) : '-')).join('')
  const [day, month, , time] = stats.mtime.toUTCString().slice(5, 22).split(' ')
  const when = `${month} ${day} ${time}`
  return `${kind}${mode} ${stats.nlink} root root ${String(stats.size).padStart(8)} ${when} ${name}`
}
