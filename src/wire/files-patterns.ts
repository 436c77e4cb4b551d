// config/error-patterns.json: what goes wrong on pods, by the words in their logs, and what to do then (version 1, 2026-11).
import * as z from 'zod'

/** A regular expression that can be tried on hostile lines of any length: no `.*`, `.+` or nested repetition inside. */
const pattern = z
  .string()
  .min(4)
  .refine(isExpression, 'must be a regular expression')
  .refine(source => !/[.\])][*+]/.test(source), 'must repeat a class or group only with an upper bound, as in .{0,200}')

export const errorPatternsFile = z.strictObject({
  $schema: z.string().optional(),
  patterns: z
    .array(
      z.strictObject({
        code: z.string().regex(/^[a-z]+(_[a-z]+)*$/),
        title: z.string().min(1).max(60).describe('What it is, in a few words.'),
        pattern: pattern.describe('JavaScript regular expression; the first pattern that fits a line counts.'),
        hint: z.string().min(1).max(200).regex(/\.$/).describe('What to do, one sentence.'),
        source: z.string().min(1).describe('Where these words were seen: a recording, an issue, a source file.'),
      }),
    )
    .min(1),
})

export type ErrorPatterns = z.infer<typeof errorPatternsFile>

function isExpression(source: string): boolean {
  try {
    return new RegExp(source).test('') !== null
  } catch {
    return false
  }
}
