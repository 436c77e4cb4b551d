// argv → one command with typed flags; a word that is not known is answered with the nearest that is.
import { parseArgs } from 'node:util'
import { Fault } from '../domain/fault.ts'
import { didYouMean } from '../domain/nearest.ts'

export type Flag = {
  type: 'string' | 'boolean'
  multiple?: boolean
  short?: string /** Shown in the help: `--max-pods N`. */
  value?: string
  about: string
}

export type Flags = {
  text(name: string): string | undefined
  texts(name: string): string[]
  on(name: string): boolean
  /** A number in [min, max], or a usage fault that names the flag. */
  number(name: string, min: number, max: number): number | undefined
  /** The same of whole numbers. */
  whole(name: string, min: number, max: number): number | undefined
}

export type Invocation = { flags: Flags; words: string[]; rest: string[] }

export type Command = {
  name: string
  /** What it takes, after its name: `PATH…`. */
  takes: string
  summary: string
  example: string
  flags: Record<string, Flag>
  /** Loaded only when it is called: heavy packages stay out of the others' start. */
  load: () => Promise<(invocation: Invocation) => Promise<number>>
  hidden?: boolean
}

export function usage(message: string, hint: string): Fault {
  return new Fault({ kind: 'job', code: 'usage', message, hint })
}

export function parse(command: Command, argv: string[]): Invocation {
  const known: Record<string, Flag> = { ...command.flags, help: { type: 'boolean', short: 'h', about: '' } }
  const options = Object.fromEntries(
    Object.entries(known).map(([name, { type, multiple, short }]) => [
      name,
      { type, multiple: multiple ?? false, ...(short && { short }) },
    ]),
  )
  const split = argv.indexOf('--')
  const own = split < 0 ? argv : argv.slice(0, split)
  const rest = split < 0 ? [] : argv.slice(split + 1)
  const { values, positionals, tokens } = parseArgs({
    args: own,
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    // hasOwn: `--constructor` is no flag, though every object has one.
    const flag = Object.hasOwn(known, token.name) ? known[token.name] : undefined
    if (!flag)
      throw usage(
        `${command.name}: unknown flag ${token.rawName}${didYouMean(token.name, Object.keys(known))}`,
        `See autopod ${command.name} --help.`,
      )
    if (flag.type === 'string' && (token.value === undefined || token.value === ''))
      throw usage(`${command.name}: ${token.rawName} needs a value`, `See autopod ${command.name} --help.`)
    if (flag.type === 'boolean' && token.value !== undefined)
      throw usage(`${command.name}: ${token.rawName} takes no value`, `See autopod ${command.name} --help.`)
  }
  // Words after `--` are words, however they begin (a job file may be called -1.json), unless they are a command of their own.
  const words = command.takes.includes('--') ? positionals : [...positionals, ...rest]
  const most = command.takes.includes('…') ? Number.POSITIVE_INFINITY : command.takes.split(' ').filter(Boolean).length
  if (words.length > most && values.help !== true)
    throw usage(
      `${command.name}: ${JSON.stringify(words[most])} is one word too many`,
      `It takes ${command.takes || 'flags only'}; see autopod ${command.name} --help.`,
    )
  const text = (name: string) => {
    const value = values[name]
    return typeof value === 'string' ? value : undefined
  }
  const inRange = (name: string, min: number, max: number, isWhole: boolean) => {
    const given = text(name)
    if (given === undefined) return undefined
    const value = Number(given)
    if (Number.isFinite(value) && value >= min && value <= max && (!isWhole || Number.isInteger(value))) return value
    throw usage(
      `--${name} ${given} is not a ${isWhole ? 'whole ' : ''}number from ${min} to ${max}`,
      `For example --${name} ${min || 1}.`,
    )
  }
  return {
    words,
    rest,
    flags: {
      text,
      texts: name => (values[name] as string[] | undefined) ?? [],
      on: name => values[name] === true,
      number: (name, min, max) => inRange(name, min, max, false),
      whole: (name, min, max) => inRange(name, min, max, true),
    },
  }
}

export function helpOf(command: Command): string {
  const lines = [
    `autopod ${command.name}${command.takes && ` ${command.takes}`}`,
    '',
    `  ${command.summary}`,
    '',
    'Example',
    `  ${command.example}`,
  ]
  const flags = Object.entries(command.flags)
  if (flags.length > 0) {
    const width = Math.max(...flags.map(([name, flag]) => name.length + (flag.value ? flag.value.length + 1 : 0)))
    lines.push('', 'Flags')
    for (const [name, flag] of flags)
      lines.push(`  --${`${name}${flag.value ? ` ${flag.value}` : ''}`.padEnd(width)}  ${flag.about}`)
  }
  return `${lines.join('\n')}\n`
}
