// What an S3 answer means for the engine. Error codes: R2 "Error codes" and AWS S3 "Error responses", 2026-08.
import { Fault } from '../../domain/fault.ts'

type S3Error = {
  name?: string
  Code?: string
  code?: string
  message?: string
  $metadata?: { httpStatusCode?: number }
  $response?: { headers?: Record<string, string> }
}

/** HEAD answers have no body, so that only the status tells; 403 then means a key that is refused or may not read. */
const KEY_REFUSED = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'AccessDenied',
  'Unauthorized',
  'InvalidToken',
  'ExpiredToken',
])
const BUSY = new Set(['SlowDown', 'TooManyRequests', 'ServiceUnavailable', 'InternalError', 'RequestTimeout'])

export const statusOf = (error: unknown): number | undefined => (error as S3Error).$metadata?.httpStatusCode
export const codeOf = (error: unknown): string => (error as S3Error).Code ?? (error as S3Error).name ?? ''

/**
 * operator `bucket_key_refused` · `bucket_missing` · `bucket_clock_wrong` · `bucket_refused`; job `object_missing`;
 * transient `bucket_busy` (429, 5xx) · `bucket_unreachable`. Faults and aborts come back as they are.
 */
export function bucketFault(error: unknown, what: string): unknown {
  if (error instanceof Fault || (error as Error).name === 'AbortError') return error
  const { message = '' } = error as S3Error
  const status = statusOf(error)
  const code = codeOf(error)
  const make = (kind: 'operator' | 'job' | 'transient', name: string, text: string, more: object = {}) =>
    new Fault({ kind, code: name, message: `${what}: ${text}`, ...more }, { cause: error })

  if (code === 'NoSuchBucket')
    return make('operator', 'bucket_missing', 'there is no such bucket', {
      hint: 'Create the bucket, or correct its name in the settings.',
    })
  if (code === 'RequestTimeTooSkewed')
    return make('operator', 'bucket_clock_wrong', 'the clock of this machine is wrong', { hint: 'Set the clock.' })
  if (status === 401 || status === 403 || KEY_REFUSED.has(code))
    return make('operator', 'bucket_key_refused', `the access key was refused (${code || status})`, {
      hint: 'Check the access key, its secret, and that it may read and write this bucket.',
    })
  if (status === 404) return make('job', 'object_missing', 'the object does not exist')
  if (status === 429 || (status !== undefined && status >= 500) || BUSY.has(code))
    return make('transient', 'bucket_busy', `the bucket answered ${status ?? code}`, retryAfter(error))
  // No status: nothing came back. The reasons are many (reset, refused, timed out, name not found) and the answer is one.
  if (status === undefined && isNetworkError(error))
    return make('transient', 'bucket_unreachable', `no answer (${(error as S3Error).code ?? code})`)
  if (status === undefined) return error
  return make('operator', 'bucket_refused', `the bucket answered ${status} ${code} ${message}`.trim())
}

/** Whether the other side may have done what was asked although no good answer came. */
export function isUnclear(error: unknown): boolean {
  const status = statusOf(error)
  return (status === undefined && isNetworkError(error)) || (status !== undefined && status >= 500)
}

export function isTransient(error: unknown): boolean {
  const fault = bucketFault(error, '')
  return fault instanceof Fault && fault.data.kind === 'transient'
}

function isNetworkError(error: unknown): boolean {
  const { code, name } = error as S3Error
  if (name === 'TimeoutError' || name === 'NetworkError') return true
  return typeof code === 'string' && /^(E[A-Z]+|UND_ERR_\w+|ERR_STREAM_PREMATURE_CLOSE|ERR_TLS\w*)$/.test(code)
}

/** Seconds or a date, RFC 9110 10.2.3. */
function retryAfter(error: unknown): { retryAfterMs?: number } {
  const value = (error as S3Error).$response?.headers?.['retry-after']
  const seconds = Number(value)
  return value !== undefined && Number.isFinite(seconds) && seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {}
}
