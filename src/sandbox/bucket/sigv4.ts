// Signature Version 4, really checked: in the Authorization header, in the query (presigned) and for streamed chunks.
// Source: AWS "Signature Version 4 for API requests" and "Authenticating requests: SigV4-streaming" (API reference of S3,
// 2026); refusals as R2 words them where R2's public documentation says so (2026).
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { invalidArgument, refusal } from './errors.ts'
import type { Target } from './target.ts'

export type Keys = { accessKeyId: string; secretAccessKey: string; region: string }
export type SignedRequest = { method: string; target: Target; headers: Map<string, string> }

/** What the signature says about the body. */
export type Payload =
  | { kind: 'unsigned' }
  | { kind: 'hashed'; sha256: string }
  /** aws-chunked; `sign` continues the chain of chunk signatures, null when chunks are not signed. */
  | { kind: 'chunked'; sign: ((sha256: string) => string) | null; signTrailer: ((sha256: string) => string) | null }

const SKEW_MAX_MS = 15 * 60_000
/** S3 and R2: a presigned URL lives one second to seven days. */
const EXPIRES_MAX_S = 7 * 24 * 3600
const EMPTY_SHA256 = createHash('sha256').digest('hex')

type Claim = {
  credential: string
  signedHeaders: string[]
  signature: string
  date: string
  payload: string
  query: [string, string][]
}

