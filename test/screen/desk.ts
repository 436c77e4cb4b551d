// A dashboard without a terminal for the tests of keys, commands and clicks.
import { type Effect, type Facts, type Model, newModel } from '../../src/tui/model.ts'
import type { Pointer } from '../../src/tui/pointer.ts'
import { textOf } from '../../src/tui/screen.ts'
import { palette } from '../../src/tui/style.ts'
import { settle, update } from '../../src/tui/update.ts'
import { view } from '../../src/tui/view.ts'
import { factsOf, type World } from './fleets.ts'

/** A dashboard without a terminal: keys in, effects out, time in our hands. */
export function desk(world: World, changes: Partial<Facts> = {}, width = 80, height = 24) {
  let model: Model = newModel(width, height)
  const facts = () => factsOf(world, changes)
  const effects: Effect[] = []
  const take = (result: { model: Model; effects: Effect[] }) => {
    model = result.model
    effects.push(...result.effects)
  }
  const tick = () => take(settle(model, facts(), width, height))
  tick()
  return {
    effects,
    tick,
    model: () => model,
    text: () => textOf(view(model, facts(), palette(0), false)),
    press(...keys: string[]) {
      for (const name of keys) {
        tick()
        take(update(model, { type: 'key', name }, facts()))
      }
      tick()
    },
    /** Words and keys as they are typed: single characters one by one. */
    type(text: string) {
      for (const char of text) this.press(char === ' ' ? 'space' : char)
    },
    mouse(what: Pointer['what'], x: number, y: number) {
      take(update(model, { type: 'mouse', what, x, y }, facts()))
      tick()
    },
    paste(text: string) {
      take(update(model, { type: 'paste', text }, facts()))
      tick()
    },
  }
}
