// Reads a multipart/form-data body (RFC 7578) that is already in memory.

export type FormPart = { filename: string | null; data: Buffer }

const gap = Buffer.from('\r\n\r\n')

/** Parts by field name, the first of each name. Throws when the Content-Type names no boundary. */
export function parseForm(contentType: string | undefined, body: Buffer): Map<string, FormPart> {
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType ?? '')
  if (!boundary) throw new Error('a form without a boundary')
  const mark = Buffer.from(`--${boundary[1] ?? boundary[2]}`)
  const parts = new Map<string, FormPart>()
  for (let at = body.indexOf(mark); at >= 0; ) {
    const next = body.indexOf(mark, at + mark.length)
    if (next < 0) break
    // Between two marks: CRLF, headers, an empty line, the data, CRLF.
    const part = body.subarray(at + mark.length + 2, next - 2)
    at = next
    const end = part.indexOf(gap)
    if (end < 0) continue
    const headers = part.toString('utf8', 0, end)
    const name = /[ ;]name="([^"]*)"/i.exec(headers)?.[1]
    const filename = /filename="([^"]*)"/i.exec(headers)?.[1] ?? null
    if (name !== undefined && !parts.has(name)) parts.set(name, { filename, data: part.subarray(end + gap.length) })
  }
  return parts
}
