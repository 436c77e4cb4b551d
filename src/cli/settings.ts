// `autopod config`: where settings come from, and a first file for them.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { explain, homeDir } from '../edge/config.ts'
import { makeFolderNow } from '../edge/folder.ts'
import { type Invocation, usage } from './args.ts'
import { EXIT } from './exit.ts'
import { openHome } from './home.ts'
import { table } from './table.ts'

/** What most people fill in; keys live in the environment or here, and the file is for its owner alone. */
const FIRST = {
  provider: 'runpod',
  pod: { gpu_types: ['RTX 4090', 'A40'], image: 'runpod/comfyui:latest', disk_gb: 50 },
  run: { max_cost_usd: 10 },
}

export async function config({ flags, words }: Invocation): Promise<number> {
  const [what] = words
  const path = join(homeDir(), 'config.json')
  if (what === 'path') {
    process.stdout.write(`${path}\n`)
    return EXIT.ok
  }
  if (what === 'init') {
    if (existsSync(path)) throw usage(`${path} exists already`, 'Edit it, or move it away first.')
    makeFolderNow(homeDir(), 0o700)
    writeFileSync(path, `${JSON.stringify(FIRST, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
    process.stdout.write(`${path}\nSet RUNPOD_API_KEY (or runpod.api_key in that file), then: autopod doctor\n`)
    return EXIT.ok
  }
  if (what !== 'show') throw usage('config needs init, show or path', 'For example: autopod config show')
  const rows = explain(openHome(flags).loaded).sort((a, b) => a.key.localeCompare(b.key))
  if (flags.on('json')) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
  else
    process.stdout.write(
      `${table(
        ['SETTING', 'VALUE', 'FROM'],
        rows.map(row => [row.key, typeof row.value === 'string' ? row.value : JSON.stringify(row.value), row.source]),
      )}\n`,
    )
  return EXIT.ok
}
