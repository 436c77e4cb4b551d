// One measured figure beside the one of a program that users would otherwise pick, and the table of them.

export type Row = {
  name: string
  ours: number
  /** null: there is none for this figure, or it is not installed. */
  peer: number | null
  peer_name: string | null
  unit: string
  /** Above 1 = better than the peer. */
  ratio: number | null
  goal: string | null
  /** null = no goal, or no peer to compare with. */
  ok: boolean | null
}

export type Bench = {
  /** `say` gets words for people while it runs; they are no part of the answer. */
  run(say: (text: string) => void): Promise<Row[]>
}

/** A figure of which less is better, against a limit. */
export function limited(name: string, ours: number, unit: string, most: number | null): Row {
  const goal = most === null ? null : `≤ ${most} ${unit}`
  return { name, ours, peer: null, peer_name: null, unit, ratio: null, goal, ok: most === null ? null : ours <= most }
}

/** A figure of which less is better, against a peer; `least` = how many times better it is to be. */
export function compared(
  name: string,
  ours: number,
  unit: string,
  peerName: string,
  peer: number | null,
  least: number | null,
): Row {
  const ratio = peer === null || ours === 0 ? null : peer / ours
  const goal = least === null ? null : `≥ ${least} × ${peerName}`
  return {
    name,
    ours,
    peer,
    peer_name: peerName,
    unit,
    ratio,
    goal,
    ok: goal === null || ratio === null ? null : ratio >= least!,
  }
}

export function tableOf(rows: readonly Row[]): string {
  const head = ['', 'ours', 'peer', '', 'ratio', 'goal', '']
  const body = rows.map(row => [
    row.name,
    `${figure(row.ours)} ${row.unit}`,
    row.peer_name === null ? '' : row.peer === null ? 'not installed' : `${figure(row.peer)} ${row.unit}`,
    row.peer_name ?? '',
    row.ratio === null ? '' : `${row.ratio.toFixed(1)} ×`,
    row.goal ?? '',
    row.ok === null ? '' : row.ok ? 'ok' : 'missed',
  ])
  const lines = [head, ...body]
  const widths = head.map((_, column) => Math.max(...lines.map(line => line[column]!.length)))
  return lines
    .map(line =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function figure(value: number): string {
  return value === 0 || Math.abs(value) >= 100 ? String(Math.round(value)) : value.toPrecision(3)
}
