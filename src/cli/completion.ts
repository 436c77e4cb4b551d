// `autopod completion SHELL`: a script for the shell, made from the one table of commands.
import { type Command, type Invocation, usage } from './args.ts'
import { COMMANDS } from './commands.ts'
import { EXIT } from './exit.ts'

const shown = COMMANDS.filter(command => !command.hidden)

const SHELLS: Record<string, () => string> = { bash, zsh, fish }

export async function completion({ words }: Invocation): Promise<number> {
  const [shell = ''] = words
  const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined
  if (!script)
    throw usage(
      shell ? `no completion for ${shell}` : 'completion needs a shell: bash, zsh or fish',
      'For example: source <(autopod completion bash)',
    )
  process.stdout.write(script())
  return EXIT.ok
}

/** Commands that take files; the others' words are names that only a home knows. */
const takesFiles = ({ takes }: Command) => takes.includes('PATH')
/** `list|show NAME` → the words that may come first. */
const choices = ({ takes }: Command) => (/^[a-z|]+/.exec(takes)?.[0] ?? '').split('|').filter(Boolean)
const flagsOf = ({ flags }: Command) => [...Object.keys(flags), 'help'].map(name => `--${name}`)

function bash(): string {
  const cases = shown.map(
    command =>
      `    ${command.name}) words='${[...choices(command), ...flagsOf(command)].join(' ')}'${takesFiles(command) ? ' files=1' : ''} ;;`,
  )
  return `# autopod completion for bash: source <(autopod completion bash)
_autopod() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words='' files=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${shown.map(({ name }) => name).join(' ')}' -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  if [ "\${COMP_WORDS[COMP_CWORD-1]}" = --provider ]; then words='runpod sandbox' files=''; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ -n "$files" ] && [ "\${current#-}" = "$current" ]; then COMPREPLY+=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _autopod autopod
`
}

function zsh(): string {
  const cases = shown.map(command => {
    const flags = Object.entries(command.flags).map(
      ([name, { about, type }]) => `'--${name}[${zshText(about)}]${type === 'string' ? ':value:' : ''}'`,
    )
    const words = choices(command)
    const rest = takesFiles(command) ? "'*:file:_files'" : words.length > 0 ? `'1:what:(${words.join(' ')})'` : ''
    return `    ${command.name}) _arguments ${[...flags, rest].filter(Boolean).join(' ')} ;;`
  })
  return `#compdef autopod
# autopod completion for zsh: source <(autopod completion zsh)
_autopod() {
  local -a commands=(
${shown.map(({ name, summary }) => `    '${name}:${zshText(summary)}'`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
compdef _autopod autopod
`
}

function fish(): string {
  const lines = shown.flatMap(command => {
    const here = `-n '__fish_seen_subcommand_from ${command.name}'`
    const words = choices(command)
    return [
      `complete -c autopod -n __fish_use_subcommand -a ${command.name} -d '${fishText(command.summary)}'`,
      ...(words.length > 0 ? [`complete -c autopod ${here} -a '${words.join(' ')}'`] : []),
      ...(takesFiles(command) ? [`complete -c autopod ${here} -F`] : []),
      ...Object.entries(command.flags).map(
        ([name, { about, type }]) =>
          `complete -c autopod ${here} -l ${name}${type === 'string' ? ' -r' : ''} -d '${fishText(about)}'`,
      ),
    ]
  })
  return `# autopod completion for fish: autopod completion fish | source
complete -c autopod -f
${lines.join('\n')}
`
}

const zshText = (text: string) => text.replace(/'/g, '’').replace(/[[\]:]/g, '\\$&')
const fishText = (text: string) => text.replace(/[\\']/g, '\\$&')
