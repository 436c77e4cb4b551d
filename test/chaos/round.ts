// One round: a cloud, somebody else's pod, a batch that is started and killed again and again, then left to finish.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkJobs, checkMoney, checkPrompts, checkRest, checkResult, type Reference } from './checks.ts'
import { startCloud } from './cloud.ts'
import { type Ended, type Home, within } from './home.ts'
import type { Kill, Weather } from './weather.ts'

export type Outcome = { wrongs: string[]; kills: string[]; code: number | null; attempts: number; pods: number }

/** The longest honest way: a ComfyUI that dies as it comes up costs its pod the minute of its boot, and another pod can have the same bad luck. */
const FINISH_MAX_MS = 270_000
/** A provider that answers 502 to the very first question is told to the user, who tries again. */
const STARTS_MAX = 6

export async function playRound(home: Home, weather: Weather, reference: Reference | null): Promise<Outcome> {
  const cloud = await startCloud(home, weather)
  const wrongs: string[] = []
  const kills: string[] = []
  let last: Ended | null = null
  try {
    const foreignId = await cloud.rent(weather.foreign)
    for (const kill of weather.kills) kills.push(await startAndKill(home, weather, kill))
    last = await finish(home, weather)
    const events = home.events()
    if (!last)
      wrongs.push(`not done ${FINISH_MAX_MS / 1000} s after the last start: ${JSON.stringify(events.slice(-3))}`)
    else wrongs.push(...checkResult(last, events, weather))
    wrongs.push(...(await checkRest(home)))
    const status = await cloud.status()
    if (last?.code === 0) wrongs.push(...checkJobs(home, events, weather, reference))
    if (last) wrongs.push(...checkPrompts(events, status))
    wrongs.push(...(await checkMoney(home, events, status, foreignId)))
    if (wrongs.length > 0) writeFileSync(join(home.folder, 'status.json'), JSON.stringify(status, null, 2))
    const count = (type: string) => events.filter(event => event.type === type).length
    const figures = { attempts: count('attempt.requested'), pods: count('pod.created') }
    return { wrongs, kills, code: last?.code ?? null, ...figures }
  } finally {
    home.killAll()
    const how = await cloud.end()
    if (how) wrongs.push(how)
    if (wrongs.length > 0)
      writeFileSync(join(home.folder, 'wrongs.json'), JSON.stringify({ weather, wrongs, kills, last }, null, 2))
  }
}

const runArgs = ({ podsMax }: Weather) =>
  ['run', 'jobs', '--yes', '--max-pods', String(podsMax), '--provider', 'sandbox'] as const

/** Starts the program and ends every process of the home at the moment the weather says; tells where that was. */
async function startAndKill(home: Home, weather: Weather, kill: Kill): Promise<string> {
  const before = home.eventCount()
  const first = home.start(...runArgs(weather), kill.how === 'plain' ? '--json' : '--detach')
  const started = [first]
  if (kill.how === 'followed') {
    // An engine of its own in the background, and a second command that looks on: both die.
    await Promise.race([first.ended, sleep(kill.afterMs)])
    started.push(home.start(...runArgs(weather), '--json'))
  }
  const begun = performance.now()
  const { afterMs, afterEvents } = kill
  if (afterEvents === null) await sleep(afterMs)
  else await within(afterMs, () => home.eventCount() >= before + afterEvents, 5)
  // The commands first: one that looks on would start another engine for the one that died.
  for (const running of started) running.kill('SIGKILL')
  home.killAll()
  await Promise.all(started.map(running => running.ended))
  await within(5000, () => {
    home.killAll()
    return home.processes().length === 0
  })
  const lastEvent = home.events().at(-1)?.type ?? 'no journal'
  return `${kill.how} ${Math.round(performance.now() - begun)} ms, +${home.eventCount() - before} events, ${lastEvent}`
}

/** The last start, to its end; null when that is not reached. */
async function finish(home: Home, weather: Weather): Promise<Ended | null> {
  for (let starts = 1; ; starts++) {
    const running = home.start(...runArgs(weather), '--json')
    const late = new AbortController()
    const ended = await Promise.race([
      running.ended,
      sleep(FINISH_MAX_MS, null, { signal: late.signal }).catch(() => null),
    ])
    late.abort()
    if (!ended) {
      running.kill('SIGKILL')
      return null
    }
    if (ended.stdout !== '' || ended.code !== 3 || starts === STARTS_MAX) return ended
  }
}
