// `npm run bench -- NAME [--json]`: how fast, and compared with what. Fails nothing: it tells. One file a benchmark.
import { type Bench, tableOf } from './row.ts'

const BENCHES: Record<string, () => Promise<Bench>> = {
  soak: async () => (await import('./soak.ts')).soak,
  tui: async () => (await import('./tui.ts')).tui,
}

const json = process.argv.includes('--json')
const names = process.argv.slice(2).filter(word => !word.startsWith('-'))
const unknown = names.filter(name => !Object.hasOwn(BENCHES, name))
if (names.length === 0 || unknown.length > 0) {
  const known = Object.keys(BENCHES).join(', ')
  process.stderr.write(unknown.length > 0 ? `no benchmark ${unknown.join(', ')} yet; ` : '')
  process.stderr.write(`there is: ${known}\n`)
  process.exit(2)
}
const rows = []
for (const name of names) {
  const bench = await BENCHES[name]!()
  rows.push(...(await bench.run(text => process.stderr.write(`${text}\n`))))
}
process.stdout.write(json ? `${JSON.stringify({ benchmarks: rows }, null, 2)}\n` : `${tableOf(rows)}\n`)
