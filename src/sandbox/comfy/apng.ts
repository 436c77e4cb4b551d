// PNG chunks: reading them, adding texts, and joining still PNGs into one animated PNG (W3C PNG 3rd edition, 2025, section 11.3.6).
import { crc32 } from 'node:zlib'

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

export type Chunk = { type: string; data: Buffer }

export function readChunks(png: Buffer): Chunk[] {
  const chunks: Chunk[] = []
  for (let at = signature.length; at + 8 <= png.length; ) {
    const length = png.readUInt32BE(at)
    chunks.push({ type: png.toString('latin1', at + 4, at + 8), data: png.subarray(at + 8, at + 8 + length) })
    at += length + 12
  }
  return chunks
}

function writeChunks(chunks: Chunk[]): Buffer {
  const parts: Buffer[] = [signature]
  for (const { type, data } of chunks) {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    const frame = Buffer.alloc(4)
    frame.writeUInt32BE(data.length)
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(body))
    parts.push(frame, body, sum)
  }
  return Buffer.concat(parts)
}

const numbers = (...values: number[]) => {
  const data = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => {
    data.writeUInt32BE(value, index * 4)
  })
  return data
}

/** Adds tEXt chunks before the pixels; texts must be Latin-1 (JSON with escapes is). */
export function withTexts(png: Buffer, texts: Record<string, string>): Buffer {
  const [head, ...rest] = readChunks(png)
  if (!head) throw new Error('a PNG without chunks')
  const added = Object.entries(texts).map(([key, text]) => ({
    type: 'tEXt',
    data: Buffer.from(`${key}\0${text}`, 'latin1'),
  }))
  return writeChunks([head, ...added, ...rest])
}

/** Joins PNGs of one size and colour type; plays for ever. @param delayMs time of each frame, 0–65535 */
export function joinFrames(pngs: Buffer[], delayMs: number): Buffer {
  const first = readChunks(pngs[0] ?? Buffer.alloc(0))[0]
  if (first?.type !== 'IHDR') throw new Error('an animation needs at least one PNG')
  const [width, height] = [first.data.readUInt32BE(0), first.data.readUInt32BE(4)]
  const chunks: Chunk[] = [first, { type: 'acTL', data: numbers(pngs.length, 0) }]
  let sequence = 0
  pngs.forEach((png, frame) => {
    const control = Buffer.concat([numbers(sequence++, width, height, 0, 0), Buffer.alloc(6)])
    control.writeUInt16BE(Math.min(0xffff, Math.max(0, Math.round(delayMs))), 20)
    control.writeUInt16BE(1000, 22)
    chunks.push({ type: 'fcTL', data: control })
    for (const chunk of readChunks(png)) {
      if (chunk.type !== 'IDAT') continue
      if (frame === 0) chunks.push(chunk)
      else chunks.push({ type: 'fdAT', data: Buffer.concat([numbers(sequence++), chunk.data]) })
    }
  })
  return writeChunks([...chunks, { type: 'IEND', data: Buffer.alloc(0) }])
}