/** Throws the refusal that S3 or R2 would send. */
export function authenticate(request: SignedRequest, keys: Keys, now: number): Payload {
  const query = new Map(request.target.query)
  const presigned = query.has('X-Amz-Signature') || query.has('X-Amz-Algorithm')
  const claim = presigned ? queryClaim(request, query, now) : headerClaim(request)
  const [accessKeyId, day, region, service, end] = claim.credential.split('/')
  if (end !== 'aws4_request' || service !== 's3' || day !== claim.date.slice(0, 8)) {
    throw refusal(
      400,
      'AuthorizationHeaderMalformed',
      'The authorization header is malformed; the Credential is invalid.',
    )
  }
  if (accessKeyId !== keys.accessKeyId) {
    throw refusal(403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.')
  }
  // R2 takes us-east-1 for auto.
  if (region !== keys.region && !(keys.region === 'auto' && region === 'us-east-1')) {
    throw refusal(400, 'InvalidRegionName', `The region name '${region}' is not valid. Must be one of: ${keys.region}`)
  }
  if (!presigned && Math.abs(now - dateOf(claim.date)) > SKEW_MAX_MS) {
    const message = 'The difference between the request time and the current time is too large.'
    throw refusal(403, 'RequestTimeTooSkewed', message)
  }
  const scope = `${day}/${region}/${service}/aws4_request`
  const secret = ['aws4_request', service, region, day].reduceRight(
    (key: string | Buffer, part) => hmac(key, part ?? ''),
    `AWS4${keys.secretAccessKey}`,
  )
  const hash = createHash('sha256').update(canonical(request, claim), 'latin1').digest('hex')
  const expected = sign(secret, ['AWS4-HMAC-SHA256', claim.date, scope, hash])
  if (!same(expected, claim.signature)) throw mismatch()
  return payloadOf(claim.payload, expected, (kind, previous, ...hashes) =>
    sign(secret, [`AWS4-HMAC-SHA256-${kind}`, claim.date, scope, previous, ...hashes]),
  )
}

export function mismatch(): Error {
  const message =
    'The request signature we calculated does not match the signature you provided. Check your secret access key and signing method.'
  return refusal(403, 'SignatureDoesNotMatch', message)
}

function headerClaim({ headers, target }: SignedRequest): Claim {
  const header = headers.get('authorization')
  // R2's answer to a request without any signature (seen in a browser on any R2 endpoint, 2026).
  if (header === undefined) throw invalidArgument('Authorization')
  const match = /^AWS4-HMAC-SHA256\s+(.*)$/.exec(header)
  if (match === null) throw invalidArgument('Unsupported Authorization Type')
  const parts = new Map(
    (match[1] ?? '').split(',').map(part => {
      const [name = '', ...value] = part.trim().split('=')
      return [name, value.join('=')]
    }),
  )
  const signedHeaders = (parts.get('SignedHeaders') ?? '').split(';')
  const payload = headers.get('x-amz-content-sha256')
  if (payload === undefined) throw invalidArgument('Missing required header for this request: x-amz-content-sha256')
  const claim = {
    credential: parts.get('Credential') ?? '',
    signedHeaders,
    signature: parts.get('Signature') ?? '',
    date: headers.get('x-amz-date') ?? '',
    payload,
    query: target.query,
  }
  for (const name of headers.keys()) {
    if ((name === 'host' || name.startsWith('x-amz-')) && !signedHeaders.includes(name)) throw notSigned(name)
  }
  return claim
}

function queryClaim({ headers, target }: SignedRequest, query: Map<string, string>, now: number): Claim {
  const expires = Number(query.get('X-Amz-Expires'))
  if (!(expires >= 1 && expires <= EXPIRES_MAX_S)) {
    const message = 'X-Amz-Expires must be between 1 and 604800 seconds'
    throw refusal(400, 'AuthorizationQueryParametersError', message)
  }
  const date = query.get('X-Amz-Date') ?? ''
  const signedHeaders = (query.get('X-Amz-SignedHeaders') ?? '').split(';')
  if (!signedHeaders.includes('host')) throw notSigned('host')
  if (now > dateOf(date) + expires * 1000) throw refusal(400, 'ExpiredRequest', 'Request has expired')
  if (dateOf(date) > now + SKEW_MAX_MS) throw refusal(403, 'AccessDenied', 'Request is not valid yet')
  // R2 refuses URLs that an SDK signed with response checksums on (reports from users, 2025).
  if (query.has('x-amz-checksum-mode')) throw mismatch()
  return {
    credential: query.get('X-Amz-Credential') ?? '',
    signedHeaders,
    signature: query.get('X-Amz-Signature') ?? '',
    date,
    payload: signedHeaders.includes('x-amz-content-sha256')
      ? (headers.get('x-amz-content-sha256') ?? '')
      : (query.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD'),
    query: target.query.filter(([name]) => name !== 'X-Amz-Signature'),
  }
}

function canonical({ method, target, headers }: SignedRequest, claim: Claim): string {
  const query = claim.query
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
  const signed = claim.signedHeaders.map(name => `${name}:${(headers.get(name) ?? '').trim().replace(/ +/g, ' ')}\n`)
  return [
    method,
    encoded(target.path).replaceAll('%2F', '/'),
    query.join('&'),
    signed.join(''),
    claim.signedHeaders.join(';'),
    claim.payload,
  ].join('\n')
}

function payloadOf(
  said: string,
  seed: string,
  chain: (kind: string, previous: string, ...hashes: string[]) => string,
): Payload {
  if (said === 'UNSIGNED-PAYLOAD') return { kind: 'unsigned' }
  if (/^[0-9a-f]{64}$/.test(said)) return { kind: 'hashed', sha256: said }
  if (said === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') return { kind: 'chunked', sign: null, signTrailer: null }
  const signed = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
  if (said !== signed && said !== `${signed}-TRAILER`) {
    throw invalidArgument('x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a valid sha256 value or a STREAMING- value.')
  }
  let previous = seed
  const next = (signature: string) => {
    previous = signature
    return signature
  }
  return {
    kind: 'chunked',
    sign: sha256 => next(chain('PAYLOAD', previous, EMPTY_SHA256, sha256)),
    signTrailer: said === signed ? null : sha256 => next(chain('TRAILER', previous, sha256)),
  }
}

/** RFC 3986, as AWS wants it: only A-Z a-z 0-9 - . _ ~ stay. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function dateOf(date: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date)
  if (match === null)
    throw refusal(403, 'AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  const [, year, month, day, hour, minute, second] = match.map(Number)
  return Date.UTC(year!, month! - 1, day, hour, minute, second)
}

function notSigned(name: string): Error {
  return refusal(403, 'AccessDenied', `There were headers present in the request which were not signed: ${name}`)
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sign(key: string | Buffer, lines: string[]): string {
  return createHmac('sha256', key).update(lines.join('\n')).digest('hex')
}

export function same(expected: string, given: string): boolean {
  return expected.length === given.length && timingSafeEqual(Buffer.from(expected), Buffer.from(given))
}
