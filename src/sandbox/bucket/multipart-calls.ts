// Uploads in parts, by R2's rules: all parts but the last of one size and at least 5 MiB, the last one no larger.
// Source: R2 "Multipart objects" and "Limits" (2026).
import { createHash } from 'node:crypto'
import { receiveDocument, receiveFile } from './body.ts'
import { type Call, respond, respondXml } from './call.ts'
import { checkWrite } from './conditions.ts'
import { invalidArgument, malformedXml, refusal } from './errors.ts'
import { limitedHeaders } from './object-calls.ts'
import type { Part, Upload } from './uploads.ts'
import { element, insidesOf, textOf } from './xml.ts'

const PARTS_MAX = 10_000
const PART_MIN_BYTES = 5 * 1024 ** 2

export async function createUpload(call: Call): Promise<void> {
  checkWrite(call.headers, call.bucket.shelf.get(call.key))
  const headers = limitedHeaders(call)
  const upload = await call.bucket.uploads.create({ key: call.key, headers, startedAt: call.now() })
  respondXml(call, 'InitiateMultipartUploadResult', [...named(call), element('UploadId', upload.id)])
}

export async function putPart(call: Call): Promise<void> {
  const { shelf, uploads, uploadTurn } = call.bucket
  const id = call.query.get('uploadId') ?? ''
  const number = Number(call.query.get('partNumber'))
  if (!Number.isInteger(number) || number < 1 || number > PARTS_MAX) {
    throw invalidArgument(`Part number must be an integer between 1 and ${PARTS_MAX}, inclusive`)
  }
  uploads.get(id, call.key)
  const { file, path } = shelf.newPiece()
  const { sizeBytes, md5 } = await receiveFile(call.request, call.headers, call.payload, path)
  const part = { file, sizeBytes, md5, modifiedAt: call.now() }
  try {
    const replaced = await uploadTurn(id, async () => uploads.keepPart(uploads.get(id, call.key), number, part))
    await shelf.discard(replaced)
  } catch (error) {
    await shelf.discard([part])
    throw error
  }
  respond(call, 200, { etag: `"${md5}"` })
}

export async function completeUpload(call: Call): Promise<void> {
  const { shelf, uploads, uploadTurn } = call.bucket
  const id = call.query.get('uploadId') ?? ''
  uploads.get(id, call.key)
  const wanted = wantedParts(await receiveDocument(call.request, call.headers, call.payload))
  await uploadTurn(id, async () => {
    const upload = uploads.get(id, call.key)
    const parts = chosenParts(upload, wanted)
    const md5 = createHash('md5')
    for (const part of parts) md5.update(part.md5, 'hex')
    const object = {
      key: call.key,
      sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0),
      etag: `${md5.digest('hex')}-${parts.length}`,
      modifiedAt: call.now(),
      headers: upload.headers,
      pieces: parts.map(({ file, sizeBytes }) => ({ file, sizeBytes })),
    }
    // When the condition fails the upload stays: it may be completed under another one, or aborted.
    await shelf.commit(object, current => checkWrite(call.headers, current))
    await uploads.close(upload)
    await shelf.discard([...upload.parts.values()].filter(part => !parts.includes(part)))
    const location = element('Location', `/${call.bucket.name}/${call.key}`)
    respondXml(call, 'CompleteMultipartUploadResult', [location, ...named(call), element('ETag', `"${object.etag}"`)])
  })
}

export async function abortUpload(call: Call): Promise<void> {
  const { shelf, uploads, uploadTurn } = call.bucket
  const id = call.query.get('uploadId') ?? ''
  await uploadTurn(id, async () => {
    const upload = uploads.get(id, call.key)
    await uploads.close(upload)
    await shelf.discard([...upload.parts.values()])
  })
  respond(call, 204)
}

export async function listParts(call: Call): Promise<void> {
  const upload = call.bucket.uploads.get(call.query.get('uploadId') ?? '', call.key)
  const after = Number(call.query.get('part-number-marker') ?? 0)
  const max = Math.min(Number(call.query.get('max-parts') ?? 1000), 1000)
  const all = [...upload.parts].sort(([a], [b]) => a - b).filter(([number]) => number > after)
  const shown = all.slice(0, max)
  respondXml(call, 'ListPartsResult', [
    ...named(call),
    element('UploadId', upload.id),
    element('PartNumberMarker', after),
    element('NextPartNumberMarker', shown.at(-1)?.[0] ?? after),
    element('MaxParts', max),
    element('IsTruncated', all.length > shown.length),
    ...shown.map(([number, part]) =>
      element('Part', [
        element('PartNumber', number),
        element('LastModified', new Date(part.modifiedAt).toISOString()),
        element('ETag', `"${part.md5}"`),
        element('Size', part.sizeBytes),
      ]),
    ),
  ])
}

export async function listUploads(call: Call): Promise<void> {
  const prefix = call.query.get('prefix') ?? ''
  const uploads = call.bucket.uploads.all().filter(upload => upload.key.startsWith(prefix))
  respondXml(call, 'ListMultipartUploadsResult', [
    element('Bucket', call.bucket.name),
    element('Prefix', prefix),
    element('MaxUploads', Math.max(uploads.length, 1000)),
    element('IsTruncated', false),
    ...uploads.map(upload =>
      element('Upload', [
        element('Key', upload.key),
        element('UploadId', upload.id),
        element('Initiated', new Date(upload.startedAt).toISOString()),
        element('StorageClass', 'STANDARD'),
      ]),
    ),
  ])
}

type Wanted = { number: number; etag: string }

function wantedParts(xml: string): Wanted[] {
  const wanted = insidesOf(xml, 'Part').map(part => ({
    number: Number(textOf(part, 'PartNumber')?.trim() ?? Number.NaN),
    etag: (textOf(part, 'ETag') ?? '').trim().replaceAll('"', ''),
  }))
  const valid = wanted.every(({ number, etag }) => Number.isInteger(number) && etag !== '')
  if (wanted.length === 0 || wanted.length > PARTS_MAX || !valid) throw malformedXml()
  return wanted
}

function chosenParts(upload: Upload, wanted: Wanted[]): Part[] {
  const ascending = wanted.every(({ number }, at) => at === 0 || number > (wanted[at - 1]?.number ?? 0))
  if (!ascending) throw refusal(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.')
  const parts = wanted.map(({ number, etag }) => {
    const part = upload.parts.get(number)
    if (part === undefined || part.md5 !== etag) {
      throw refusal(400, 'InvalidPart', 'One or more of the specified parts could not be found.')
    }
    return part
  })
  const size = parts[0]?.sizeBytes ?? 0
  const leading = parts.slice(0, -1)
  if (leading.some(part => part.sizeBytes < PART_MIN_BYTES)) {
    throw refusal(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed object size.')
  }
  if (leading.some(part => part.sizeBytes !== size) || (parts.at(-1)?.sizeBytes ?? 0) > size) {
    throw refusal(400, 'InvalidPart', 'All non-trailing parts must have the same length.')
  }
  return parts
}

function named(call: Call): string[] {
  return [element('Bucket', call.bucket.name), element('Key', call.key)]
}
