// What a key means now, and which keys the footer and the `?` overlay show: read from the one key table.
import { BINDINGS, type Binding, type Context, type Mode, PAGES } from './keys.ts'

function isValid(binding: Binding, context: Context): boolean {
  return (
    binding.modes.includes(context.mode) &&
    !(binding.changes && context.facts.readonly) &&
    (binding.valid?.(context) ?? true)
  )
}

/** What a key means now; null = nothing. */
export function bindingOf(key: string, context: Context): Binding | null {
  return BINDINGS.find(binding => binding.keys.includes(key) && isValid(binding, context)) ?? null
}

/** A key that exists here but not for this row, for a word of explanation; a step back too many needs none. */
export function unavailable(key: string, context: Context): Binding | null {
  const known = BINDINGS.find(binding => binding.keys.includes(key) && binding.modes.includes(context.mode))
  return known && known.action !== 'back' ? known : null
}

/** What the footer can show now, in reading order. */
export function footerOf(context: Context): Binding[] {
  const shown = BINDINGS.filter(binding => binding.footer !== null && binding.word && isValid(binding, context))
  return shown.filter((binding, index) => shown.findIndex(other => other.keys[0] === binding.keys[0]) === index)
}

/** What the overlay shows: the keys of the page below it, whether or not the selected row allows them. */
export function helpOf(mode: Mode, readonly: boolean): Binding[] {
  const isPage = PAGES.includes(mode)
  return BINDINGS.filter(
    binding =>
      (binding.modes.includes(mode) || (isPage && binding.modes.length === 0)) && !(binding.changes && readonly),
  )
}

/** How a key is written for people. */
export function written(key: string): string {
  const names: Record<string, string> = { up: '↑', down: '↓', pgup: 'PgUp', pgdn: 'PgDn', 'shift-tab': 'S-tab' }
  return names[key] ?? key
}
