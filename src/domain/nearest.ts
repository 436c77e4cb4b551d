// The known word somebody most likely meant: for error messages about keys, names and templates.

/** Edits between two words: insert, delete, replace, swap of neighbours (optimal string alignment). */
export function distance(left: string, right: string): number {
  let before: number[] = []
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1]
      let best = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      )
      if (row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]) {
        best = Math.min(best, (before[column - 2] ?? 0) + 1)
      }
      current.push(best)
    }
    before = previous
    previous = current
  }
  return previous[right.length] ?? 0
}

/** The nearest known word, or null when none is near enough to be meant. */
export function nearest(word: string, known: string[]): string | null {
  const asked = word.toLowerCase()
  let best: { word: string; edits: number } | null = null
  for (const candidate of known) {
    const edits = distance(asked, candidate.toLowerCase())
    if (!best || edits < best.edits) best = { word: candidate, edits }
  }
  // A third of the letters: `stesp` is `steps`, but `seed` is not `steps`.
  const editsMax = best ? Math.max(1, Math.floor(Math.max(word.length, best.word.length) / 3)) : 0
  // Of a one-letter word nothing would be left.
  if (best && best.edits <= editsMax && best.edits < word.length) return best.word
  // `template` is meant as `workflow_template`, although nine letters are missing.
  return asked.length >= 4 ? (known.find(candidate => candidate.toLowerCase().includes(asked)) ?? null) : null
}

/** ` (did you mean "steps"?)`, or nothing. */
export function didYouMean(word: string, known: string[]): string {
  const found = nearest(word, known)
  return found === null ? '' : ` (did you mean "${found}"?)`
}
