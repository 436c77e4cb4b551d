// A line being typed: filter, command, or the word that guards every pod.
import { clean } from './text.ts'

const LINE_MAX = 200

/** A line being typed, after this key. */
export function edited(text: string, key: string): string {
  if (key === 'backspace') return [...text].slice(0, -1).join('')
  if (key === 'ctrl-u') return ''
  if (key === 'ctrl-w') return text.replace(/\S*\s*$/, '')
  const char = key === 'space' ? ' ' : key
  return [...char].length === 1 ? [...text, char].slice(0, LINE_MAX).join('') : text
}

/** With pasted text at its end. */
export function extended(text: string, pasted: string): string {
  return [...text, ...clean(pasted)].slice(0, LINE_MAX).join('')
}
