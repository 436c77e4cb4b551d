// The last line: the keys that mean something now, a notice, or the filter being typed. And the list of all keys behind `?`.
import { completions } from '../command.ts'
import { footerOf, helpOf, written } from '../key-lookup.ts'
import { type Binding, type Context, contextOf, modeOf } from '../keys.ts'
import type { Facts, Model } from '../model.ts'
import { clear, frame, put, type Region, type Screen } from '../screen.ts'
import { clean, cut, textWidth } from '../text.ts'

export function drawFooter(screen: Screen, region: Region, facts: Facts, model: Model): void {
  const { ink } = screen
  const { width, y } = region
  let x = region.x + 1
  if (model.notice && facts.clock < model.notice.until) {
    put(screen, x, y, cut(clean(model.notice.text), width - 2), ink.wait)
    return
  }
  const typing = model.page?.type === 'log' ? model.page.typing : model.editing ? model.filter : null
  if (typing !== null) {
    x = put(screen, x, y, `/${clean(typing)}`, ink.strong, width - 30)
    x = put(screen, x, y, ' ', ink.title) + 2
  } else if (model.command) {
    drawCommand(screen, region, model.command, contextOf({ ...model, command: null }, facts))
    return
  } else if (modeOf(model) === 'dialog') x = put(screen, x, y, '↑↓ choose', ink.dim) + 2
  else if (modeOf(model) === 'table') x = put(screen, x, y, '↑↓ select', ink.dim) + 2
  for (const { shown, word } of fitting(footerOf(contextOf(model, facts)), width - x - 1)) {
    x = put(screen, x, y, shown, ink.key)
    x = put(screen, x + 1, y, word, ink.dim) + 2
  }
}

/** The line, then why it was not understood, or what could be meant. */
function drawCommand(screen: Screen, region: Region, command: { text: string; error: string }, context: Context): void {
  const { ink } = screen
  const { width, y } = region
  // The end of a long line is what is being typed.
  const text = clean(command.text)
  let x = put(screen, region.x + 1, y, `:${text.slice(-Math.max(10, width - 30))}`, ink.strong)
  x = put(screen, x, y, ' ', ink.title) + 2
  if (command.error) put(screen, x, y, cut(clean(command.error), width - x - 1), ink.bad)
  else put(screen, x, y, cut(clean(completions(text, context, 30).join('  ')), width - x - 1), ink.dim)
}

function fitting(bindings: Binding[], width: number): Binding[] {
  const kept = [...bindings]
  const size = () => kept.reduce((sum, { shown, word }) => sum + textWidth(shown) + word.length + 3, -2)
  while (kept.length > 1 && size() > width) {
    const last = kept.reduce((worst, binding) => ((binding.footer ?? 0) >= (worst.footer ?? 0) ? binding : worst))
    kept.splice(kept.indexOf(last), 1)
  }
  return kept
}

function keysOf({ keys, shown }: Binding): string {
  return keys.length > 0 ? keys.map(written).join(' ') : shown
}

type HelpShape = { bindings: Binding[]; columns: number; rows: number; width: number; keysWidth: number }

function helpShape(model: Model, facts: Facts): HelpShape {
  const bindings = helpOf(modeOf({ ...model, help: false, dialog: null }), facts.readonly)
  const width = Math.min(model.width - 4, 132)
  const keysWidth = Math.max(...bindings.map(binding => textWidth(keysOf(binding)))) + 2
  const columns = width >= 112 ? 2 : 1
  return { bindings, columns, width, keysWidth, rows: Math.min(model.height - 4, Math.ceil(bindings.length / columns)) }
}

/** How far the list of keys can be scrolled. */
export function helpScroll(model: Model, facts: Facts): number {
  const { bindings, columns, rows } = helpShape(model, facts)
  return Math.max(0, Math.ceil(bindings.length / columns) - rows)
}

export function drawHelp(screen: Screen, facts: Facts, model: Model): void {
  const { bindings, columns, rows, width, keysWidth } = helpShape(model, facts)
  const height = rows + 2
  const region = { x: Math.floor((model.width - width) / 2), y: Math.floor((model.height - height) / 2), width, height }
  clear(screen, { ...region, x: region.x - 1, width: width + 2 })
  const scroll = helpScroll(model, facts)
  const top = Math.min(model.helpTop, scroll)
  const inside = frame(
    screen,
    region,
    scroll > 0 ? 'keys here · ↑↓ more · esc back' : 'keys here · esc back',
    screen.ink.key,
  )
  const columnWidth = Math.floor(inside.width / columns)
  const perColumn = Math.ceil(bindings.length / columns)
  for (const [index, binding] of bindings.entries()) {
    const row = (index % perColumn) - top
    if (row < 0 || row >= rows) continue
    const x = inside.x + Math.floor(index / perColumn) * columnWidth
    put(screen, x, inside.y + row, keysOf(binding), screen.ink.key)
    put(screen, x + keysWidth, inside.y + row, cut(binding.help, columnWidth - keysWidth), screen.ink.plain)
  }
}
