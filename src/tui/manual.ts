// The keys and commands as a table for the README: made from the key table, so that it is never wrong.
import { written } from './key-lookup.ts'
import { BINDINGS, type Binding } from './keys.ts'

const TAKES = { jobs: ' [JOB…]', pods: ' [POD…]', words: ' WORD…', text: ' TEXT' }

/** What a dialog or a line being typed takes is left out, it is said where it is needed. */
function manualOf(): string {
  const rows = new Map<string, string>()
  const pages = BINDINGS.filter(({ modes }) => modes.length === 0 || modes.some(mode => !ASIDE.has(mode)))
  for (const binding of pages) {
    const keys = binding.keys.map(key => `\`${written(key).replace('|', '\\|')}\``).join(' ')
    const name = `${keys} | ${commandOf(binding)}`
    // Keys that mean several things by what is selected are one row.
    const known = rows.get(name)
    rows.set(name, known && known !== binding.help ? `${known}; ${binding.help}` : binding.help)
  }
  const lines = [...rows].map(([name, help]) => `| ${name} | ${help} |`)
  return ['| key | command | |', '| --- | --- | --- |', ...lines].join('\n')
}

const ASIDE: ReadonlySet<string> = new Set(['filter', 'find', 'command', 'dialog', 'word', 'help'])

function commandOf({ command, takes }: Binding): string {
  return command ? `\`:${command}${takes ? TAKES[takes] : ''}\`` : ''
}

/** The README with the table as it is now between its two marks. */
export function withKeys(readme: string): string {
  return readme.replace(
    /(<!-- keys:.*-->\n)[\s\S]*(<!-- \/keys -->)/,
    (_, start, end) => `${start}\n${manualOf()}\n\n${end}`,
  )
}
