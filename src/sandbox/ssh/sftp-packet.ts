// SFTP version 3 on the wire: packets cut from a byte stream, fields read and written.
// Source: draft-ietf-secsh-filexfer-02; extensions from OpenSSH's PROTOCOL file (9.2).
import type { Stats } from 'node:fs'

/** OpenSSH's SFTP_MAX_MSG_LENGTH: what sftp-server accepts, and what it says in limits@openssh.com. */
export const PACKET_MAX_BYTES = 256 * 1024
/** OpenSSH leaves 1 KiB of a packet for everything but the data. */
export const DATA_MAX_BYTES = PACKET_MAX_BYTES - 1024

export const TYPE = {
  INIT: 1,
  VERSION: 2,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  WRITE: 6,
  LSTAT: 7,
  FSTAT: 8,
  SETSTAT: 9,
  FSETSTAT: 10,
  OPENDIR: 11,
  READDIR: 12,
  REMOVE: 13,
  MKDIR: 14,
  RMDIR: 15,
  REALPATH: 16,
  STAT: 17,
  RENAME: 18,
  READLINK: 19,
  SYMLINK: 20,
  STATUS: 101,
  HANDLE: 102,
  DATA: 103,
  NAME: 104,
  ATTRS: 105,
  EXTENDED: 200,
  EXTENDED_REPLY: 201,
} as const

export const STATUS = { OK: 0, EOF: 1, NO_SUCH_FILE: 2, DENIED: 3, FAILURE: 4, BAD_MESSAGE: 5, UNSUPPORTED: 8 } as const

const HAS = { SIZE: 1, OWNER: 2, MODE: 4, TIMES: 8, EXTENDED: 0x80000000 } as const

export type Attributes = { size?: number; mode?: number; atime?: number; mtime?: number }
export type Fields = {
  byte(): number
  uint32(): number
  /** A 64-bit number; throws beyond 2^53, which no file here has. */
  uint64(): number
  bytes(): Buffer
  text(): string
  attributes(): Attributes
}

/** Reading beyond the end of a packet throws RangeError: a malformed request. */
export function fields(packet: Buffer): Fields {
  let at = 0
  const uint32 = () => {
    at += 4
    return packet.readUInt32BE(at - 4)
  }
  const uint64 = () => {
    at += 8
    const value = packet.readBigUInt64BE(at - 8)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('offset out of range')
    return Number(value)
  }
  const bytes = () => {
    const length = uint32()
    if (at + length > packet.length) throw new RangeError('string runs over the end of the packet')
    at += length
    return packet.subarray(at - length, at)
  }
  return {
    byte: () => packet.readUInt8(at++),
    uint32,
    uint64,
    bytes,
    text: () => bytes().toString('utf8'),
    attributes: () => {
      const flags = uint32()
      const result: Attributes = {}
      if (flags & HAS.SIZE) result.size = uint64()
      if (flags & HAS.OWNER) at += 8
      if (flags & HAS.MODE) result.mode = uint32()
      if (flags & HAS.TIMES) {
        result.atime = uint32()
        result.mtime = uint32()
      }
      return result
    },
  }
}

export function uint32(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(4)
  buffer.writeUInt32BE(value >>> 0)
  return buffer
}

export function uint64(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(8)
  buffer.writeBigUInt64BE(BigInt(value))
  return buffer
}

export function text(value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return Buffer.concat([uint32(bytes.length), bytes])
}

export function attributes(stats: Stats): Buffer {
  const flags = HAS.SIZE | HAS.OWNER | HAS.MODE | HAS.TIMES
  const numbers = [stats.uid, stats.gid, stats.mode, stats.atimeMs / 1000, stats.mtimeMs / 1000]
  return Buffer.concat([uint32(flags), uint64(stats.size), ...numbers.map(value => uint32(Math.floor(value)))])
}

export function packet(type: number, ...parts: Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 1)
  return Buffer.concat([uint32(length), Buffer.from([type]), ...parts])
}

/** Cuts packets (type byte first, no length) from a stream. Throws RangeError at one that is empty or too long. */
export async function* packets(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let have = 0
  for await (const chunk of stream) {
    parts.push(chunk)
    have += chunk.length
    if (have < 4) continue
    let buffer = parts.length === 1 ? chunk : null
    for (;;) {
      buffer ??= have >= needed(parts) ? Buffer.concat(parts, have) : null
      if (buffer === null || buffer.length < 4) break
      const length = buffer.readUInt32BE(0)
      if (length < 1 || length > PACKET_MAX_BYTES) throw new RangeError(`packet of ${length} bytes`)
      if (buffer.length < 4 + length) break
      yield buffer.subarray(4, 4 + length)
      buffer = buffer.subarray(4 + length)
    }
    if (buffer !== null) {
      parts = buffer.length > 0 ? [buffer] : []
      have = buffer.length
    }
  }
}

/** The first packet's length, without joining what has come: a large write arrives in eight pieces. */
function needed(parts: Buffer[]): number {
  const first = parts[0]
  return first === undefined || first.length < 4 ? 0 : 4 + first.readUInt32BE(0)
}
