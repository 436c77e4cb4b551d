// The completion scripts: each shell that is installed reads its own, and bash offers what there is.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const script = (shell: string) => execFileSync(process.execPath, [MAIN, 'completion', shell], { encoding: 'utf8' })

for (const shell of ['bash', 'zsh', 'fish']) {
  const path = `/usr/bin/${shell}`
  const isHere = existsSync(path)
  test.skipIf(!isHere)(`${shell} reads its script${isHere ? '' : ` (${path} is not installed)`}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'autopod-completion-'))
    const file = join(folder, 'script')
    writeFileSync(file, script(shell))
    expect(spawnSync(path, ['-n', file], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
    rmSync(folder, { recursive: true })
  })
}

test('bash completes commands, flags and their first words', () => {
  const offer = (...words: string[]) => {
    const ask = `COMP_WORDS=(${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _autopod; echo "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', `${script('bash')}\n${ask}`], { encoding: 'utf8' })
      .trim()
      .split(' ')
  }
  expect(offer('autopod', 'sc')).toEqual(['schema'])
  expect(offer('autopod', 'run', '--max-p')).toEqual(['--max-pods'])
  expect(offer('autopod', 'schema', '')).toEqual(['job', 'config', 'template', '--help'])
  expect(offer('autopod', 'top', '--provider', 's')).toEqual(['sandbox'])
})
