// What can be done with a bucket as a whole: listings, location, deleting many keys at once.
import { receiveDocument } from './body.ts'
import { type Call, respondXml } from './call.ts'
import { invalidArgument, malformedXml } from './errors.ts'
import { type Cursor, cursorOf, listKeys, tokenOf } from './listing.ts'
import { element, insidesOf, textOf } from './xml.ts'

/** S3 and R2: keys in one listing, and in one batch of deletions. */
const KEYS_MAX = 1000

export function listObjects(call: Call): void {
  const { query, bucket } = call
  const second = query.get('list-type') === '2'
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const max = maxKeys(query.get('max-keys'))
  const encodes = encoding(query.get('encoding-type'))
  const after = second ? secondCursor(query) : firstCursor(query, delimiter)
  const listing = listKeys(bucket.shelf.keys(), { prefix, delimiter, max, after })
  const contents = listing.keys.map(key => {
    const object = bucket.shelf.get(key)
    return element('Contents', [
      element('Key', encodes(key)),
      element('LastModified', new Date(object?.modifiedAt ?? 0).toISOString()),
      element('ETag', `"${object?.etag}"`),
      element('Size', object?.sizeBytes ?? 0),
      element('StorageClass', 'STANDARD'),
    ])
  })
  const prefixes = listing.prefixes.map(one => element('CommonPrefixes', [element('Prefix', encodes(one))]))
  respondXml(call, 'ListBucketResult', [
    element('Name', bucket.name),
    element('Prefix', encodes(prefix)),
    ...(delimiter === '' ? [] : [element('Delimiter', encodes(delimiter))]),
    ...(query.has('encoding-type') ? [element('EncodingType', 'url')] : []),
    element('MaxKeys', max),
    element('IsTruncated', listing.next !== null),
    ...(second
      ? secondFields(query, encodes, contents.length + prefixes.length, listing.next)
      : firstFields(query, encodes, listing.next)),
    ...contents,
    ...prefixes,
  ])
}

type Encode = (text: string) => string

function secondFields(query: Map<string, string>, encodes: Encode, count: number, next: Cursor | null): string[] {
  const token = query.get('continuation-token')
  const start = query.get('start-after')
  return [
    element('KeyCount', count),
    ...(token === undefined ? [] : [element('ContinuationToken', token)]),
    ...(start === undefined ? [] : [element('StartAfter', encodes(start))]),
    ...(next === null ? [] : [element('NextContinuationToken', tokenOf(next))]),
  ]
}

function firstFields(query: Map<string, string>, encodes: Encode, next: Cursor | null): string[] {
  const marker = element('Marker', encodes(query.get('marker') ?? ''))
  if (next === null) return [marker]
  return [marker, element('NextMarker', encodes('key' in next ? next.key : next.prefix))]
}

function secondCursor(query: Map<string, string>): Cursor | null {
  const token = query.get('continuation-token')
  if (token !== undefined) return cursorOf(token)
  const start = query.get('start-after')
  return start === undefined || start === '' ? null : { key: start }
}

/** A marker may be a common prefix of the page before. */
function firstCursor(query: Map<string, string>, delimiter: string): Cursor | null {
  const marker = query.get('marker') ?? ''
  if (marker === '') return null
  return delimiter !== '' && marker.endsWith(delimiter) ? { prefix: marker } : { key: marker }
}

function maxKeys(text: string | undefined): number {
  if (text === undefined) return KEYS_MAX
  if (!/^\d{1,10}$/.test(text)) throw invalidArgument('Provided max-keys not an integer or within integer range')
  return Math.min(Number(text), KEYS_MAX)
}

function encoding(type: string | undefined): Encode {
  if (type === undefined) return text => text
  if (type !== 'url') throw invalidArgument('Invalid Encoding Method specified in Request')
  return text => encodeURIComponent(text).replaceAll('%2F', '/')
}

export async function deleteObjects(call: Call): Promise<void> {
  const xml = await receiveDocument(call.request, call.headers, call.payload)
  const keys = insidesOf(xml, 'Object').map(one => textOf(one, 'Key'))
  if (keys.length === 0 || keys.length > KEYS_MAX || keys.includes(null)) throw malformedXml()
  for (const key of keys) await call.bucket.shelf.delete(key ?? '')
  const quiet = textOf(xml, 'Quiet') === 'true'
  const deleted = keys.map(key => element('Deleted', [element('Key', key ?? '')]))
  respondXml(call, 'DeleteResult', quiet ? [] : deleted)
}

export function bucketLocation(call: Call): void {
  respondXml(call, 'LocationConstraint', [call.region])
}
