// The little XML that S3 speaks: documents written, and the flat lists of two request bodies read.

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** Text is escaped; a list of elements is taken as it is. */
export function element(name: string, content: string | number | boolean | string[]): string {
  return `<${name}>${Array.isArray(content) ? content.join('') : escaped(String(content))}</${name}>`
}

export function xmlDocument(root: string, content: string[]): string {
  const opened = root === 'Error' ? root : `${root} xmlns="${NAMESPACE}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${opened}>${content.join('')}</${root}>`
}

function escaped(text: string): string {
  return text.replace(/[&<>"\u0000-\u001f\u007f]/g, char => `&#${char.charCodeAt(0)};`)
}

/** The insides of every element of that name, whatever its namespace prefix. No element may contain one of its own name. */
export function insidesOf(xml: string, name: string): string[] {
  const found = xml.matchAll(new RegExp(`<(?:\\w+:)?${name}(?:\\s[^>]*)?>([\\s\\S]*?)</(?:\\w+:)?${name}>`, 'g'))
  return Array.from(found, match => match[1] ?? '')
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** The text of the first element of that name, or null. */
export function textOf(xml: string, name: string): string | null {
  const inside = insidesOf(xml, name)[0]
  if (inside === undefined) return null
  return inside.replace(/&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(\w+));/g, (all, hex, decimal, entity) => {
    if (entity !== undefined) return ENTITIES[entity] ?? all
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : all
  })
}
