// `autopod connect`: one pod with its tunnel for working by hand, with the meter on until it is let go.
import { randomBytes } from 'node:crypto'
import { bareSpec } from '../domain/job.ts'
import type { Invocation } from './args.ts'
import type { Follow } from './follow.ts'
import { rentingHome } from './home.ts'
import { newRunId, policyOf } from './launch.ts'
import { carryOut } from './run.ts'
import { clean } from './table.ts'

/** Its name in every listing: `autopod ssh by-hand`. */
const JOB_ID = 'by-hand'

export async function connect({ flags }: Invocation): Promise<number> {
  const home = rentingHome(flags)
  const spec = bareSpec({
    jobId: JOB_ID,
    digest: randomBytes(32).toString('hex'),
    source: 'autopod connect',
    executor: 'hand',
    template: 'by hand',
  })
  const runId = newRunId()
  const policy = { ...policyOf(home, flags, 1), podsMax: 1 }
  return carryOut(home, flags, { runId, policy, specs: [spec], known: [] }, follow => {
    if (!flags.on('events') && !flags.on('json')) greet(follow, `${runId}/${JOB_ID}`)
  })
}

/** Where the pod is, once it can be used; the screen has its own words for that. */
function greet(follow: Follow, jobKey: string): void {
  const unlisten = follow.onEvent(event => {
    if (event.type !== 'attempt.started' || event.jobKey !== jobKey || !follow.own) return
    unlisten()
    const pod = follow.fleet.pods.get(follow.fleet.jobs.get(jobKey)?.attempts.at(-1)?.podId ?? '')
    if (!pod?.address) return
    process.stdout.write(
      `ComfyUI   http://127.0.0.1:${pod.localPort}\nshell     autopod ssh ${JOB_ID}\naddress   ${clean(pod.address.user)}@${clean(pod.address.host)} port ${pod.address.port}\nctrl-c ends the pod.\n`,
    )
  })
}
