// Markup in which nothing from outside can become markup: every value of a template is escaped unless it is markup of this file.

export type Html = { readonly markup: string }
type Value = Html | readonly Html[] | string | number | null

/** Controls, marks that turn text round or hide in it, halves of characters: shown as a sign, so that they are seen. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu
const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** For text and for quoted attributes alike. */
export function escaped(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(UNSEEN, '�')
    .replace(/[&<>"']/g, sign => ENTITIES[sign] ?? sign)
}

export function html(parts: TemplateStringsArray, ...values: Value[]): Html {
  let markup = parts[0] ?? ''
  for (const [index, value] of values.entries()) markup += `${markupOf(value)}${parts[index + 1] ?? ''}`
  return { markup }
}

function markupOf(value: Value): string {
  if (value === null) return ''
  if (typeof value === 'object') return 'markup' in value ? value.markup : value.map(one => one.markup).join('')
  return escaped(String(value))
}

/** `<data>` carries the exact figure behind a rounded one: for scripts, and for whoever adds up. */
export function figure(value: number, shown: string): Html {
  return html`<data value="${value}">${shown}</data>`
}
