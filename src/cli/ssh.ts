// `autopod ssh`: a shell on a pod, or one command with its exit code, over a connection of its own with the pinned host key.
import { mayBill } from '../domain/pod.ts'
import { openShell } from '../edge/ssh/shell.ts'
import { type Invocation, usage } from './args.ts'
import { keyOf } from './compose.ts'
import { findPodOf } from './find.ts'
import { view } from './follow.ts'
import { homeToSee } from './home.ts'

/** Exit code of the command, as `ssh` does it. */
export async function ssh({ words, rest, flags }: Invocation): Promise<number> {
  const [word, more] = words
  if (!word) throw usage('ssh needs a job or a pod', 'For example: autopod ssh job-001 -- nvidia-smi')
  if (more) throw usage(`ssh: ${more} is one word too many`, `A command comes after --: autopod ssh ${word} -- ${more}`)
  const home = homeToSee(flags)
  const follow = view(home)
  const pod = findPodOf(follow.fleet, word)
  await follow.close()
  if (!pod.address || !mayBill(pod))
    throw usage(
      `${pod.id} is ${pod.status}${mayBill(pod) ? ' and has no address yet' : ''}`,
      'See autopod pods for those that can be reached.',
    )
  const { privateKey } = await keyOf(home)
  return openShell(
    pod.address,
    { privateKey, pinned: pod.hostKey },
    // Words were split by the shell that started this; the pod's shell reads them as one line, as ssh has it.
    rest.length > 0 ? rest.join(' ') : null,
    {
      input: process.stdin,
      output: process.stdout,
      error: process.stderr,
      terminal: process.stdin.isTTY && process.stdout.isTTY ? process.stdout : null,
    },
  )
}
