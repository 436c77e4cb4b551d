// Names that come from a pod: which of them may become part of a path or a key here, and how a hostile one is shown.

/** File systems allow 255 bytes; the rest is room for `-12`, `.part` and its like. */
const NAME_BYTES_MAX = 235

/** Characters of a complaint that a message holds. */
const SAID_MAX = 300

/** Windows devices, with any extension (learn.microsoft.com "Naming Files, Paths, and Namespaces", 2026). */
const RESERVED = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i

/** C0, DEL, C1, and the marks that turn text round: `gpj.exe` must not look like `exe.jpg`. */
const UNSEEN = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g

/** Why `name` may not be a file name here, as the end of a sentence; null when it may. Folders are no part of it. */
export function nameRefusal(name: string): string | null {
  if (name === '') return 'is empty'
  if (name.includes('\0')) return 'contains NUL'
  if (name.search(UNSEEN) >= 0) return 'contains control characters'
  if (!name.isWellFormed()) return 'is not valid Unicode'
  if (/^[A-Za-z]:/.test(name)) return 'starts with a drive letter'
  if (/[/\\]/.test(name)) return 'leads to another folder'
  if (name === '.' || name === '..') return 'is a folder'
  // On Windows `a.png:b` is a hidden stream of a.png.
  if (name.includes(':')) return 'contains a colon'
  if (/[. ]$/.test(name)) return 'ends in a dot or a space'
  if (RESERVED.test(name)) return 'is a reserved device name'
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) return `is longer than ${NAME_BYTES_MAX} bytes`
  return null
}

/** A name that is harmless but not portable is kept under a portable one: `%date:yyyy%` of a workflow stays in front of us as text. */
export function tamed(name: string): string {
  return /^[A-Za-z]:/.test(name) ? name : name.replaceAll(':', '_')
}

/** Why a path on a pod is not followed; null when it is an absolute path without `.`, `..` and control characters. */
export function podPathRefusal(path: string): string | null {
  if (!path.startsWith('/')) return 'is not an absolute path'
  if (path.includes('\0')) return 'contains NUL'
  if (path.search(UNSEEN) >= 0) return 'contains control characters'
  if (path.includes('\\')) return 'contains a backslash'
  if (path.split('/').some(part => part === '..' || part === '.')) return 'leads to another folder'
  // PATH_MAX of Linux, the closing NUL included.
  if (Buffer.byteLength(path) > 4095) return 'is too long'
  return null
}

/** What a command on a pod complained of last, as a message and the journal may hold it; '' when it said nothing. A signed URL is a key. */
export function lastWords(stderr: string): string {
  const line = stderr.trim().split('\n').at(-1) ?? ''
  // Before it is cut: the end of an address is its signature.
  return line
    .replace(/https?:\S+/g, 'the URL')
    .replace(UNSEEN, '')
    .slice(0, SAID_MAX)
    .trim()
    .toWellFormed()
}

/** A name as a message may show it: control characters as escapes, at most 80 characters. */
export function shownName(name: string): string {
  const plain = name.replace(UNSEEN, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).toWellFormed()
  return plain.length > 80 ? `${plain.slice(0, 79)}…` : plain
}
