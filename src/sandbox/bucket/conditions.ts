// If-Match and its relatives, for reading and for writing.
// Source: RFC 9110 section 13; R2 "Conditional operations" (2026): writes know ETags, `*` and dates, failure is 412.
import { preconditionFailed, refusal } from './errors.ts'

type Headers = Map<string, string>
type Version = { etag: string; modifiedAt: number }

/** Throws 412; for reading, 304 where the client's copy is still good. */
export function checkRead(headers: Headers, object: Version, prefix = ''): void {
  const match = headers.get(`${prefix}if-match`)
  const unmodified = seconds(headers.get(`${prefix}if-unmodified-since`))
  const holds = match === undefined ? unmodified === null || modified(object) <= unmodified : names(match, object.etag)
  if (!holds) throw preconditionFailed()
  const none = headers.get(`${prefix}if-none-match`)
  const since = seconds(headers.get(`${prefix}if-modified-since`))
  const stale = none === undefined ? since === null || modified(object) > since : !names(none, object.etag)
  if (stale) return
  if (prefix !== '') throw preconditionFailed()
  throw refusal(304, 'NotModified', 'Not Modified', { etag: `"${object.etag}"` })
}

/** @param current what the key holds now; must be called while nobody else can write the key */
export function checkWrite(headers: Headers, current: Version | undefined, prefix = ''): void {
  const match = headers.get(`${prefix}if-match`)
  if (match !== undefined && (current === undefined || !names(match, current.etag))) throw preconditionFailed()
  const none = headers.get(`${prefix}if-none-match`)
  if (none !== undefined && current !== undefined && names(none, current.etag)) throw preconditionFailed()
  const unmodified = seconds(headers.get(`${prefix}if-unmodified-since`))
  if (unmodified !== null && current !== undefined && modified(current) > unmodified) throw preconditionFailed()
  const since = seconds(headers.get(`${prefix}if-modified-since`))
  if (since !== null && current !== undefined && modified(current) <= since) throw preconditionFailed()
}

function names(list: string, etag: string): boolean {
  return list
    .split(',')
    .map(one => one.trim().replace(/^W\//, '').replaceAll('"', ''))
    .some(one => one === '*' || one === etag)
}

/** HTTP dates have whole seconds. */
function modified(object: Version): number {
  return Math.floor(object.modifiedAt / 1000)
}

function seconds(date: string | undefined): number | null {
  const time = date === undefined ? Number.NaN : Date.parse(date)
  return Number.isNaN(time) ? null : time / 1000
}
