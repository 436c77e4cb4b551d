#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
// argv → command → exit code. The last catch; nothing else knows process.exit.
import { helpOf, parse, usage } from './cli/args.ts'
import { COMMANDS } from './cli/commands.ts'
import { EXIT } from './cli/exit.ts'
import { clean } from './cli/table.ts'
import { Fault } from './domain/fault.ts'
import { didYouMean } from './domain/nearest.ts'

/** The oldest Node with `node:sqlite` and no flag for it that we test on. */
const NODE_MIN = 24

const UNREACHED = 'Check the network and the address (autopod config show), then try again.'

async function main(argv: string[]): Promise<number> {
  if (Number.parseInt(process.versions.node, 10) < NODE_MIN) {
    throw usage(
      `autopod needs Node ${NODE_MIN} or newer; this is ${process.version}`,
      'Install a newer Node, for example with nvm install 26.',
    )
  }
  const [name = 'top', ...rest] = argv
  if (name === '--version' || name === '-v') {
    const { version } = await import('./edge/config.ts')
    process.stdout.write(`${version()}\n`)
    return EXIT.ok
  }
  if (name === 'help' && rest.length > 0) return main([...rest, '--help'])
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(overview())
    return EXIT.ok
  }
  const known = COMMANDS.map(command => command.name)
  const found = COMMANDS.find(command => command.name === (name.startsWith('-') ? 'top' : name))
  if (!found) throw usage(`unknown command ${name}${didYouMean(name, known)}`, 'See autopod --help.')
  const invocation = parse(found, name.startsWith('-') ? argv : rest)
  if (invocation.flags.on('help')) {
    process.stdout.write(helpOf(found))
    return EXIT.ok
  }
  return (await found.load())(invocation)
}

function overview(): string {
  const shown = COMMANDS.filter(command => !command.hidden)
  const width = Math.max(...shown.map(({ name, takes }) => name.length + takes.length + 1))
  const lines = shown.map(({ name, takes, summary }) => `  ${`${name} ${takes}`.padEnd(width)}  ${summary}`)
  return `autopod: runs ComfyUI jobs on rented GPU pods\n\n${lines.join('\n')}\n\nWithout an account: autopod run PATH --provider sandbox\nautopod COMMAND --help shows its flags.\n`
}

function exitCodeOf(error: unknown): number {
  if (!(error instanceof Fault)) return EXIT.bug
  switch (error.data.kind) {
    case 'operator':
      if (error.data.code === 'pods_unattended') return EXIT.billing
      return error.data.code === 'settings_invalid' ? EXIT.usage : EXIT.operator
    case 'capacity':
      return EXIT.capacity
    case 'job':
      return EXIT.usage
    // Nobody was reached, so nothing was rented: that is no job that failed.
    case 'transient':
      return EXIT.operator
    default:
      return EXIT.failed
  }
}

/** Something that was to be told could not be: the disk that it was sent to is full, say. */
let unsaid: string | null = null
for (const stream of [process.stdout, process.stderr]) {
  // No word is worth a pod: work goes on. A reader that went away (`autopod jobs | head`) is no error of ours at all.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') unsaid = error.message
  })
}

main(process.argv.slice(2)).then(
  async code => {
    // A refusal of the last words is told in the next turn.
    await new Promise(resolve => setImmediate(resolve))
    if (unsaid !== null) process.stderr.write(`autopod: not all could be told: ${clean(unsaid)}\n`)
    process.exit(code === EXIT.ok && unsaid !== null ? EXIT.failed : code)
  },
  (error: unknown) => {
    if (error instanceof Fault) {
      const { kind, hint = kind === 'transient' ? UNREACHED : '' } = error.data
      // Names of files, keys and templates are in it; each problem is a line of its own.
      const lines = error.message.split('\n').map(clean)
      process.stderr.write(`autopod: ${lines.join('\n')}\n${hint ? `→ ${clean(hint)}\n` : ''}`)
    } else
      process.stderr.write(`autopod: a bug, not your fault: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(exitCodeOf(error))
  },
)
