// Columns of text for listings; nothing from outside reaches a terminal with its control sequences.

/** Strips control, bidirectional and zero-width characters; line breaks become spaces. */
export function clean(text: string): string {
  return text
    .replace(/[\r\n\t]+/g, ' ')
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, '')
}

export function table(head: string[], rows: string[][]): string {
  const all = [head, ...rows.map(row => row.map(clean))]
  const widths = head.map((_, column) => Math.max(...all.map(row => (row[column] ?? '').length)))
  return all
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
