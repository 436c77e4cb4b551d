// What pods said, with the lines that mean trouble marked; and their ComfyUI in the browser.
import { mayBill } from '../domain/pod.ts'
import { every, systemClock } from '../edge/clock.ts'
import { type LogFile, type LogLine, openLogFile } from '../edge/logs/file.ts'
import { openMarks } from '../edge/logs/marks.ts'
import { type Invocation, usage } from './args.ts'
import { EXIT } from './exit.ts'
import { findPodOf } from './find.ts'
import { view } from './follow.ts'
import { homeToSee } from './home.ts'
import { onSignals } from './signals.ts'
import { clean } from './table.ts'
import { openWithSystem } from './viewer.ts'

/** Lines of a log are read again this often while following. */
const FOLLOW_MS = 300
/** More than any log holds. */
const ALL = 1_000_000
const LINES = 200
/** Read at a time: no log is ever in memory as a whole. */
const SLICE_LINES = 2000

export async function logs({ flags, words }: Invocation): Promise<number> {
  const [word] = words
  if (!word) throw usage('logs needs a job or a pod', 'For example: autopod logs job-001')
  const since = sinceOf(flags.text('since'))
  const grep = expressionOf(flags.text('grep'))
  // Asked for a time or a text, all that fits is meant.
  const lines = flags.whole('lines', 1, ALL) ?? (since === null && grep === null ? LINES : ALL)
  const home = homeToSee(flags)
  const follow = view(home)
  const pod = findPodOf(follow.fleet, word)
  const log = openLogFile(home.dir, pod.id)
  const isWanted = ({ at, text }: LogLine) => (since === null || at >= since) && (grep?.test(clean(text)) ?? true)
  const print = createPrinter()

  const { start, end } = log.span()
  let at = firstOf(log, lines, isWanted, start, end)
  const rest = () => {
    for (let some = log.forward(at, SLICE_LINES); some.length > 0; some = log.forward(at, SLICE_LINES)) {
      print(some.filter(isWanted))
      at = some.at(-1)?.to ?? at
    }
  }
  rest()
  if (flags.on('follow')) {
    const { promise: told, resolve } = Promise.withResolvers<void>()
    const quiet = onSignals({ interrupt: resolve, hangup: resolve })
    const stop = every(FOLLOW_MS, () => {
      log.span()
      rest()
      const now = follow.fleet.pods.get(pod.id)
      if (now && !mayBill(now)) resolve()
    })
    await told
    stop()
    quiet()
  }
  log.close()
  await follow.close()
  return EXIT.ok
}

/** Where the last `count` wanted lines begin. */
function firstOf(
  log: LogFile,
  count: number,
  isWanted: (line: LogLine) => boolean,
  start: number,
  end: number,
): number {
  if (count === ALL) return start
  let first = end
  let found = 0
  for (let at = end; at > start; ) {
    const lines = log.backward(at, SLICE_LINES)
    if (lines.length === 0) return first
    for (const line of lines.toReversed()) {
      if (!isWanted(line)) continue
      first = line.from
      if (++found >= count) return first
    }
    at = lines[0]?.from ?? start
  }
  return first
}

/** Lines to standard output, `!` before those that mean trouble; what to do then, once for each cause, to standard error. */
function createPrinter(): (lines: LogLine[]) => void {
  const markOf = openMarks()
  const told = new Set<string>()
  return lines => {
    for (const { at, text } of lines) {
      const plain = clean(text)
      const mark = markOf(plain)
      process.stdout.write(`${new Date(at).toISOString()} ${mark ? '! ' : ''}${plain}\n`)
      if (!mark || told.has(mark.code)) continue
      told.add(mark.code)
      process.stderr.write(`${mark.title}: ${mark.hint}\n`)
    }
  }
}

/** A moment (`2026-11-22T20:00`) or a time back from now (`90s`, `10m`, `2h`, `1d`). Faults: usage. */
function sinceOf(text: string | undefined): number | null {
  if (text === undefined) return null
  const back = /^(\d{1,6})([smhd])$/.exec(text)
  const unit = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[back?.[2] ?? '']
  const at = unit ? systemClock.now() - Number(back?.[1]) * unit : Date.parse(text)
  if (Number.isNaN(at)) throw usage(`--since ${text} is no time`, 'Write it as 10m, 2h or 2026-11-22T20:00.')
  return at
}

function expressionOf(text: string | undefined): RegExp | null {
  if (text === undefined) return null
  try {
    return new RegExp(text, 'i')
  } catch {
    throw usage(
      `--grep ${text} is no regular expression`,
      'Put a \\ before brackets and other signs that are meant as such.',
    )
  }
}

export async function open({ flags, words }: Invocation): Promise<number> {
  const [word] = words
  if (!word) throw usage('open needs a job or a pod', 'For example: autopod open job-001')
  const follow = view(homeToSee(flags))
  const pod = findPodOf(follow.fleet, word)
  const alive = follow.alive()
  await follow.close()
  if (pod.status !== 'ready' || !pod.localPort || !alive) {
    throw usage(
      `${pod.id} is ${pod.status}${alive ? '' : ' and no engine holds its tunnel'}`,
      'A tunnel stands while a pod is ready and an engine works: autopod status.',
    )
  }
  const address = `http://127.0.0.1:${pod.localPort}`
  process.stdout.write(`${address}\n`)
  if (!flags.on('print-only')) openWithSystem(address)
  return EXIT.ok
}
