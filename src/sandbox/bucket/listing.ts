// ListObjectsV2 and its predecessor, as a pure walk over sorted keys.
import { invalidArgument } from './errors.ts'
import { compareUtf8, place } from './sorted.ts'

export type ListingQuery = {
  prefix: string
  /** '' for none. */
  delimiter: string
  /** Keys at most, common prefixes included; 0 to 1,000. */
  max: number
  /** Where the walk goes on: after this key, or after everything that begins with this prefix. */
  after: Cursor | null
}
export type Cursor = { key: string } | { prefix: string }
export type Listing = { keys: string[]; prefixes: string[]; next: Cursor | null }

export function listKeys(sorted: readonly string[], { prefix, delimiter, max, after }: ListingQuery): Listing {
  const listing: Listing = { keys: [], prefixes: [], next: null }
  let last: Cursor | null = null
  for (let at = startOf(sorted, prefix, after); at < sorted.length; ) {
    const key = sorted[at] ?? ''
    if (!key.startsWith(prefix)) break
    if (listing.keys.length + listing.prefixes.length >= max) {
      // S3 says "not truncated" for max-keys=0, whatever there is.
      listing.next = last
      break
    }
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    if (cut < 0) {
      listing.keys.push(key)
      last = { key }
      at++
    } else {
      const common = key.slice(0, cut + delimiter.length)
      listing.prefixes.push(common)
      last = { prefix: common }
      at = endOf(sorted, common, at)
    }
  }
  return listing
}

function startOf(sorted: readonly string[], prefix: string, after: Cursor | null): number {
  const begin = place(sorted, prefix)
  if (after === null) return begin
  if ('prefix' in after) return Math.max(begin, endOf(sorted, after.prefix, place(sorted, after.prefix)))
  const at = place(sorted, after.key)
  return Math.max(begin, sorted[at] === after.key ? at + 1 : at)
}

/** The first place from `at` on whose key does not begin with the prefix: they lie together, so halving finds it. */
function endOf(sorted: readonly string[], prefix: string, at: number): number {
  let [low, high] = [at, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const key = sorted[middle] ?? ''
    if (key.startsWith(prefix) || compareUtf8(key, prefix) < 0) low = middle + 1
    else high = middle
  }
  return low
}

export function tokenOf(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url')
}

export function cursorOf(token: string): Cursor {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'))
    if (typeof value === 'object' && value !== null) {
      if ('key' in value && typeof value.key === 'string') return { key: value.key }
      if ('prefix' in value && typeof value.prefix === 'string') return { prefix: value.prefix }
    }
  } catch {
    // Falls through to the refusal: not one of ours.
  }
  throw invalidArgument('The continuation token provided is incorrect')
}
