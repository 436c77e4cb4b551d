// The last line: the keys that mean something now, a notice, or the filter being typed. And the list of all keys behind `?`.
import { type Binding, contextOf, footerOf, helpOf, modeOf } from '../keys.ts'
import type { Facts, Model } from '../model.ts'
import { frame, put, type Region, type Screen } from '../screen.ts'
import { clean, cut, textWidth } from '../text.ts'

export function drawFooter(screen: Screen, region: Region, facts: Facts, model: Model): void {
  const { ink } = screen
  const { width, y } = region
  let x = region.x + 1
  if (model.notice && facts.now < model.notice.until) {
    put(screen, x, y, cut(clean(model.notice.text), width - 2), ink.wait)
    return
  }
  if (model.editing) {
    x = put(screen, x, y, `/${clean(model.filter)}`, ink.strong, width - 30)
    x = put(screen, x, y, ' ', ink.title) + 2
  } else if (modeOf(model) === 'table') x = put(screen, x, y, '↑↓ select', ink.dim) + 2
  for (const { shown, word } of fitting(footerOf(contextOf(model, facts)), width - x - 1)) {
    x = put(screen, x, y, shown, ink.key)
    x = put(screen, x + 1, y, word, ink.dim) + 2
  }
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

export function drawHelp(screen: Screen, facts: Facts, model: Model): void {
  const below = modeOf({ ...model, help: false, dialog: null })
  const bindings = helpOf(below, facts.readonly)
  const width = Math.min(model.width - 2, 118)
  const columns = width >= 100 ? 2 : 1
  const rows = Math.min(model.height - 3, Math.ceil(bindings.length / columns))
  const height = rows + 2
  const region = { x: Math.floor((model.width - width) / 2), y: Math.floor((model.height - height) / 2), width, height }
  const inside = frame(screen, region, `keys here · esc back`, screen.ink.key)
  const columnWidth = Math.floor(inside.width / columns)
  for (const [index, binding] of bindings.entries()) {
    const column = Math.floor(index / rows)
    if (column >= columns) break
    const x = inside.x + column * columnWidth
    const y = inside.y + (index % rows)
    put(screen, x, y, binding.keys.map(written).join(' '), screen.ink.key, 14)
    put(screen, x + 15, y, cut(binding.help, columnWidth - 16), screen.ink.plain)
  }
}

/** How a key is written for people. */
function written(key: string): string {
  const names: Record<string, string> = { up: '↑', down: '↓', pgup: 'PgUp', pgdn: 'PgDn', 'shift-tab': 'S-tab' }
  return names[key] ?? key
}
