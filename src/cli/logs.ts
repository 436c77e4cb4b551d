// What pods said, and their ComfyUI in the browser.
import { mayBill } from '../domain/pod.ts'
import { every } from '../edge/clock.ts'
import { readPodLog } from '../edge/trace.ts'
import { type Invocation, usage } from './args.ts'
import { EXIT } from './exit.ts'
import { findPodOf } from './find.ts'
import { view } from './follow.ts'
import { openHome } from './home.ts'
import { onSignals } from './signals.ts'
import { clean } from './table.ts'
import { openWithSystem } from './viewer.ts'

/** Lines of a log are read again this often while following. */
const FOLLOW_MS = 300
/** More than any log holds. */
const ALL = 1_000_000

export async function logs({ flags, words }: Invocation): Promise<number> {
  const [word] = words
  if (!word) throw usage('logs needs a job or a pod', 'For example: autopod logs job-001')
  const home = openHome(flags)
  const follow = view(home)
  const pod = findPodOf(follow.fleet, word)
  const print = (lines: { at: number; text: string }[]) => {
    for (const { at, text } of lines) process.stdout.write(`${new Date(at).toISOString()} ${clean(text)}\n`)
  }
  const first = readPodLog(home.dir, pod.id, flags.whole('lines', 1, ALL) ?? 200)
  print(first)
  let last = first.at(-1)?.at ?? 0
  if (flags.on('follow')) {
    const { promise: told, resolve } = Promise.withResolvers<void>()
    const quiet = onSignals({ interrupt: resolve, hangup: resolve })
    const stop = every(FOLLOW_MS, () => {
      const fresh = readPodLog(home.dir, pod.id, 5000).filter(line => line.at > last)
      print(fresh)
      last = fresh.at(-1)?.at ?? last
      const now = follow.fleet.pods.get(pod.id)
      if (now && !mayBill(now)) resolve()
    })
    await told
    stop()
    quiet()
  }
  await follow.close()
  return EXIT.ok
}

export async function open({ flags, words }: Invocation): Promise<number> {
  const [word] = words
  if (!word) throw usage('open needs a job or a pod', 'For example: autopod open job-001')
  const follow = view(openHome(flags))
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
