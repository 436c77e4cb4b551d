// Keys while a dialog is open: what is chosen, what is typed, and what is never taken for an answer.
import { bindingOf } from './key-lookup.ts'
import type { Context } from './keys.ts'
import { edited } from './line.ts'
import type { Dialog, Effect, Model } from './model.ts'
import { dialogText } from './panels/dialog.ts'
import { unmarked } from './update-rows.ts'

/** A key that was on its way when the dialog opened was meant for something else. */
export const DIALOG_DEAF_MS = 300
/** Between the second ctrl-c (drain) and its effect: room for the third (terminate). */
export const DRAIN_GRACE_MS = 1500

const only = (model: Model): { model: Model; effects: Effect[] } => ({ model, effects: [] })

export function dialogKey(
  model: Model,
  dialog: Dialog,
  key: string,
  context: Context,
): { model: Model; effects: Effect[] } {
  const { facts } = context
  if (facts.clock - dialog.openedAt < DIALOG_DEAF_MS) return only(model)
  if (key === 'ctrl-c') {
    if (dialog.ask !== 'leave') return only({ ...model, dialog: null })
    if (dialog.drainAt !== null)
      return { model: { ...model, dialog: null }, effects: [{ type: 'leave', how: 'terminate' }] }
    return only({ ...model, dialog: { ...dialog, choice: 1, drainAt: facts.clock + DRAIN_GRACE_MS } })
  }
  const { buttons } = dialogText(dialog, facts)
  // Enter before the word is complete is no answer.
  if (context.mode === 'word' && buttons.length === 0 && key === 'enter') return only(model)
  const choice = Math.min(dialog.choice, buttons.length - 1)
  switch (bindingOf(key, context)?.action) {
    case 'up':
      return only({
        ...model,
        dialog: { ...dialog, drainAt: null, choice: (choice + buttons.length - 1) % buttons.length },
      })
    case 'down':
      return only({ ...model, dialog: { ...dialog, drainAt: null, choice: (choice + 1) % buttons.length } })
    case 'back':
      return only({ ...model, dialog: null })
    case 'accept': {
      const effects = buttons[choice]?.effects ?? []
      return { model: { ...(effects.length > 0 ? unmarked(model) : model), dialog: null }, effects: [...effects] }
    }
    default:
      return only(
        context.mode === 'word' ? { ...model, dialog: { ...dialog, typed: edited(dialog.typed, key) } } : model,
      )
  }
}
