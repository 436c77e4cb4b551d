// What a request is about: bucket, key and query, decoded from the raw request line.
//
// `new URL` is not used on purpose: it folds `..` and re-encodes, and a key may be any text; the signature is over it as sent.
import { invalidArgument, refusal } from './errors.ts'

/** S3 and R2: a key is at most 1,024 bytes of UTF-8. */
const KEY_MAX_BYTES = 1024

export type Target = {
  /** '' for the list of buckets. */
  bucket: string
  /** '' for the bucket itself. */
  key: string
  /** Decoded, slashes kept. */
  path: string
  query: [string, string][]
}

export function parseTarget(url: string): Target {
  const at = url.indexOf('?')
  const path = decoded(at < 0 ? url : url.slice(0, at))
  if (!path.startsWith('/')) throw refusal(400, 'InvalidURI', 'Could not parse the specified URI.')
  const slash = path.indexOf('/', 1)
  const bucket = slash < 0 ? path.slice(1) : path.slice(1, slash)
  const key = slash < 0 ? '' : path.slice(slash + 1)
  if (Buffer.byteLength(key) > KEY_MAX_BYTES) throw refusal(400, 'KeyTooLongError', 'Your key is too long')
  return { bucket, key, path, query: at < 0 ? [] : parseQuery(url.slice(at + 1)) }
}

function parseQuery(text: string): [string, string][] {
  return text
    .split('&')
    .filter(part => part !== '')
    .map(part => {
      const at = part.indexOf('=')
      const [name, value] = at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]
      return [decoded(name.replaceAll('+', ' ')), decoded(value.replaceAll('+', ' '))]
    })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refusal(400, 'InvalidURI', 'Could not parse the specified URI.')
  }
}

/** `bucket/key` of an x-amz-copy-source header. */
export function parseCopySource(header: string): { bucket: string; key: string } {
  const [path = ''] = header.replace(/^\//, '').split('?')
  const source = decoded(path)
  const at = source.indexOf('/')
  if (at < 1 || at === source.length - 1) throw invalidArgument('Copy Source must mention the source bucket and key')
  return { bucket: source.slice(0, at), key: source.slice(at + 1) }
}
