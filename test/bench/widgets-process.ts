// What a frame of 1,000 rows costs in CPU time with the tables that blessed and blessed-contrib bring. Answers with one JSON line.
import { createRequire } from 'node:module'
import { Writable } from 'node:stream'
import blessed from 'blessed'
import { cpuMs } from '../screen/cpu.ts'

const [COLUMNS, ROWS, JOBS, FRAMES] = [200, 60, 1000, 40]
const WIDTHS = [12, 12, 14, 20, 20, 12, 8, 10, 10]
// The one file: the package's index loads 57 others, and its types do not compile (contracts/terminal E).
const contribTable = createRequire(import.meta.url)('blessed-contrib/lib/widget/table.js') as (options: object) => {
  setData(data: { headers: string[]; data: string[][] }): void
}

const head = ['JOB', 'POD', 'STATUS', 'PROGRESS', 'GPU', 'VRAM', 'PORT', 'AGE', 'COST']
const jobs = (frame: number) =>
  Array.from({ length: JOBS }, (_, job) => [
    `job-${job}`,
    `pod-${job}`,
    'rendering',
    `${(frame + job) % 100} % ${frame}:18`,
    `${(frame * 7 + job) % 100} %`,
    `${(frame + job) % 48}/48 GB`,
    String(8188 + job),
    `${frame}:22`,
    `$${((frame + job) / 100).toFixed(2)}`,
  ])

/** Median over frames in which every row differs from the one before. */
function frameMs(table: (screen: blessed.Widgets.Screen) => (rows: string[][]) => void): number {
  const output = Object.assign(new Writable({ write: (_chunk, _encoding, done) => done() }), {
    columns: COLUMNS,
    rows: ROWS,
    isTTY: true,
  })
  const screen = blessed.screen({ output: output as unknown as NodeJS.WriteStream, terminal: 'xterm-256color' })
  const fill = table(screen)
  const all = Array.from({ length: FRAMES }, (_, frame) => {
    const rows = jobs(frame)
    return cpuMs(() => {
      fill(rows)
      screen.render()
    })
  })
  screen.destroy()
  return all.sort((a, b) => a - b)[FRAMES / 2]!
}

const listtable = frameMs(screen => {
  const table = blessed.listtable({ parent: screen, width: '100%', height: '100%', tags: false })
  return rows => table.setData([head, ...rows])
})
const contrib = frameMs(screen => {
  const table = contribTable({ parent: screen, width: '100%', height: '100%', columnWidth: WIDTHS, columnSpacing: 2 })
  return rows => table.setData({ headers: head, data: rows })
})
process.stdout.write(`\n${JSON.stringify({ listtable, contrib })}\n`)
process.exit(0)
