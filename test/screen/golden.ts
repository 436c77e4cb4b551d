// Golden screens: one file a scene in fixtures/screens, its sizes one below the other; UPDATE_SCREENS=1 writes them anew, to be read before they are committed.
import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'vitest'
import { type Facts, type Model, newModel } from '../../src/tui/model.ts'
import { type Screen, textOf } from '../../src/tui/screen.ts'
import { type Colours, palette } from '../../src/tui/style.ts'
import { textWidth } from '../../src/tui/text.ts'
import { settle, update } from '../../src/tui/update.ts'
import { view } from '../../src/tui/view.ts'
import { factsOf, SECOND, type World } from './fleets.ts'

const FOLDER = new URL('../../fixtures/screens/', import.meta.url)
export const SIZES: readonly string[] = ['60x15', '80x24', '120x40', '200x60']

export type Scene = {
  world: World
  keys?: readonly string[]
  facts?: Partial<Facts>
  ascii?: boolean
  colours?: Colours
}

/** The model and the screen after the scene's keys, half a second apart. */
export function play(
  { world, keys = [], ...scene }: Scene,
  size: string,
): { model: Model; facts: Facts; screen: Screen } {
  const [width = 0, height = 0] = size.split('x').map(Number)
  let model: Model = newModel(width, height)
  let passed = 0
  const facts = () => factsOf(world, { now: world.now() + passed, ...scene.facts })
  for (const name of keys) {
    model = settle(model, facts(), width, height).model
    model = update(model, { type: 'key', name }, facts()).model
    passed += SECOND / 2
  }
  model = settle(model, facts(), width, height).model
  return { model, facts: facts(), screen: view(model, facts(), palette(scene.colours ?? 256), scene.ascii ?? false) }
}

export function textAt(scene: Scene, size: string): string {
  return textOf(play(scene, size).screen)
}

/** `parts`: what is shown, by size or another heading. */
export function matches(name: string, parts: ReadonlyMap<string, string>): void {
  const text = [...parts].map(([heading, part]) => `== ${heading}\n${folded(part)}`).join('')
  const file = new URL(`${name}.txt`, FOLDER)
  if (process.env.UPDATE_SCREENS) writeFileSync(file, text)
  expect(text).toBe(readFileSync(file, 'utf8'))
}

/** Every size of a scene, none of them wider or higher than it may be. */
export function matchesSizes(name: string, make: () => Scene, sizes: readonly string[] = SIZES): void {
  const parts = new Map<string, string>()
  for (const size of sizes) {
    const text = textAt(make(), size)
    const lines = text.split('\n').slice(0, -1)
    expect(`${Math.max(0, ...lines.map(textWidth))}x${lines.length}`, size).toSatisfy(
      (drawn: string) =>
        Number.parseInt(drawn, 10) <= Number.parseInt(size, 10) && drawn.split('x')[1] === size.split('x')[1],
    )
    parts.set(size, text)
  }
  matches(name, parts)
}

const FOLD_MIN = 3

/** Equal rows told once: most of a tall screen is empty. */
function folded(text: string): string {
  const rows: string[] = []
  const lines = text.split('\n').slice(0, -1)
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? ''
    let end = at + 1
    while (lines[end] === line) end++
    const more = end - at - 1
    rows.push(line, ...(more < FOLD_MIN ? Array<string>(more).fill(line) : [`⋮ ${more} more`]))
    at = end
  }
  return rows.map(row => `${row}\n`).join('')
}
