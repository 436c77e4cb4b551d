// Bodies in aws-chunked: `size;chunk-signature=…` before each chunk, trailers after the last.
// Source: S3 API reference, "SigV4-streaming" and "SigV4-streaming-trailers" (2026).
import { createHash } from 'node:crypto'
import { refusal } from './errors.ts'
import { mismatch, type Payload, same } from './sigv4.ts'

/** Longest line of a chunk header or trailer; real ones have about 100 bytes. */
const LINE_MAX_BYTES = 8192

/**
 * Yields the content; throws a refusal at a wrong signature or a body that ends early.
 * @param onTrailer name in lower case; called after the last chunk
 */
export async function* decodeChunks(
  source: AsyncIterable<Buffer>,
  { sign, signTrailer }: Extract<Payload, { kind: 'chunked' }>,
  onTrailer: (name: string, value: string) => void,
): AsyncGenerator<Buffer> {
  const input = source[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const more = async () => {
    const next = await input.next()
    if (next.done === true) throw incomplete()
    rest = rest.length === 0 ? next.value : Buffer.concat([rest, next.value])
  }
  const line = async () => {
    for (;;) {
      const at = rest.indexOf('\r\n')
      if (at >= 0) {
        const text = rest.toString('latin1', 0, at)
        rest = rest.subarray(at + 2)
        return text
      }
      if (rest.length > LINE_MAX_BYTES) throw incomplete()
      await more()
    }
  }

  try {
    for (;;) {
      const [size = '', ...extensions] = (await line()).split(';')
      if (!/^[0-9a-fA-F]{1,12}$/.test(size)) throw incomplete()
      const hash = createHash('sha256')
      let left = Number.parseInt(size, 16)
      const last = left === 0
      while (left > 0) {
        if (rest.length === 0) await more()
        const part = rest.subarray(0, left)
        rest = rest.subarray(part.length)
        left -= part.length
        if (sign !== null) hash.update(part)
        yield part
      }
      if (sign !== null) {
        const given = extensions.find(text => text.startsWith('chunk-signature='))?.slice('chunk-signature='.length)
        if (!same(sign(hash.digest('hex')), given ?? '')) throw mismatch()
      }
      if (last) break
      if ((await line()) !== '') throw incomplete()
    }

    let signed = ''
    for (;;) {
      const text = await line()
      if (text === '') break
      const at = text.indexOf(':')
      const [name, value] = [text.slice(0, at).trim().toLowerCase(), text.slice(at + 1).trim()]
      if (name === 'x-amz-trailer-signature') {
        const sha256 = createHash('sha256').update(signed).digest('hex')
        if (signTrailer !== null && !same(signTrailer(sha256), value)) throw mismatch()
        signed = ''
      } else {
        signed += `${name}:${value}\n`
        onTrailer(name, value)
      }
    }
    if (signTrailer !== null && signed !== '') throw mismatch()
    // What follows the end is read and dropped, so that the connection can be used again.
    while ((await input.next()).done !== true);
  } finally {
    // Lets go of the request after a refusal, so that the rest of the body can be dropped.
    await input.return?.()
  }
}

function incomplete(): Error {
  const message = 'You did not provide the number of bytes specified by the Content-Length HTTP header'
  return refusal(400, 'IncompleteBody', message)
}
