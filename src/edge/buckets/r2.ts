// Cloudflare R2 and plain S3 (AWS, MinIO, radosgw, RunPod's volumes) as a Bucket. The only file that knows the AWS SDK.
//
// What differs from the SDK's defaults, and why (ssh-and-s3 notes, SDK 3.1169.0, 2026-08): checksums only where required (R2
// refuses some, and signed URLs would carry them) · no `Expect: 100-continue` (R2 never answers it: 6 s a body) · no retries of
// its own (it cannot repeat streams) · own agent and time-outs (its own are none).
import { createHash, randomInt } from 'node:crypto'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Readable } from 'node:stream'
import type { Bucket, Clock } from '../../ports.ts'
import type { Secret } from '../../wire/secret.ts'
import { systemClock } from '../clock.ts'
import { again, type S3Calls } from './r2-api.ts'
import { download } from './r2-download.ts'
import { codeOf, statusOf } from './r2-fault.ts'
import { publish, upload } from './r2-upload.ts'

export type R2Options = {
  /** `https://<account>.r2.cloudflarestorage.com`, or any S3 endpoint. */
  endpoint: string
  bucket: string
  accessKeyId: string
  secretAccessKey: Secret
  /** `auto` where absent, as R2 wants it. */
  region?: string
  /** `s3`: region `us-east-1` where none is given, since AWS and MinIO know no `auto`. */
  profile?: 'r2' | 's3'
  clock?: Clock
}

const silent = () => {}

/** Signed URLs live 1 s to 7 days (R2 "Presigned URLs", 2026-08). */
const SIGNED_SECONDS_MAX = 7 * 24 * 3600

/**
 * Never talks to the bucket by itself: a wrong key or name shows with the first call. Passing faults are tried four times before
 * they come out. Faults: see `bucketFault`; job `file_changed` when a file is not what its digest says.
 */
export async function createR2(options: R2Options): Promise<Bucket> {
  const [sdk, presigner] = await Promise.all([import('@aws-sdk/client-s3'), import('@aws-sdk/s3-request-presigner')])
  const agent = { keepAlive: true, maxSockets: 64 }
  const client = new sdk.S3Client({
    endpoint: options.endpoint,
    region: options.region ?? (options.profile === 's3' ? 'us-east-1' : 'auto'),
    credentials: { accessKeyId: options.accessKeyId, secretAccessKey: options.secretAccessKey.reveal() },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    maxAttempts: 1,
    // It would write its remarks ("non-retryable streaming request") into the dashboard; the faults say it better.
    logger: { trace: silent, debug: silent, info: silent, warn: silent, error: silent },
    requestHandler: {
      connectionTimeout: 5_000,
      // Silence on the socket, not the whole request: 64 MiB at 1 MB/s take longer than a minute and are well.
      socketTimeout: 60_000,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
    },
  })
  const Bucket = options.bucket
  const ifNew = (onlyNew: boolean) => (onlyNew ? { IfNoneMatch: '*' } : {})
  const abortable = (signal?: AbortSignal) => (signal ? { abortSignal: signal } : {})

  const s3: S3Calls = {
    async put(Key, Body, ContentLength, sha256, { onlyNew }, signal) {
      const input = { Bucket, Key, Body, ContentLength, Metadata: { sha256 }, ...ifNew(onlyNew) }
      await client.send(new sdk.PutObjectCommand(input), abortable(signal))
    },
    async head(Key) {
      try {
        const found = await client.send(new sdk.HeadObjectCommand({ Bucket, Key }))
        return {
          bytes: found.ContentLength ?? 0,
          sha256: found.Metadata?.sha256 ?? null,
          etag: (found.ETag ?? '').replaceAll('"', ''),
        }
      } catch (error) {
        if (statusOf(error) === 404 && codeOf(error) !== 'NoSuchBucket') return null
        throw error
      }
    },
    async read(Key, from, etag, signal) {
      const input = { Bucket, Key, IfMatch: `"${etag}"`, ...(from > 0 ? { Range: `bytes=${from}-` } : {}) }
      const answer = await client.send(new sdk.GetObjectCommand(input), abortable(signal))
      return answer.Body as Readable
    },
    async begin(Key, sha256) {
      const input = { Bucket, Key, ...(sha256 ? { Metadata: { sha256 } } : {}) }
      return (await client.send(new sdk.CreateMultipartUploadCommand(input))).UploadId ?? ''
    },
    async part(Key, UploadId, PartNumber, Body, ContentLength, signal) {
      const input = { Bucket, Key, UploadId, PartNumber, Body, ContentLength }
      return (await client.send(new sdk.UploadPartCommand(input), abortable(signal))).ETag ?? ''
    },
    async complete(Key, UploadId, etags, { onlyNew }) {
      const Parts = etags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }))
      const input = { Bucket, Key, UploadId, MultipartUpload: { Parts }, ...ifNew(onlyNew) }
      await client.send(new sdk.CompleteMultipartUploadCommand(input))
    },
    async abort(Key, UploadId) {
      await client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
    },
  }

  const retry = again(options.clock ?? systemClock, () => randomInt(2 ** 32) / 2 ** 32)
  const seconds = (ttlMs: number) => ({ expiresIn: Math.min(SIGNED_SECONDS_MAX, Math.max(1, Math.ceil(ttlMs / 1000))) })

  return {
    name: options.bucket,
    put: (key, path, putOptions) => upload(s3, retry, key, path, putOptions),
    putText: (key, text, { onlyNew = false } = {}) => {
      const sha256 = createHash('sha256').update(text).digest('hex')
      const send = () => s3.put(key, text, Buffer.byteLength(text), sha256, { onlyNew })
      return publish(s3, retry, key, sha256, onlyNew, undefined, send)
    },
    head: key => retry(`look at ${key}`, () => s3.head(key)),
    get: (key, path, getOptions = {}) => download(s3, retry, key, path, getOptions),
    async list(prefix) {
      const found: { key: string; bytes: number }[] = []
      let token: string | undefined
      do {
        const input = { Bucket, Prefix: prefix, ...(token ? { ContinuationToken: token } : {}) }
        const page = await retry(`list of ${prefix}`, () => client.send(new sdk.ListObjectsV2Command(input)))
        for (const item of page.Contents ?? []) if (item.Key) found.push({ key: item.Key, bytes: item.Size ?? 0 })
        token = page.IsTruncated ? page.NextContinuationToken : undefined
      } while (token)
      return found
    },
    async delete(key) {
      await retry(`removal of ${key}`, () => client.send(new sdk.DeleteObjectCommand({ Bucket, Key: key })))
    },
    presign(key, verb, ttlMs) {
      const input = { Bucket, Key: key }
      const command = verb === 'GET' ? new sdk.GetObjectCommand(input) : new sdk.PutObjectCommand(input)
      return presigner.getSignedUrl(client, command, seconds(ttlMs))
    },
    async presignParts(key, parts, ttlMs) {
      const uploadId = await retry(`upload of ${key}`, () => s3.begin(key, null))
      const urls = Array.from({ length: parts }, (_, index) => {
        const command = new sdk.UploadPartCommand({ Bucket, Key: key, UploadId: uploadId, PartNumber: index + 1 })
        return presigner.getSignedUrl(client, command, seconds(ttlMs))
      })
      return { uploadId, urls: await Promise.all(urls) }
    },
    completeParts: (key, uploadId, etags) =>
      retry(`upload of ${key}`, async attempt => {
        try {
          await s3.complete(key, uploadId, etags, { onlyNew: false })
        } catch (error) {
          // The answer to an earlier try was lost: the upload is gone because it became the object.
          const done = attempt > 1 && codeOf(error) === 'NoSuchUpload' && (await s3.head(key)) !== null
          if (!done) throw error
        }
      }),
  }
}
